"""All that a table's methods are measured by, on tiny finished runs: what is measured, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rerun_records import preset, runs

import reproduce.measuring.exact
from benchmarks.networks import extractors
from reproduce.experiments.places import Places
from reproduce.measuring.kind import Found
from reproduce.measuring.kinds import measure_runs, scores
from reproduce.measuring.subject import Pictures
from reproduce.records.store import REAL, Records

METHODS = ("munit", "cyclegan")


def measured(kinds: str, places: Places) -> dict[str, Found]:
    """As the graph's jobs do one by one."""
    scored = replace(preset(), measure=replace(preset().measure, scores=kinds))
    names = scores("drawn-shoes") if kinds == "all" else ["diversity"]
    names = [*names, *scored.measure.preferring(runs()[0])]
    return measure_runs(names, scored, runs(), places)


def test_without_scores_there_is_diversity_and_shape_alone(anew: Places) -> None:
    found = measured("none", anew)
    assert set(found) == {*METHODS, REAL}
    assert set(found["munit"]) == {"diversity-lpips", "silhouette-iou"}
    assert set(found[REAL]) == {"diversity-lpips"}


def test_quality_of_drawn_pictures_is_asked_of_who_knows_the_truth(anew: Places) -> None:
    found = measured("quality", anew)
    observed = {"diversity-lpips", "truth-distance", "quality-observed"}
    for method in METHODS:
        assert set(found[method]) == observed | {"silhouette-iou"}
    assert set(found[REAL]) == observed


def test_all_scores_are_measured_once_and_then_only_read(
    anew: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = measured("all", anew)
    wide = {"fid-small-resnet-2", "recall-small-resnet-2", "category-kept", "colour-distance",
            "quality-observed", "quality-judged", "silhouette-iou"}  # fmt: skip
    for method in (*METHODS, REAL):
        assert set(found[method]) >= wide, method
    assert "style-consistency" in found["munit"]
    records = Records(anew.results, preset().name).all()
    assert {r["method"] for r in records} == {*METHODS, REAL}

    def never(*arguments: object) -> None:
        raise AssertionError("photos were looked at though everything is on record")

    monkeypatch.setattr(extractors, "extract", never)
    monkeypatch.setattr(reproduce.measuring.exact, "examine", never)
    monkeypatch.setattr(Pictures, "silhouettes", never)
    assert measured("all", anew) == found
    assert Records(anew.results, preset().name).all() == records
