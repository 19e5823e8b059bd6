"""The wider table: every score that was measured, none that does not compare."""

from __future__ import annotations

from typing import Any

import pytest
from found import cells_of
from reading import csv_rows

import benchmarks.metrics.fidelity  # noqa: F401  (declares its metrics)
from benchmarks.metric import METRICS
from reproduce.analysis.tables import SHOWN, score_table
from reproduce.experiments.preset import load_preset
from reproduce.records.current import is_of

TASK = "drawn-shoes"
FID = "fid-small-resnet-2"


def record(metric: str, value: float, sha: str = "a", time: str = "2026-01-01") -> dict[str, Any]:
    about = METRICS[metric]
    return {
        "metric": metric, "value": value, "unit": about.unit, "direction": about.direction,
        "interval": {"low": value - 1, "high": value + 1}, "protocol": {"sha256": sha},
        "time": time,
    }  # fmt: skip


@pytest.fixture
def found() -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    return {
        (TASK, "unit"): {FID: record(FID, 12.345), "parts-auc": record("parts-auc", 0.777)},
        (TASK, "munit"): {FID: record(FID, 6.0, time="2026-01-02")},
        (TASK, "real"): {FID: record(FID, 1.0)},
    }


def cells(found: dict[Any, Any], title: str) -> list[str]:
    (table,) = score_table(load_preset("cpu"), cells_of(found)).parts
    (line,) = (line for line in (table.head, *table.lines) if line[0] == title)
    return line


def test_columns_are_those_that_were_measured(found) -> None:
    assert cells(found, "Method") == ["Method", "FID ↓", "Parts AUC ↑"]
    assert cells(found, "UNIT") == ["UNIT", "12.3", "0.78"]
    assert cells(found, "MUNIT") == ["MUNIT", "6.0", "—"]
    assert cells(found, "Real data") == ["Real data", "1.0", "—"]


def test_numbers_of_another_extractor_are_left_out(found) -> None:
    found[TASK, "munit"][FID]["protocol"]["sha256"] = "b"  # the newest
    assert (cells(found, "MUNIT")[1], cells(found, "UNIT")[1]) == ("6.0", "—")


def test_csv_has_every_digit(found) -> None:
    lines = csv_rows(score_table(load_preset("cpu"), cells_of(found)).csv())
    assert [(r["row"], r["metric"], float(r["value"])) for r in lines] == [
        ("UNIT", FID, 12.345), ("UNIT", "parts-auc", 0.777), ("MUNIT", FID, 6.0),
        ("Real data", FID, 1.0),
    ]  # fmt: skip
    assert float(lines[0]["low"]) == pytest.approx(11.345)


def test_it_says_what_columns_mean_and_nothing_makes_no_table(found) -> None:
    text = score_table(load_preset("cpu"), cells_of(found)).markdown()
    assert text.count("### ") == 1  # the other task has no scores
    assert f"\n- **FID**: {METRICS[FID].protocol}" in text and METRICS["parts-auc"].protocol in text
    assert "style-consistency" not in text
    assert not score_table(load_preset("cpu"), cells_of({})).parts


def test_every_column_is_a_declared_metric() -> None:
    for name in SHOWN:
        assert [m for m in METRICS if is_of(m, name)], name
