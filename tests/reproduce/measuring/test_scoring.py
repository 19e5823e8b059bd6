"""All that a table's methods are measured by, on tiny finished runs: what is measured, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from stored_judges import store_classifier

import reproduce.measuring.exact
from benchmarks.networks import extractors
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.kind import Found
from reproduce.measuring.kinds import measure_runs, scores
from reproduce.measuring.subject import Pictures, open_pictures
from reproduce.records.store import REAL, Records
from reproduce.training.loop import Logging
from reproduce.training.session import train
from reproduce.training.trained import checkpoint_of

QUICK = load_preset("quick")
METHODS = ("munit", "cyclegan")


def scored(scores: str) -> Preset:
    measure = replace(QUICK.measure, scores=scores, inputs=4, samples=4)
    return replace(QUICK, measure=measure)


@pytest.fixture(scope="module")
def runs() -> list[RunConfig]:
    sizes = {"steps": "1", "batch": "2", "train": "100", "test": "10"}
    settings = {m: dict(p.split("=") for p in tiny.SETTINGS[m].split()) for m in METHODS}
    return [QUICK.make_run(m, "drawn-shoes", 0, settings[m] | sizes) for m in METHODS]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, runs: list[RunConfig]) -> Places:
    """Finished runs and a classifier, which is untrained and says otherwise."""
    root = tmp_path_factory.mktemp("scoring")
    places = Places(root / "data", root / "runs", root / "results", progress=False)
    for run in runs:
        folder = checkpoint_of(QUICK, run, places).parent
        train(run, folder, data_dir=places.data, logging=Logging(progress=False))
    store_classifier(open_pictures(runs[0], places), places)
    return places


def measure_task(preset: Preset, runs: list[RunConfig], places: Places) -> dict[str, Found]:
    """As the graph's jobs do one by one."""
    names = scores(runs[0].task) if preset.measure.scores == "all" else ["diversity"]
    return measure_runs([*names, *preset.measure.preferring(runs[0])], preset, runs, places)


def metrics(found: dict[str, dict[str, object]], method: str) -> set[str]:
    return set(found[method])


def test_without_scores_there_is_diversity_and_shape_alone(
    runs: list[RunConfig], places: Places, tmp_path: Path
) -> None:
    found = measure_task(scored("none"), runs, replace(places, results=tmp_path))
    assert set(found) == {*METHODS, REAL}
    assert metrics(found, "munit") == {"diversity-lpips", "silhouette-iou"}
    assert metrics(found, REAL) == {"diversity-lpips"}


def test_quality_of_drawn_pictures_is_asked_of_who_knows_the_truth(
    runs: list[RunConfig], places: Places, tmp_path: Path
) -> None:
    found = measure_task(scored("quality"), runs, replace(places, results=tmp_path))
    observed = {"diversity-lpips", "truth-distance", "quality-observed"}
    for method in METHODS:
        assert metrics(found, method) == observed | {"silhouette-iou"}
    assert metrics(found, REAL) == observed


def test_all_scores_are_measured_once_and_then_only_read(
    runs: list[RunConfig], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = replace(places, results=tmp_path)
    found = measure_task(scored("all"), runs, places)
    wide = {"fid-small-resnet-2", "recall-small-resnet-2", "category-kept", "colour-distance",
            "quality-observed", "quality-judged"}  # fmt: skip
    for method in (*METHODS, REAL):
        assert metrics(found, method) >= wide | {"silhouette-iou"}, method
    assert "style-consistency" in found["munit"]
    records = Records(tmp_path, QUICK.name).all()
    assert {r["method"] for r in records} == {*METHODS, REAL}

    def never(*arguments: object) -> None:
        raise AssertionError("photos were looked at though everything is on record")

    monkeypatch.setattr(extractors, "extract", never)
    monkeypatch.setattr(reproduce.measuring.exact, "examine", never)
    monkeypatch.setattr(Pictures, "silhouettes", never)
    assert measure_task(scored("all"), runs, places) == found
    assert Records(tmp_path, QUICK.name).all() == records
