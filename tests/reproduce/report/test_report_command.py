"""``report`` from the command line: what runs show is drawn, nothing is trained."""

from pathlib import Path

import pytest
from report_world import Page
from tiny import NETWORKS, places, places_of, train_in_place

from reproduce.experiments.preset import load_preset
from reproduce.report.curves import curve_path, load_curve
from reproduce.training.checkpoints import read_checkpoint

PRESET = f"""
extends: quick
run: {{size: 32, batch: 2, steps: 2, train: 12, test: 24, lr_policy: linear}}
{NETWORKS}
tables: {{1: [drawn-shoes]}}
figures: {{}}
"""


def words(root: Path, *more: str) -> list[str]:
    return ["report", f"--preset={root / 'tiny.yaml'}", "--no-progress", *places(root), *more]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run of MUNIT, and one of other settings than the preset's."""
    root = tmp_path_factory.mktemp("command")
    (root / "tiny.yaml").write_text(PRESET)
    preset = load_preset(str(root / "tiny.yaml"))
    for seed, settings in ((0, {}), (1, {"recon_x": 3.0})):
        run = preset.make_run("munit", "drawn-shoes", seed, settings)
        train_in_place(preset, run, places_of(root), log_every=1, tensorboard=True)
    return root


def test_what_a_run_shows_is_on_the_page(root: Path, said) -> None:
    printed = said(words(root, "--seeds", "0", "1")).out.splitlines()
    folder = root / "results" / "tiny"
    assert printed[0] == str(folder / "report" / "index.html")
    page = Page(folder / "report" / "index.html")
    pictures = {str(image.given["src"]) for image in page.root.all("img")}
    assert pictures == {
        "../interpolation-drawn-shoes.png", "../guided-drawn-shoes.png",
        "../curves-drawn-shoes.png",
    }  # fmt: skip
    curve = load_curve(curve_path(folder, "drawn-shoes", "munit", 0))
    assert curve is not None
    assert curve.steps.tolist() == [1, 2]
    assert {"gan", "dis", "recon_x", "recon_c", "recon_s"} == set(curve.terms)
    # The other run is none of this preset.
    assert load_curve(curve_path(folder, "drawn-shoes", "munit", 1)) is None
    missing = [d.text for d in page.section("claims").all("div") if "missing" in d.given["class"]]
    assert f"--preset {root / 'tiny.yaml'} --seeds 0 1" in missing[0]


def test_nothing_is_trained_or_recorded(root: Path, said) -> None:
    checkpoints = sorted((root / "runs").rglob("last.safetensors"))
    before = [path.stat().st_mtime_ns for path in checkpoints]
    picture = root / "results" / "tiny" / "guided-drawn-shoes.png"
    if not picture.exists():
        said(words(root))
    drawn = picture.stat().st_mtime_ns
    said(words(root, f"--out={root / 'elsewhere'}"))
    assert [path.stat().st_mtime_ns for path in checkpoints] == before
    assert sorted((root / "runs").rglob("last.safetensors")) == checkpoints
    assert read_checkpoint(checkpoints[0]).step == 2
    assert picture.stat().st_mtime_ns == drawn, "a picture that is there is not drawn again"
    assert not (root / "results" / "tiny" / "records.jsonl").exists()
    curves = "pictures/curves-drawn-shoes.png"
    assert (root / "elsewhere" / curves).is_file()
    assert curves in (root / "elsewhere" / "index.html").read_text()


def test_a_file_is_no_place_for_a_page(root: Path, refused) -> None:
    assert "tiny.yaml is a file: name a folder" in refused(words(root, f"--out={root}/tiny.yaml"))
