"""The wider table: every score that was measured, none that does not compare."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

import benchmarks.metrics.fidelity  # noqa: F401  (declares its metrics)
from benchmarks.metric import METRICS
from reproduce.analysis.score_table import (
    COLUMNS,
    wide_csv,
    wide_markdown,
    wide_table,
    write_scores,
)
from reproduce.experiments.preset import load_preset

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


def cells(text: str, title: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_columns_are_those_that_were_measured(found) -> None:
    text = wide_markdown(found, TASK)
    assert cells(text, "Method") == ["Method", "FID ↓", "Parts AUC ↑"]
    assert cells(text, "UNIT") == ["UNIT", "12.3", "0.78"]
    assert cells(text, "MUNIT") == ["MUNIT", "6.0", "—"]
    assert cells(text, "Real data") == ["Real data", "1.0", "—"]
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 1 + 9


def test_numbers_of_another_extractor_are_left_out(found) -> None:
    found[TASK, "munit"][FID]["protocol"]["sha256"] = "b"  # the newest
    text = wide_markdown(found, TASK)
    assert (cells(text, "MUNIT")[1], cells(text, "UNIT")[1]) == ("6.0", "—")


def test_csv_has_every_digit(found) -> None:
    lines = list(csv.DictReader(io.StringIO(wide_csv(found, (TASK,)))))
    assert [(r["row"], r["metric"], float(r["value"])) for r in lines] == [
        ("UNIT", FID, 12.345), ("UNIT", "parts-auc", 0.777), ("MUNIT", FID, 6.0),
        ("Real data", FID, 1.0),
    ]  # fmt: skip
    assert float(lines[0]["low"]) == pytest.approx(11.345)


def test_files_say_what_columns_mean_and_nothing_makes_no_file(found, tmp_path: Path) -> None:
    preset = load_preset("cpu")
    text = wide_table(preset, found)
    assert text.count("### ") == 1  # the other task has no scores
    assert METRICS[FID].protocol in text and METRICS["parts-auc"].protocol in text
    assert "style-consistency" not in text
    paths = write_scores(preset, found, tmp_path)
    assert [path.name for path in paths] == ["table1-scores.md", "table1-scores.csv"]
    assert paths[0].read_text() == text
    assert write_scores(preset, {}, tmp_path / "none") == []


def test_every_column_is_a_declared_metric() -> None:
    for column in COLUMNS:
        known = [m for m in METRICS if m == column.metric or m.startswith(column.metric)]
        assert known, column
