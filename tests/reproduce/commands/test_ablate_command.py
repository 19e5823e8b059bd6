"""``ablate`` from nothing to a figure, on real processes, killed on the way."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ablating import ANIMALS, STEPS, words
from PIL import Image
from reading import csv_rows
from steps_here import make_here, weights_of
from stored_judges import store_judges
from tiny import finish, last, places_of, start, until

from benchmarks.metrics.diversity import DiversityResult
from benchmarks.metrics.mode_scores import load_mode_scores
from reproduce.commands.cli import main
from reproduce.experiments.preset import Preset, load_preset
from reproduce.records.store import Records, record_id
from reproduce.training.checkpoints import read_checkpoint
from reproduce.training.loop import LAST

ONE = ("recon_c=0,1,5",)
NAME = "drawn-shoes-munit-recon_c"


def tiny(root: Path) -> Preset:
    return load_preset(str(root / "tiny.yaml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three points, after the command was stopped amid its last training so that all was saved."""
    root = tmp_path_factory.mktemp("ablate")
    process = start(words(root, *ONE), root / "log")

    def begun() -> bool:
        assert process.is_alive(), (root / "log").read_text()
        return len(list(root.glob("runs/*/*/*/progress.json"))) == 3

    until(begun, 300)
    process.terminate()
    assert finish(process, 120) == 130
    assert "run the same command to go on" in (root / "log").read_text()
    before = weights_of(root)
    steps = {path: read_checkpoint(path).step for path in before}
    assert STEPS in steps.values()
    make_here(words(root, *ONE), root / "plan.json")
    after = weights_of(root)
    assert len(after) == 3
    for path, step in steps.items():
        assert (after[path] == before[path]) is (step == STEPS), "what was trained is trained once"
    return root


def rows(root: Path, name: str = NAME) -> list[dict[str, str]]:
    return csv_rows(root / "results" / "tiny" / "ablations" / f"{name}.csv")


def test_runs_and_records_are_where_set_puts_them(made: Path) -> None:
    other = tiny(made).changed({"recon_c": "5"}, {}).name
    runs = {"tiny/drawn-shoes/munit-seed0", "tiny/drawn-shoes/munit-wo-c-seed0",
            f"{other}/drawn-shoes/munit-seed0"}  # fmt: skip
    assert weights_of(made).keys() == {made / "runs" / run / LAST for run in runs}
    weights = {}
    for preset, methods in {"tiny": {"munit-wo-c", "munit", "real"}, other: {"munit"}}.items():
        records = Records(made / "results", preset).all()
        assert {r["method"] for r in records} == methods
        for r in records:
            assert r["changes"] == ({} if preset == "tiny" else {"recon_c": "5"})
            if r["method"] != "real":
                weights[preset, r["method"]] = r["config"]["settings"]["recon_c"]
    assert weights == {("tiny", "munit-wo-c"): 0, ("tiny", "munit"): 1, (other, "munit"): 5}


def test_the_table_holds_what_was_measured(made: Path) -> None:
    """Diversity anew from raw distances, and the row of real data from its pairs."""
    found = [row for row in rows(made) if row["seed"] == "mean"]
    diversity = {r["recon_c"]: r for r in found if r["metric"] == "diversity-lpips"}
    assert set(diversity) == {"0", "1", "5", "real"}
    raws = {"0": "munit-wo-c", "1": "munit", "5": "munit", "real": "real"}
    for value, method in raws.items():
        folder = made / "results" / diversity[value]["preset"] / "raw"
        (raw,) = folder.glob(f"diversity-drawn-shoes-{method}-[0-9p]*.npz")
        with np.load(raw) as file:
            expected = file["distances"].mean(axis=1, dtype=np.float64).mean()
        assert float(diversity[value]["value"]) == pytest.approx(expected, abs=1e-9)
        assert DiversityResult.load(raw).value == pytest.approx(expected)
    iou = [r["recon_c"] for r in found if r["metric"] == "silhouette-iou"]
    assert iou == ["0", "1", "5"]  # of real pictures, only tables measure it
    picture = Image.open(made / "results" / "tiny" / "ablations" / f"{NAME}.png")
    assert picture.height > picture.width / 2


def test_a_second_call_makes_nothing_and_says_the_same(made: Path, said) -> None:
    before = {p: p.read_bytes() for p in made.glob("results/*/**/*") if p.is_file()}
    told = said(words(made, *ONE)).out
    table = made / "results" / "tiny" / "ablations" / f"{NAME}.md"
    assert table.read_text() in told and f"{NAME}.png" in told
    assert {p: p.read_bytes() for p in made.glob("results/*/**/*") if p.is_file()} == before


def test_from_stored_records_alone(made, tmp_path, said) -> None:
    shutil.copytree(made / "results", tmp_path / "results")
    shutil.copy(made / "tiny.yaml", tmp_path)
    shutil.rmtree(tmp_path / "results" / "tiny" / "ablations")
    assert main(words(tmp_path, *ONE, "--stored")) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"results", "tiny.yaml"}
    assert rows(tmp_path) == rows(made)
    # Seeds and values without records are told apart from those with.
    told = said(words(tmp_path, "recon_c=1,9", "--stored", "--seeds", "0", "1")).out
    assert "(1 seed)" in told and "| 9 " in told and "—" in told
    told = said(words(tmp_path, "recon_c=8,9", "--stored"), 2).err
    assert "no record of diversity or silhouette-iou" in told


def test_a_dry_run_lists_what_is_missing_and_makes_nothing(made: Path, said) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    told = said(words(made, "recon_c=0,5,7", "--dry-run", "--seeds", "0", "1")).out.splitlines()
    train = "train/drawn-shoes/munit"
    assert [line.split()[0] for line in told[1:-1]] == [
        f"{train}/seed0@recon_c=7", f"{train}-wo-c/seed1", f"{train}/seed1@recon_c=5",
        f"{train}/seed1@recon_c=7", f"ablation/{NAME}",
    ]  # fmt: skip
    assert told[-1].startswith("5 of 8 jobs to do; about ")
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()} == before


def test_a_record_of_a_point_is_made_again(made: Path, tmp_path: Path, said) -> None:
    other = tiny(made).changed({"recon_c": "5"}, {}).name
    record = Records(made / "results", other).find(metric="silhouette-iou", method="munit")
    assert record is not None
    for runs in (made / "runs", tmp_path / "runs"):
        places = [f"--data={made / 'data'}", f"--results={made / 'results'}", f"--runs={runs}"]
        told = said(["rerun", record_id(record), "--no-progress", *places]).out
        assert f"{record['value']!r}\ndifference  0: exactly equal" in told
        assert (f"again, {STEPS} steps" in told) is (runs != made / "runs")


def test_animals_are_measured_both_ways(tmp_path: Path, said) -> None:
    given = words(tmp_path, "recon_s=1,3", "--set=steps=2", task=ANIMALS)
    preset = tiny(tmp_path).changed({"steps": "2"}, {})
    store_judges(preset.make_run("munit", ANIMALS, 0, {"steps": "2"}), places_of(tmp_path))
    make_here(given, tmp_path / "plan.json")
    told = said(given).out
    name = f"{preset.name}/ablations/{ANIMALS}-munit-recon_s.csv"
    means = [r for r in csv_rows(tmp_path / "results" / name) if r["seed"] == "mean"]
    found = {(r["recon_s"], r["metric"], r["translation"]): r for r in means}
    points = {(v, m, d) for v in "13" for m in ("cis", "is") for d in ("a2b", "b2a")}
    assert set(found) == points | {("real", "is", d) for d in ("a2b", "b2a")}
    for (value, metric, direction), row in found.items():
        if value == "real":
            continue
        records = Records(tmp_path / "results", row["preset"])
        record: Any = records.find(metric=metric, method="munit", translation=direction)
        both = load_mode_scores(tmp_path / "results" / record["raw"]).sums.scores()
        assert float(row["value"]) == pytest.approx(both[metric == "cis"], rel=1e-8)
        assert record["changes"] == {"steps": "2"} | ({"recon_s": "3"} if value == "3" else {})
    assert "CIS, house cats -> dogs (nats)" in told and "Preset tiny with steps=2" in told


def test_a_failed_training_is_one_line(tmp_path, refused):
    # More steps than updates may be left out in a row.
    wrong = ["--set=lr=1e30", "--set=steps=52", "--jobs=1"]
    error = refused(last(words(tmp_path, "recon_c=1,2", *wrong)))
    assert "train/" in error and "lower lr" in error and ".log" in error
