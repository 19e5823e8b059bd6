"""Records made again: from nothing, from stored weights, and never from what was tampered with."""

from __future__ import annotations

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
from test_table2_command import store_classifiers

from benchmarks.classifiers import RECIPES, Classifier, SmallResNet
from benchmarks.judge_network import JudgeConfig
from models.init import initialise
from reproduce.cli import main
from reproduce.exact import ExactTask, measure_exact, measure_real_exact
from reproduce.experiments import Preset, load_preset
from reproduce.fidelity import measure_fidelity
from reproduce.instruments import RECIPE, classifier_path, open_instruments
from reproduce.loop import Logging
from reproduce.measure import measure_real, measure_run
from reproduce.mode_measure import measure_modes
from reproduce.pipeline import checkpoint_of
from reproduce.places import Places, open_run_task
from reproduce.quality import measure_quality
from reproduce.rerun import differences, verdict
from reproduce.results import Records, line_of, record_id
from reproduce.runs import RunConfig
from reproduce.training import train
from reproduce.truth import truth_of

DIVERSITY = "diversity-lpips-untrained"
NEW = ("measure", "changes", "pictures", "training")  # fields that earlier records lack


def preset() -> Preset:
    quick = load_preset("quick")
    return replace(
        quick, name="quick+0a1b2c3d", measure=replace(quick.measure, inputs=4, samples=4)
    )


def runs() -> list[RunConfig]:
    sizes = {"steps": "2", "batch": "2", "train": "100", "test": "10"}
    settings = {
        m: dict(p.split("=") for p in tiny.SETTINGS[m].split()) for m in ("munit", "cyclegan")
    }
    return [preset().make_run(m, "drawn-shoes", 0, own | sizes) for m, own in settings.items()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Two trained methods and records of every kind of Table 1. The classifier is untrained, and
    says otherwise; the judges are trained."""
    root = tmp_path_factory.mktemp("rerun")
    places = Places(root / "data", root / "runs", root / "results", progress=False)
    logging = Logging(tensorboard=False, progress=False)
    for run in runs():
        folder = checkpoint_of(preset(), run, places).parent
        checkpoint = train(run, folder, data_dir=places.data, logging=logging)
        measure_run(preset(), run, checkpoint, places)
    run, checkpoint = runs()[0], checkpoint_of(preset(), runs()[0], places)
    measure_real(preset(), run, places)
    domains = open_run_task(run, places)
    truth = truth_of(domains, 32)
    assert truth is not None
    network = SmallResNet(RECIPES[RECIPE], truth.heads)
    initialise(network, "kaiming", torch.Generator().manual_seed(0))
    path = classifier_path(domains, truth, domains.fingerprint(), places.runs, RECIPES[RECIPE], 0)
    accuracy = dict.fromkeys(truth.heads, 0.95)
    Classifier(RECIPES[RECIPE], truth.heads, network, accuracy, {}).save(path)
    instruments = open_instruments(run, places)
    measure_fidelity(preset(), run, checkpoint, places, instruments)
    measure_exact(preset(), run, checkpoint, places, ExactTask(instruments))
    measure_real_exact(preset(), run, places, ExactTask(instruments))
    measure_quality(preset(), runs(), places, JudgeConfig(judges=2, steps=2, batch=4, width=4))
    return places


@pytest.fixture
def again(made: Places, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``rerun`` of a record in places of one's own: its exit code and what it said."""

    def go(record: dict[str, Any], *more: str, **places: Path) -> tuple[int, str, str]:
        there = {"results": made.results, "runs": made.runs, "data": made.data} | places
        options = [f"--{name}={path}" for name, path in there.items()]
        capsys.readouterr()
        code = main(["rerun", record_id(record)[:8], "--no-progress", *options, *more])
        told = capsys.readouterr()
        return code, told.out, told.err

    return go


def stored(places: Places, metric: str, method: str = "munit") -> dict[str, Any]:
    record = Records(places.results, preset().name).find(metric=metric, method=method)
    assert record is not None
    return record


def with_records(folder: Path, *records: dict[str, Any]) -> Path:
    """A results folder with these very records."""
    path = folder / "results" / preset().name / "records.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(line_of(record) + "\n" for record in records))
    return folder / "results"


def changed(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {k: v for k, v in (record | fields).items() if v is not None}


def refused(told: tuple[int, str, str], *reasons: str) -> None:
    code, _, error = told
    lines = [line for line in error.splitlines() if not line.startswith("note: ")]
    assert code == 2 and len(lines) == 1 and lines[0].startswith("error: "), error
    for reason in reasons:
        assert reason in lines[0]


def test_from_nothing_a_process_of_its_own_finds_the_same_number(
    made: Places, tmp_path: Path
) -> None:
    record = stored(made, DIVERSITY)
    assert record["training"]["threads"] == 1
    before = (made.results / preset().name / "records.jsonl").read_bytes()
    words = ["rerun", record_id(record)[:6], "--no-progress", f"--results={made.results}",
             f"--runs={tmp_path / 'runs'}", f"--data={tmp_path / 'data'}"]  # fmt: skip
    assert tiny.finish(tiny.start(words, tmp_path / "log")) == 0
    told = (tmp_path / "log").read_text()
    assert "training munit on drawn-shoes again, 2 steps" in told
    assert "bit by bit the record's" in told and "difference  0: exactly equal" in told
    assert (made.results / preset().name / "records.jsonl").read_bytes() == before
    # A table would not take what was trained here for its own.
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"rerun", "classifiers"}


@pytest.mark.parametrize(
    ("metric", "method"),
    [
        (DIVERSITY, "munit"),
        ("silhouette-iou", "cyclegan"),
        (DIVERSITY, "real"),
        ("silhouette-iou", "real"),
        ("fid-small-resnet-2", "munit"),
        ("parts-auc", "munit"),
        ("quality-judged", "cyclegan"),
    ],
)
def test_every_kind_of_record_is_made_again(
    made: Places, metric: str, method: str, again: Callable[..., tuple[int, str, str]]
) -> None:
    weights = {p: p.stat().st_mtime_ns for p in made.runs.rglob("*.safetensors")}
    record = stored(made, metric, method)
    code, told, _ = again(record)
    assert code == 0 and f"again       {record['value']!r}\ndifference  0: exactly equal" in told
    assert f"{metric} of {method} on drawn-shoes, seed 0" in told
    assert {p: p.stat().st_mtime_ns for p in made.runs.rglob("*.safetensors")} == weights


@pytest.mark.parametrize(
    ("metric", "method"), [(DIVERSITY, "munit"), ("silhouette-iou", "munit"), (DIVERSITY, "real")]
)
def test_records_of_earlier_versions_tell_enough(
    made: Places, tmp_path: Path, metric: str, method: str,
    again: Callable[..., tuple[int, str, str]],
) -> None:  # fmt: skip
    """They lack how many pictures were drawn, and all that a protocol does not name."""
    old = changed(stored(made, metric, method), **dict.fromkeys(NEW))
    other = changed(stored(made, DIVERSITY, "cyclegan"), **dict.fromkeys(NEW))
    code, told, _ = again(old, results=with_records(tmp_path, other, old))
    assert code == 0 and ("exactly equal" in told or "equal within rounding" in told)
    if method == "real":
        new = stored(made, metric, method)
        code, told, _ = again(new, results=with_records(tmp_path / "new", new))
        assert code == 0 and "exactly equal" in told
        refused(again(old, results=with_records(tmp_path / "alone", old)), "how many pictures")


def test_stored_weights_are_found_by_their_hash(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    record = stored(made, DIVERSITY)
    results = with_records(tmp_path, record)
    kept = results / preset().name / "weights" / "anything.safetensors"
    kept.parent.mkdir()
    shutil.copy(checkpoint_of(preset(), runs()[0], made), kept)
    code, told, _ = again(record, results=results, runs=tmp_path / "runs")
    assert code == 0 and f"{kept}, as recorded" in told and "exactly equal" in told
    assert not (tmp_path / "runs" / "rerun").exists()


def test_measurements_in_a_direction_are_made_again_in_it(
    tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    """Table 2's, by a classifier that only claims to know."""
    store_classifiers(tmp_path)
    quick, places = (
        load_preset("quick"),
        Places(*(tmp_path / n for n in ("data", "runs", "results"))),
    )
    scale = replace(quick.measure, mode_inputs=3, mode_samples=4)
    small, places = replace(quick, measure=scale), replace(places, progress=False)
    sizes = {"steps": "2", "batch": "2", "train": "12", "test": "8"}
    own = dict(p.split("=") for p in tiny.SETTINGS["munit"].split())
    run = quick.make_run("munit", "drawn-housecats-dogs", 0, own | sizes)
    logging = Logging(tensorboard=False, progress=False)
    train(run, checkpoint_of(small, run, places).parent, data_dir=places.data, logging=logging)
    measure_modes(small, [run], places)
    records = Records(places.results, "quick")
    there = {name: tmp_path / name for name in ("data", "runs", "results")}
    for metric, method in {"cis": "munit", "is": "real", "content-confusion": "munit"}.items():
        record = records.find(metric=metric, method=method, translation="b2a")
        assert record is not None
        code, told, _ = again(record, **there)
        assert code == 0 and f"{record['value']!r}\ndifference  0: exactly equal" in told
        assert f"{metric} of {method} on drawn-housecats-dogs b2a" in told


def perturbed(checkpoint: Path, target: Path) -> Path:
    """Another network, which translates everything to one colour, in a checkpoint that says it is
    the same."""
    with safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = {k: torch.full_like(t, -0.01) for k, t in load_file(checkpoint).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target, about)
    return target


def test_a_changed_checkpoint_is_not_taken_for_the_records(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    record = stored(made, DIVERSITY)
    run, original = runs()[0], checkpoint_of(preset(), runs()[0], made)
    elsewhere = replace(made, runs=tmp_path / "runs")
    wrong = perturbed(original, checkpoint_of(preset(), run, elsewhere))
    code, told, _ = again(record, runs=elsewhere.runs)
    assert f"others in {wrong}" in told and "training munit" in told
    assert code == 0 and "exactly equal" in told
    # Where it stands for the training again, the value tells.
    perturbed(original, elsewhere.runs / "rerun" / run.digest()[:16] / "last.safetensors")
    code, told, notes = again(record, runs=elsewhere.runs)
    assert code == 1 and "outside the stored interval" in told
    assert "another file" in told and "a training of its own" in notes
    refused(again(record, "--append", runs=elsewhere.runs), "leave --append out")


def test_changed_records_are_refused(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    record, quality = stored(made, DIVERSITY), stored(made, "quality-judged")
    longer = record["config"] | {"steps": 3}
    wrong = {
        "config_sha256": changed(record, config=longer),
        "config": changed(record, config=None),
        "says seed=1": changed(record, seed=1),
        "says method=unit": changed(record, method="unit"),
        "no task is called": changed(record, task="../../etc"),
        "checkpoint_sha256": changed(record, checkpoint_sha256="../x"),
        "data_sha256": changed(record, data_sha256=None),
        "other options": changed(record, measure={"inputs": 4}),
        "inputs=x": changed(record, measure=record["measure"] | {"inputs": "x"}),
        "holds other pictures": changed(record, data_sha256="0" * 64),
        "small-resnet-1": changed(
            stored(made, "parts-auc"), protocol={"extractor": "small-resnet-1"}
        ),
        "people were asked": changed(record, metric="quality-human"),
        "no function does": changed(record, metric="beauty"),
        "no panel": changed(quality, protocol=quality["protocol"] | {"panel": "../x"}),
        "judges of another kind": changed(quality, protocol={"judge": {"judges": 2}}),
        "with N=5, this version measures with 4": changed(
            record, protocol=record["protocol"] | {"N": 5}
        ),
    }  # fmt: skip
    for number, (reason, bad) in enumerate(wrong.items()):
        refused(again(bad, results=with_records(tmp_path / str(number), bad)), reason)
    refused(again(record, results=with_records(tmp_path / "none", quality)), "no record")
    moved = changed(record, preset="../../elsewhere")
    refused(again(moved, results=with_records(tmp_path / "moved", moved)), "is of preset ../..")


def test_a_changed_value_is_found_out(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    record = stored(made, DIVERSITY)
    ends = {k: record["interval"][k] + 1 for k in ("low", "high")}
    wrong = changed(record, value=record["value"] + 1, interval=record["interval"] | ends)
    code, told, _ = again(wrong, results=with_records(tmp_path, wrong))
    assert code == 1 and "difference  -1: outside the stored interval" in told


def test_changed_pictures_are_refused(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    record = stored(made, DIVERSITY)
    shutil.copytree(made.data, tmp_path / "data")
    picture = next((tmp_path / "data").glob("*/testA/*.png"))
    tiny.picture(picture, size=32)
    refused(again(record, data=tmp_path / "data"), str(picture.parent.parent), "remove")


def test_judges_need_the_weights_of_all_methods(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    record = stored(made, "quality-judged")
    told = again(record, runs=tmp_path / "runs")
    refused(told, "weights of cyclegan (", "--runs")
    assert not (tmp_path / "runs" / "rerun").exists()  # nothing was trained in vain
    alone = with_records(tmp_path, record)
    refused(again(record, results=alone), "cyclegan (of which no record tells)")


def test_append_adds_a_record_and_overwrites_none(
    made: Places, tmp_path: Path, again: Callable[..., tuple[int, str, str]]
) -> None:
    shutil.copytree(made.results, tmp_path / "results")
    record, folder = stored(made, DIVERSITY), tmp_path / "results"
    kept = Records(folder, preset().name)
    raw = folder / record["raw"]
    raw.write_bytes(b"of another version")
    before = kept.all()
    code, told, _ = again(record, "--append", results=folder)
    assert code == 0
    after = kept.all()
    assert after[:-1] == before and record_id(after[-1]) in told
    assert after[-1]["value"] == record["value"] and after[-1]["metric"] == DIVERSITY
    assert after[-1]["training"] == record["training"]
    assert raw.read_bytes() == b"of another version" and after[-1]["raw"] != record["raw"]
    original = (made.results / record["raw"]).read_bytes()
    assert (folder / after[-1]["raw"]).read_bytes() == original


@pytest.mark.parametrize(
    ("value", "words", "agrees"),
    [
        (0.5, "exactly equal", True),
        (0.5 + 4e-6, "within rounding", True),
        (0.5 + 6e-6, "within the stored 95% interval", True),
        (0.59, "within the stored 95% interval", True),
        (0.4, "within the stored 95% interval", True),
        (0.61, "outside", False),
        (0.39, "outside", False),
    ],
)
def test_verdicts(value: float, words: str, agrees: bool) -> None:
    record = {"value": 0.5, "interval": {"low": 0.4, "high": 0.6, "level": 0.95}}
    told, same = verdict(record, value)
    assert words in told and same is agrees
    # Without an interval nothing but rounding is forgiven.
    told, same = verdict(record | {"interval": None}, value)
    assert same is (abs(value - 0.5) < 5e-6) and ("no interval is stored" in told) is not same


def test_what_is_not_as_it_was_is_told() -> None:
    now = {
        "commit": "a" * 40,
        "dirty": False,
        "device": "x",
        "packages": {"torch": "2", "lpips": "1"},
    }
    assert differences({"environment": now}, now) == []
    then = now | {"commit": "b" * 40, "dirty": True, "device": "y", "packages": {"torch": "1"}}
    told = "; ".join(differences({"environment": then}, now))
    assert "uncommitted changes to commit bbbbbbbbbbbb" in told
    assert "this is commit aaaaaaaaaaaa" in told and "torch 1 (here 2)" in told
    assert "made on y, this is x" in told
    assert (
        "commit aaaaaaaaaaaa with uncommitted"
        in differences({"environment": now}, now | {"dirty": True})[0]
    )
    assert "made by an unknown version, this is commit aaaaaaaaaaaa" in differences({}, now)[0]


def test_ids_are_told_apart(made: Places, capsys: pytest.CaptureFixture[str]) -> None:
    for word, reason in {"ffffffffffff": "no record ffffffffffff", "abc": "at least 4"}.items():
        assert main(["rerun", word, f"--results={made.results}"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and reason in error
