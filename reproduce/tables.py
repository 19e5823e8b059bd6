"""The papers' tables, row by row, assembled from records: the published column beside ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from models.zoo import METHODS
from reproduce.experiments import TABLE1_METHODS, Preset
from reproduce.places import REAL
from reproduce.tasks.registry import TASKS

CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = "munit"  # what Quality is a preference over
Found = Mapping[tuple[str, str], dict[str, dict[str, Any]]]  # (task, method) -> metric -> record


@dataclass(frozen=True)
class Cell:
    """One number of ours with its interval."""

    value: float
    low: float
    high: float

    @property
    def half(self) -> float:
        return max(self.high - self.value, self.value - self.low)


@dataclass(frozen=True)
class Quality:
    """Share of questions in which a method was preferred to MUNIT, in percent, and by whom."""

    cell: Cell
    source: str  # human or judged


@dataclass(frozen=True)
class Row:
    """One method on one task."""

    task: str
    method: str
    title: str
    paper_quality: float | None
    paper_diversity: float | None
    diversity: Cell | None
    quality: Quality | None
    silhouette: Cell | None
    protocol: str  # of the diversity


@dataclass(frozen=True)
class Table1:
    """Table 1 of the MUNIT paper at a preset's scale."""

    preset: str
    changes: str  # what was overridden, in words
    tasks: tuple[str, ...]
    rows: tuple[Row, ...]
    extractor: str
    protocol: str


def published_table1() -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """(task, row title) -> quality in percent, diversity; None where the paper prints none."""

    def number(text: str) -> float | None:
        return float(text) if text else None

    text = published("table1_quality_diversity.csv")
    return {
        (r["task"], r["method"]): (
            number(r["quality_percent_preferred_over_munit"]),
            number(r["lpips_diversity"]),
        )
        for r in csv.DictReader(io.StringIO(text))
    }


def published(name: str) -> str:
    """A file of ``results/paper``, which an installed wheel holds as ``reproduce/paper``."""
    packaged = files("reproduce") / "paper" / name
    file = packaged if packaged.is_file() else CHECKOUT / "results" / "paper" / name
    return file.read_text(encoding="utf-8")


def table1(preset: Preset, found: Found) -> Table1:
    """Assemble the table from records. A row without a record shows a dash, and so does one
    that was measured in another way than the newest: a column holds one quantity."""
    published = published_table1()
    tasks = tuple(preset.tables[1])
    measured = [
        record
        for (task, method), records in found.items()
        for metric, record in records.items()
        if metric.startswith("diversity") and task in tasks and method != REAL
    ]
    newest = max(measured, key=lambda r: r.get("time", ""))["protocol"] if measured else {}
    extractor, protocol = newest.get("extractor", ""), newest.get("protocol", "")
    rows = []
    for task in tasks:
        counterpart = TASKS[task].stands_for if task in TASKS else task
        for method in (*TABLE1_METHODS, REAL):
            title = "Real data" if method == REAL else METHODS[method].title
            quality, paper = published.get((counterpart, title), (None, None))
            records = found.get((task, method), {})
            diversity = records.get(f"diversity-{extractor}")
            if diversity and method != REAL and diversity["protocol"]["protocol"] != protocol:
                diversity = None
            rows.append(
                Row(task, method, title, quality, paper, cell_of(diversity), _quality(records),
                    cell_of(records.get("silhouette-iou")),
                    diversity["protocol"]["protocol"] if diversity else "")
            )  # fmt: skip
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return Table1(preset.title, changes, tasks, tuple(rows), extractor, protocol)


def cell_of(record: dict[str, Any] | None) -> Cell | None:
    if record is None:
        return None
    interval = record["interval"]
    return Cell(record["value"], interval["low"], interval["high"])


def _quality(records: Mapping[str, dict[str, Any]]) -> Quality | None:
    """People's preference where a study was taken in, else the judges'."""
    for source in ("human", "judged"):
        cell = cell_of(records.get(f"quality-{source}"))
        if cell is not None:
            return Quality(cell, source)
    return None
