"""Judged preference of tiny trained runs: records, a panel trained once, refusals."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny

from benchmarks.judge_network import JudgeConfig, load_judge
from benchmarks.judges import Verdict
from models.errors import UserError
from reproduce.experiments import load_preset
from reproduce.loop import Logging
from reproduce.pipeline import checkpoint_of
from reproduce.places import Places, open_run_task
from reproduce.quality import examine_judges, measure_quality, write_evidence
from reproduce.results import Records, sha256_file
from reproduce.runs import RunConfig
from reproduce.training import train

PRESET = load_preset("quick")
CONFIG = JudgeConfig(judges=2, steps=4, batch=4, width=4)
METHODS = ("munit", "munit-wo-s", "cyclegan")


def run_of(method: str, task: str = "drawn-shoes") -> RunConfig:
    settings = dict(pair.split("=") for pair in tiny.SETTINGS[method.split("-")[0]].split())
    sizes = {"steps": "2", "batch": "2"} | (
        {"train": "16", "test": "8"} if task == "drawn-shoes" else {}
    )
    return PRESET.make_run(method, task, 0, settings | sizes)


@pytest.fixture(scope="module")
def trained_places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    root = tmp_path_factory.mktemp("quality")
    places = Places(root / "data", root / "runs", root / "results", progress=False)
    for method in METHODS:
        finished(places, run_of(method))
    return places


def finished(places: Places, run: RunConfig) -> None:
    folder = checkpoint_of(PRESET, run, places).parent
    train(run, folder, data_dir=places.data, logging=Logging(progress=False))


@pytest.fixture
def places(trained_places: Places, tmp_path: Path) -> Places:
    """The same runs, and a results folder of one's own."""
    runs = shutil.copytree(trained_places.runs, tmp_path / "runs")
    return replace(trained_places, runs=runs, results=tmp_path / "results")


def judge_files(places: Places) -> list[Path]:
    return sorted(places.runs.glob("quick/drawn-shoes/judges-*/judge-*.safetensors"))


def test_every_method_is_judged_by_one_panel_that_is_trained_once(places: Places) -> None:
    runs = [run_of(method) for method in METHODS]
    found = measure_quality(PRESET, runs, places, CONFIG)
    assert list(found) == list(METHODS)
    files = judge_files(places)
    assert len(files) == 2
    sha = [load_judge(path).sha256 for path in files]
    for method, record in found.items():
        assert record["metric"] == "quality-judged"
        assert record["method"] == method
        assert (
            0 <= record["interval"]["low"] <= record["value"] <= record["interval"]["high"] <= 100
        )
        said = record["protocol"]
        assert said["sha256"] == sha
        assert said["sees_inputs"] is True
        assert said["pooled"] == sorted(METHODS)
        assert (said["questions"], said["inputs"], said["judges"]) == (500, 8, 2)
        checkpoint = checkpoint_of(PRESET, run_of(method), places)
        assert record["checkpoint_sha256"] == sha256_file(checkpoint)
        raw = places.results / record["raw"]
        assert sha256_file(raw) == record["raw_sha256"]
        assert 100 * Verdict.load(raw).votes.mean() == pytest.approx(record["value"])
    reference = sha256_file(checkpoint_of(PRESET, run_of("munit"), places))
    assert found["cyclegan"]["protocol"]["reference_sha256"] == reference
    # Two different samples of the reference: no picture is set against itself.
    control = Verdict.load(places.results / found["munit"]["raw"])
    assert (control.logits[0] != control.logits[1]).all()
    assert found["munit"]["protocol"]["ties"] == 0

    before = [path.stat().st_mtime_ns for path in files]
    assert measure_quality(PRESET, runs, places, CONFIG) == found
    assert len(Records(places.results, "quick").all()) == len(METHODS)

    # Lost records are judged again by the same panel, to the same votes.
    shutil.rmtree(places.results)
    again = measure_quality(PRESET, runs, places, CONFIG)
    assert [path.stat().st_mtime_ns for path in judge_files(places)] == before
    for method in METHODS:
        assert again[method]["value"] == found[method]["value"]
        assert again[method]["raw_sha256"] == found[method]["raw_sha256"]


def test_another_recipe_or_other_weights_are_another_panel(places: Places) -> None:
    runs = [run_of(method) for method in METHODS[:2]]
    panel = measure_quality(PRESET, runs, places, CONFIG)["munit"]["protocol"]["panel"]
    other = replace(CONFIG, steps=5)
    assert measure_quality(PRESET, runs, places, other)["munit"]["protocol"]["panel"] != panel
    more = [run_of(method) for method in METHODS]
    assert measure_quality(PRESET, more, places, CONFIG)["munit"]["protocol"]["panel"] != panel
    assert len(judge_files(places)) == 6
    assert len(Records(places.results, "quick").all()) == 2 + 2 + 3


def test_judges_learn_from_other_inputs_than_they_are_asked_about(places: Places) -> None:
    domains = open_run_task(run_of("munit"), places)
    assert domains.pairs is not None
    asked = {domains.test_a.read(i).tobytes() for i in range(len(domains.test_a))}
    learned = {domains.pairs[0].read(i).tobytes() for i in range(len(domains.pairs[0]))}
    assert not asked & learned


def test_judges_of_a_task_without_pairs_see_pictures_alone(tmp_path: Path) -> None:
    folder = tiny.data_set(tmp_path / "bags", count=6)
    places = Places(tmp_path / "data", tmp_path / "runs", tmp_path / "results", progress=False)
    task = str(folder)
    runs = [replace(run_of(method, "drawn-shoes"), task=task) for method in ("munit", "cyclegan")]
    for run in runs:
        finished(places, run)
    found = measure_quality(PRESET, runs, places, CONFIG)
    assert found["cyclegan"]["protocol"]["sees_inputs"] is False


def test_evidence_is_found_from_the_runs(places: Places) -> None:
    runs = [run_of(method) for method in METHODS]
    findings = examine_judges(PRESET, runs, places, CONFIG)
    shown = [finding.shown for finding in findings]
    assert "real of another input" in shown
    assert all(finding.found.n_questions == 8 for finding in findings)
    assert len(judge_files(places)) == 2
    path = places.results / "judges.md"
    write_evidence(PRESET, runs, places, path, CONFIG)
    text = path.read_text()
    assert text.count("\n| real ") == len([name for name in shown if name.startswith("real")])
    # Such judges cannot judge, and the file says so.
    assert "real against reference" in text.split("contradicts")[1]
    path.write_text(text + "kept")
    write_evidence(PRESET, runs, places, path, CONFIG)
    assert path.read_text() == text + "kept", "the same judges were examined again"
    write_evidence(PRESET, runs, places, path, replace(CONFIG, steps=5))
    assert not path.read_text().endswith("kept")


def test_what_cannot_be_judged_is_refused(places: Places) -> None:
    with pytest.raises(UserError, match="preference over munit"):
        measure_quality(PRESET, [run_of("cyclegan")], places, CONFIG)
    longer = [replace(run_of(method), steps=9) for method in METHODS]
    with pytest.raises(UserError, match="at step 2 of 9"):
        measure_quality(PRESET, longer, places, CONFIG)
    measure_quality(PRESET, [run_of("munit")], places, CONFIG)
    judge = judge_files(places)[0]
    judge.write_bytes(b"{}")
    shutil.rmtree(places.results)
    with pytest.raises(UserError, match="trained again"):
        measure_quality(PRESET, [run_of("munit")], places, CONFIG)


def test_records_hold_plain_json(places: Places) -> None:
    found = measure_quality(PRESET, [run_of("munit")], places, CONFIG)["munit"]
    assert json.loads(json.dumps(found)) == found
    assert np.isfinite(found["value"])
