"""Records made again: from nothing, from stored weights, of every kind; and those that cannot be."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from stored import needs_current_results
from stored_judges import store_classifier, store_classifiers

import reproduce.measuring.exact
import reproduce.measuring.subject
from benchmarks.networks import extractors
from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.measuring.kinds import measure_runs
from reproduce.measuring.rerun import differences, kind_of, verdict
from reproduce.measuring.subject import Pictures, open_pictures
from reproduce.records.current import newest
from reproduce.records.store import REAL, Records, line_of, record_id
from reproduce.training.trained import checkpoint_of

ROOT = Path(__file__).resolve().parents[3]
QUICK = load_preset("quick")
PRESET = replace(QUICK, name="quick+0a1b2c3d", measure=replace(QUICK.measure, inputs=4, samples=4))
RUNS = [tiny.run_of(method, steps=2, train=100, test=10) for method in ("munit", "cyclegan")]
DIVERSITY = "diversity-lpips"
NEW = ("measure", "changes", "pictures", "training")  # fields that earlier records lack

Told = tuple[int, str, str]  # an exit code, output and errors
Again = Callable[..., Told]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Two trained methods and records of every kind of Table 1; not to be written to. The classifier
    is untrained, and says otherwise."""
    places = tiny.places_of(tmp_path_factory.mktemp("rerun"))
    for run in RUNS:
        tiny.train_in_place(PRESET, run, places)
    measure_runs(["diversity"], PRESET, RUNS, places)
    store_classifier(open_pictures(RUNS[0], places), places)
    for kind in ("exact", "fidelity", "theory"):  # each in a pass of its own, as when made again
        measure_runs([kind], PRESET, RUNS[:1], places)
    measure_runs(["observed", "judged"], PRESET, RUNS, places)
    return places


@pytest.fixture
def again(made: Places, capsys: pytest.CaptureFixture[str]) -> Again:
    """A function: ``rerun`` of a record in places of one's own, its exit code and what it said."""

    def rerun(record: dict[str, Any], *more: str, **places: Path) -> Told:
        there = {"results": made.results, "runs": made.runs, "data": made.data} | places
        options = [f"--{name}={path}" for name, path in there.items()]
        capsys.readouterr()
        code = main(["rerun", record_id(record)[:8], "--no-progress", *options, *more])
        told = capsys.readouterr()
        return code, told.out, told.err

    return rerun


def stored(places: Places, metric: str, method: str = "munit") -> dict[str, Any]:
    record = Records(places.results, PRESET.name).find(metric=metric, method=method)
    assert record is not None
    return record


def with_records(folder: Path, *records: dict[str, Any]) -> Path:
    """A results folder with these very records."""
    path = folder / "results" / PRESET.name / "records.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(line_of(record) + "\n" for record in records))
    return folder / "results"


def changed(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {k: v for k, v in (record | fields).items() if v is not None}


def refused(told: Told, *reasons: str) -> None:
    code, _, error = told
    lines = [line for line in error.splitlines() if not line.startswith("note: ")]
    assert code == 2 and len(lines) == 1 and lines[0].startswith("error: "), error
    for reason in reasons:
        assert reason in lines[0]


def perturbed(checkpoint: Path, target: Path) -> Path:
    """Another network, which translates everything to one colour, in a checkpoint that says it is
    the same."""
    with safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = {k: torch.full_like(t, -0.01) for k, t in load_file(checkpoint).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target, about)
    return target


def test_what_is_on_record_is_only_read(made: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("looked at again though everything is on record")

    monkeypatch.setattr(reproduce.measuring.subject, "stream", never)
    monkeypatch.setattr(extractors, "extract", never)
    monkeypatch.setattr(reproduce.measuring.exact, "examine", never)
    monkeypatch.setattr(Pictures, "silhouettes", never)
    before = Records(made.results, PRESET.name).all()
    kinds = ["diversity", "fidelity", "exact", "theory"]
    found = measure_runs(kinds, PRESET, RUNS[:1], made)
    wide = {"diversity-lpips", "fid-small-resnet-2", "recall-small-resnet-2", "category-kept",
            "silhouette-iou"}  # fmt: skip
    assert wide | {"style-consistency", "style-mmd"} <= set(found["munit"])
    assert wide <= set(found[REAL])
    measure_runs(["observed", "judged"], PRESET, RUNS, made)
    assert Records(made.results, PRESET.name).all() == before


def test_from_nothing_a_process_of_its_own_finds_the_same_number(made, tmp_path):
    record = stored(made, DIVERSITY)
    assert record["training"]["threads"] == 1
    before = (made.results / PRESET.name / "records.jsonl").read_bytes()
    words = ["rerun", record_id(record)[:6], "--no-progress", f"--results={made.results}",
             f"--runs={tmp_path / 'runs'}", f"--data={tmp_path / 'data'}"]  # fmt: skip
    assert tiny.finish(tiny.start(words, tmp_path / "log"), seconds=300) == 0
    told = (tmp_path / "log").read_text()
    assert "training munit on drawn-shoes again, 2 steps" in told
    assert "identical to the record's" in told and "difference  0: exactly equal" in told
    assert (made.results / PRESET.name / "records.jsonl").read_bytes() == before
    # A table would not take what was trained here for its own.
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"rerun", "classifiers"}


@pytest.mark.parametrize(
    ("metric", "method"),
    [
        ("silhouette-iou", "real"),
        ("fid-small-resnet-2", "munit"),
        ("parts-auc", "munit"),
        ("quality-judged", "cyclegan"),
        ("quality-observed", "real"),
        ("truth-distance", "real"),
        ("style-mmd", "munit"),
    ],
)
def test_every_kind_of_record_is_made_again(made, metric, method, again):
    weights = {p: p.stat().st_mtime_ns for p in made.runs.rglob("*.safetensors")}
    record = stored(made, metric, method)
    code, told, _ = again(record)
    assert code == 0 and f"again       {record['value']!r}\ndifference  0: exactly equal" in told
    assert f"{metric} of {method} on drawn-shoes, seed 0" in told
    assert {p: p.stat().st_mtime_ns for p in made.runs.rglob("*.safetensors")} == weights


def test_a_record_of_a_preset_of_ones_own_is_made_again(made, tmp_path, again):
    """Nothing but its name is known of the preset here; an earlier record does not tell enough."""
    for metric, method in ((DIVERSITY, "munit"), (DIVERSITY, "real")):
        own = changed(stored(made, metric, method), preset="mine+0a1b2c3d")
        folder = tmp_path / f"{method}/results/mine+0a1b2c3d"
        folder.mkdir(parents=True)
        (folder / "records.jsonl").write_text(line_of(own) + "\n")
        runs_of = tmp_path / method / "runs"
        runs_of.mkdir()
        (runs_of / "mine+0a1b2c3d").symlink_to(made.runs / PRESET.name)
        code, told, _ = again(own, results=folder.parent, runs=runs_of)
        assert code == 0 and "exactly equal" in told
    old = changed(own, **dict.fromkeys(NEW))
    (folder / "records.jsonl").write_text(line_of(old) + "\n")
    refused(again(old, results=folder.parent), "options of another version", "check out")


def test_stored_weights_are_found_by_their_hash(made: Places, tmp_path: Path, again: Again) -> None:
    record = stored(made, DIVERSITY)
    results = with_records(tmp_path, record)
    kept = results / PRESET.name / "weights" / "anything.safetensors"
    kept.parent.mkdir()
    shutil.copy(checkpoint_of(PRESET, RUNS[0], made), kept)
    code, told, _ = again(record, results=results, runs=tmp_path / "runs")
    assert code == 0 and f"{kept}, as recorded" in told and "exactly equal" in told
    assert not (tmp_path / "runs" / "rerun").exists()


def test_measurements_in_a_direction_are_made_again_in_it(tmp_path: Path, again: Again) -> None:
    store_classifiers(tmp_path)
    there = {name: tmp_path / name for name in ("data", "runs", "results")}
    places = tiny.places_of(tmp_path)
    small = replace(QUICK, measure=replace(QUICK.measure, mode_inputs=3, mode_samples=4))
    run = tiny.run_of(task="drawn-housecats-dogs", steps=2, train=12)
    tiny.train_in_place(small, run, places)
    measure_runs(["modes"], small, [run], places)
    records = Records(places.results, "quick")
    for metric, method in {"content-confusion": "munit", "is": "real"}.items():
        record = records.find(metric=metric, method=method, translation="b2a")
        assert record is not None
        code, told, _ = again(record, **there)
        assert code == 0 and f"{record['value']!r}\ndifference  0: exactly equal" in told
        assert f"{metric} of {method} on drawn-housecats-dogs b2a" in told


@pytest.fixture
def copied(made: Places, tmp_path: Path) -> Records:
    """The same records, to be written to."""
    return Records(shutil.copytree(made.results, tmp_path / "results"), PRESET.name)


def test_append_adds_a_record_and_overwrites_none(made, copied, again):
    record, folder = stored(made, DIVERSITY), copied.folder.parent
    raw = folder / record["raw"]
    raw.write_bytes(b"of another version")
    before = copied.all()
    code, told, _ = again(record, "--append", results=folder)
    assert code == 0
    after = copied.all()
    assert after[:-1] == before and record_id(after[-1]) in told
    assert after[-1]["value"] == record["value"] and after[-1]["metric"] == DIVERSITY
    assert after[-1]["training"] == record["training"]
    assert raw.read_bytes() == b"of another version" and after[-1]["raw"] != record["raw"]
    original = (made.results / record["raw"]).read_bytes()
    assert (folder / after[-1]["raw"]).read_bytes() == original


SAME = "though the weights and the networks that measure are the same"


@pytest.mark.parametrize(
    ("value", "same", "words", "agrees"),
    [
        (0.5, False, "exactly equal", True),
        (0.5 + 6e-6, False, "within the stored 95% interval", True),
        (0.61, False, "outside", False),
        (0.39, False, "outside", False),
        (0.5 + 4e-6, True, "within rounding", True),
        (0.5019, True, "1.9% of half the interval", True),
        (0.5021, True, SAME, False),
    ],
)
def test_verdicts(value: float, same: bool, words: str, agrees: bool) -> None:
    record = {"value": 0.5, "interval": {"low": 0.4, "high": 0.6, "level": 0.95}}
    told, agreed = verdict(record, value, same)
    assert words in told and agreed is agrees
    # Without an interval nothing but rounding is forgiven.
    told, agreed = verdict(record | {"interval": None}, value, same)
    assert agreed is (abs(value - 0.5) < 5e-6) and ("no interval is stored" in told) is not agreed


def test_append_hides_no_later_network(made: Places, copied: Records, again: Again) -> None:
    record, folder = stored(made, DIVERSITY), copied.folder.parent
    copied.append(record | {"checkpoint_sha256": "e" * 64})
    before = copied.path.read_bytes()
    refused(again(record, "--append", results=folder), "has been trained or drawn again since")
    assert copied.path.read_bytes() == before
    code, told, _ = again(record, results=folder)
    assert code == 0 and "exactly equal" in told


def test_what_is_not_as_it_was_is_told() -> None:
    packages = {"torch": "2", "lpips": "1"}
    now = {"commit": "a" * 40, "dirty": False, "device": "x", "packages": packages}
    assert differences({"environment": now}, now) == []
    then = now | {"commit": "b" * 40, "dirty": True, "device": "y", "packages": {"torch": "1"}}
    told = "; ".join(differences({"environment": then}, now))
    assert "uncommitted changes to commit bbbbbbbbbbbb" in told
    assert "this is commit aaaaaaaaaaaa" in told and "torch 1 (here 2)" in told
    assert "made on y, this is x" in told
    (told,) = differences({"environment": now}, now | {"dirty": True})
    assert "commit aaaaaaaaaaaa with uncommitted" in told
    assert "made by an unknown version, this is commit aaaaaaaaaaaa" in differences({}, now)[0]


@needs_current_results
def test_every_stored_record_that_a_row_shows_can_be_made_again() -> None:
    records = Records(ROOT / "results", "cpu").all()
    rows = [row for way in (None, "a2b", "b2a") for row in newest(records, 0, way).values()]
    shown = [record for row in rows for record in row.values()]
    assert len(shown) >= 100
    found = {kind_of(record) for record in shown}
    assert {"diversity", "fidelity", "exact", "observed"} <= found
    assert found <= {"diversity", "fidelity", "exact", "judged", "observed", "modes", "theory"}


# Records that contradict themselves or what is there: found out, or refused


def test_a_changed_checkpoint_is_not_taken_for_the_records(made, tmp_path, again):
    record = stored(made, DIVERSITY)
    run, original = RUNS[0], checkpoint_of(PRESET, RUNS[0], made)
    elsewhere = replace(made, runs=tmp_path / "runs")
    wrong = perturbed(original, checkpoint_of(PRESET, run, elsewhere))
    code, told, _ = again(record, runs=elsewhere.runs)
    assert f"{wrong} differs" in told and "training munit" in told
    assert code == 0 and "exactly equal" in told
    # Where it stands for the training again, the value tells.
    perturbed(original, elsewhere.runs / "rerun" / run.digest()[:16] / "last.safetensors")
    code, told, notes = again(record, runs=elsewhere.runs)
    assert code == 1 and "outside the stored interval" in told
    assert "not the record's" in told and "independent training" in notes
    refused(again(record, "--append", runs=elsewhere.runs), "leave out --append")


def test_changed_records_are_refused(made: Places, tmp_path: Path, again: Again) -> None:
    record, quality = stored(made, DIVERSITY), stored(made, "quality-judged")
    longer = record["config"] | {"steps": 3}
    wrong = {
        "config_sha256": changed(record, config=longer),
        "config": changed(record, config=None),
        "says seed=1": changed(record, seed=1),
        "says method=unit": changed(record, method="unit"),
        "which are not a task": changed(record, task="../../etc"),
        "checkpoint_sha256": changed(record, checkpoint_sha256="../x"),
        "data_sha256": changed(record, data_sha256=None),
        "options of another version": changed(record, measure={"inputs": 4}),
        "inputs=x": changed(record, measure=record["measure"] | {"inputs": "x"}),
        "holds other pictures": changed(record, data_sha256="0" * 64),
        "people were asked": changed(record, metric="quality-human"),
        "has no such measurement": changed(record, metric="beauty"),
        "with N=5, this version measures with 4": changed(
            record, protocol=record["protocol"] | {"N": 5}
        ),
    }  # fmt: skip
    for number, (reason, bad) in enumerate(wrong.items()):
        refused(again(bad, results=with_records(tmp_path / str(number), bad)), reason)
    refused(again(record, results=with_records(tmp_path / "none", quality)), "no record")
    moved = changed(record, preset="../../elsewhere")
    refused(again(moved, results=with_records(tmp_path / "moved", moved)), "is of preset ../..")


def test_changed_pictures_are_refused(made: Places, tmp_path: Path, again: Again) -> None:
    record = stored(made, DIVERSITY)
    shutil.copytree(made.data, tmp_path / "data")
    picture = next((tmp_path / "data").glob("*/testA/*.png"))
    tiny.picture(picture, size=32)
    refused(again(record, data=tmp_path / "data"), str(picture.parent.parent), "remove")


def test_a_preference_needs_the_weights_of_the_reference(made, tmp_path, again):
    record = stored(made, "quality-observed", "cyclegan")
    refused(again(record, runs=tmp_path / "runs"), "over munit", "lacks its weights (", "--runs")
    assert not (tmp_path / "runs" / "rerun").exists()
    alone = with_records(tmp_path, record)
    refused(again(record, results=alone), "lacks its weights (not on record)")
