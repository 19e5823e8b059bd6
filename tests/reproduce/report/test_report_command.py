"""``report`` from the command line: what runs show is drawn, nothing is trained."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from report_world import Page
from tiny import places

from models.errors import UserError
from reproduce.commands.cli import parser
from reproduce.commands.report import run as report
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import run_folder
from reproduce.report.curves import curve_path, load_curve
from reproduce.training.checkpoints import read_checkpoint
from reproduce.training.loop import Logging
from reproduce.training.session import train

PRESET = """
extends: quick
about: Nothing is learned.
run: {size: 32, batch: 2, steps: 2, train: 12, test: 24, lr_policy: linear}
methods:
  munit: {dim: 4, n_res: 1, mlp_dim: 8, dis_dim: 4, dis_layers: 3, dis_scales: 1}
tables: {1: [drawn-shoes]}
figures: {}
"""


def parsed(*words: str) -> argparse.Namespace:
    return parser().parse_args(["report", *words])


def words(root: Path, *more: str) -> list[str]:
    return [f"--preset={root / 'tiny.yaml'}", "--no-progress", *places(root), *more]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run of MUNIT, and one of other settings than the preset's."""
    root = tmp_path_factory.mktemp("command")
    (root / "tiny.yaml").write_text(PRESET)
    preset = load_preset(str(root / "tiny.yaml"))
    for seed, settings in ((0, {}), (1, {"recon_x": 3.0})):
        run = preset.make_run("munit", "drawn-shoes", seed, settings)
        logging = Logging(log_every=1, progress=False)
        folder = run_folder(root / "runs", "tiny", run)
        train(run, folder, data_dir=root / "data", device="cpu", resume=False, logging=logging)
    return root


def test_what_a_run_shows_is_on_the_page(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(parsed(*words(root, "--seeds", "0", "1"))) == 0
    printed = capsys.readouterr().out.splitlines()
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


def test_nothing_is_trained_or_recorded(root: Path) -> None:
    checkpoints = sorted((root / "runs").rglob("last.safetensors"))
    before = [path.stat().st_mtime_ns for path in checkpoints]
    picture = root / "results" / "tiny" / "guided-drawn-shoes.png"
    if not picture.exists():
        assert report(parsed(*words(root))) == 0
    drawn = picture.stat().st_mtime_ns
    assert report(parsed(*words(root, f"--out={root / 'elsewhere'}"))) == 0
    assert [path.stat().st_mtime_ns for path in checkpoints] == before
    assert sorted((root / "runs").rglob("last.safetensors")) == checkpoints
    assert read_checkpoint(checkpoints[0]).step == 2
    assert picture.stat().st_mtime_ns == drawn, "a picture that is there is not drawn again"
    assert not (root / "results" / "tiny" / "records.jsonl").exists()
    curves = "pictures/curves-drawn-shoes.png"
    assert (root / "elsewhere" / curves).is_file()
    assert curves in (root / "elsewhere" / "index.html").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seeds", "1", "1"], "give each once"),
        (["--source", "faces=x"], "write TASK=PATH with a task of drawn-shoes"),
    ],
)
def test_what_is_refused(root: Path, more: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        given = [w for w in words(root) if w.split("=")[0] != more[0]]
        report(parsed(*given, *more))


def test_a_folder_that_cannot_be_written_is_named(root: Path) -> None:
    (root / "file").write_text("")
    with pytest.raises(UserError, match="file is a file: name a folder"):
        report(parsed(*words(root, f"--out={root / 'file'}")))
