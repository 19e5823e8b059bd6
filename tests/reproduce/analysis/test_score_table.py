"""The wider table: every score that was measured, none that does not compare."""

from __future__ import annotations

from typing import Any

import pytest

import benchmarks.metrics.fidelity  # noqa: F401  (declares its metrics)
from benchmarks.metric import METRICS
from reproduce.analysis.estimate import Cells
from reproduce.analysis.table import Tables
from reproduce.analysis.tables import SHOWN, score_table
from reproduce.experiments.preset import load_preset
from reproduce.records.current import is_of

FID = "fid-small-resnet-2"


def record(method: str, metric: str, value: float, time: str = "2026-01-01") -> dict[str, Any]:
    about = METRICS[metric]
    return {
        "task": "drawn-shoes", "method": method, "seed": 0, "metric": metric, "value": value,
        "unit": about.unit, "direction": about.direction, "protocol": {"sha256": "a"},
        "interval": {"low": value - 1, "high": value + 1}, "time": time,
    }  # fmt: skip


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return [
        record("unit", FID, 12.345), record("unit", "parts-auc", 0.777),
        record("munit", FID, 6.0, "2026-01-02"), record("real", FID, 1.0),
    ]  # fmt: skip


def made(records: list[dict[str, Any]]) -> Tables:
    return score_table(load_preset("cpu"), Cells(records, [0]))


def test_columns_are_those_that_were_measured_and_told(records) -> None:
    (table,) = made(records).parts  # the other task has no scores
    assert [table.head, *(line for line in table.lines if line[1] != "—")] == [
        ["Method", "FID ↓", "Parts AUC ↑"], ["UNIT", "12.3", "0.78"], ["MUNIT", "6.0", "—"],
        ["Real data", "1.0", "—"],
    ]  # fmt: skip
    text = made(records).markdown()
    assert f"\n- **FID**: {METRICS[FID].protocol}" in text and METRICS["parts-auc"].protocol in text
    assert "style-consistency" not in text
    assert not made([]).parts


def test_numbers_of_another_extractor_are_left_out(records) -> None:
    records[2]["protocol"] = {"sha256": "b"}  # the newest
    (table,) = made(records).parts
    fids = {line[0]: line[1] for line in table.lines}
    assert (fids["MUNIT"], fids["UNIT"]) == ("6.0", "—")


def test_every_column_is_a_declared_metric() -> None:
    for name in SHOWN:
        assert [m for m in METRICS if is_of(m, name)], name
