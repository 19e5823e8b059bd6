"""The papers' tables, row by row, assembled from records: the published column beside ours."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.zoo import METHODS
from reproduce.analysis.agreement import Agreement, Number, agreement
from reproduce.analysis.estimate import Estimate
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import QUALITY, REAL, REFERENCE
from reproduce.tasks.specs import TASKS

CHECKOUT = Path(__file__).resolve().parents[2]
Record = Mapping[str, Any]
Found = Mapping[tuple[str, str], Mapping[str, Record]]  # (task, method) -> metric -> record


class Cells(Protocol):
    """What makes a table's cells of records."""

    seeds: tuple[int, ...]  # of the trainings that cells are means over; none: of one training

    def cell(self, *records: Record | None) -> Estimate | None:
        """The mean of what these records are about; None where one of them is None."""

    def by_seed(self, *records: Record) -> dict[int, float]:
        """The same at each seed."""


class _OneTraining:
    """Records as they are."""

    seeds: tuple[int, ...] = ()

    def cell(self, *records: Record | None) -> Estimate | None:
        cells = [_cell_of(record) for record in records if record is not None]
        if not cells or len(cells) < len(records):
            return None
        return cells[0] if len(cells) == 1 else _mean(cells)

    def by_seed(self, *records: Record) -> dict[int, float]:
        return {int(records[0]["seed"]): float(np.mean([r["value"] for r in records]))}


ONE_TRAINING: Cells = _OneTraining()


def _cell_of(record: Record) -> Estimate:
    interval = record["interval"]
    return Estimate(record["value"], *((interval["low"], interval["high"]) if interval else ()))


def _mean(cells: Sequence[Estimate]) -> Estimate:
    """Inputs of different tasks are independent, so variances add up."""
    value = float(np.mean([cell.value for cell in cells]))
    below, above = (
        math.sqrt(sum(d * d for d in halves)) / len(cells)
        for halves in ([c.value - c.low for c in cells], [c.high - c.value for c in cells])
    )
    return Estimate(value, value - below, value + above)


@dataclass(frozen=True)
class Quality:
    """Share of questions in which a method was preferred to MUNIT, in percent, and by whom."""

    cell: Estimate
    source: str  # human, observed or judged


@dataclass(frozen=True)
class Row:
    """One method on one task."""

    task: str
    method: str
    title: str
    paper_quality: float | None
    paper_diversity: float | None
    diversity: Estimate | None
    quality: Quality | None
    silhouette: Estimate | None
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
    seeds: tuple[int, ...] = ()  # of the trainings that numbers are means over; none: of one
    agreements: Mapping[str, tuple[Agreement, ...]] = field(default_factory=dict)  # by task


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


def table1(preset: Preset, found: Found, cells: Cells = ONE_TRAINING) -> Table1:
    """Assemble the table from records. A row without a record shows a dash, and so does one
    that was measured in another way than the newest: a column holds one quantity.

    ``cells`` over several seeds, with what to find for them, are ``over_seeds.stored``'s.
    """
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
    rows, agreements = [], {}
    for task in tasks:
        diversities, qualities = list[Number](), list[Number]()
        sources = {m for method in TABLE1_METHODS for m in found.get((task, method), {})}
        asked = next((metric for metric in QUALITY if metric in sources), "")
        counterpart = TASKS[task].stands_for if task in TASKS else task
        for method in (*TABLE1_METHODS, REAL):
            title = "Real data" if method == REAL else METHODS[method].title
            quality, paper = published.get((counterpart, title), (None, None))
            records = found.get((task, method), {})
            diversity = records.get(f"diversity-{extractor}")
            if diversity and method != REAL and diversity["protocol"]["protocol"] != protocol:
                diversity = None
            judged = _quality(records, cells)
            if diversity and paper is not None:
                diversities.append(Number(paper, cells.by_seed(diversity)))
            if judged and quality is not None and asked in records and method != REFERENCE:
                qualities.append(Number(quality, cells.by_seed(records[asked])))
            rows.append(
                Row(task, method, title, quality, paper, cells.cell(diversity),
                    judged, cells.cell(records.get("silhouette-iou")),
                    diversity["protocol"]["protocol"] if diversity else "")
            )  # fmt: skip
        if qualities:  # to itself the reference is preferred as often as not
            every = {seed for number in qualities for seed in number.ours}
            qualities.append(Number(50.0, dict.fromkeys(every, 50.0)))
        of_columns = agreement("Diversity", diversities), agreement("Quality", qualities)
        agreements[task] = tuple(of for of in of_columns if of is not None)
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return Table1(
        preset.title, changes, tasks, tuple(rows), extractor, protocol, cells.seeds, agreements
    )


def _quality(records: Mapping[str, Record], cells: Cells) -> Quality | None:
    """People's preference where a study was taken in, else the observer's, else the judges'."""
    for metric in QUALITY:
        cell = cells.cell(records.get(metric))
        if cell is not None:
            return Quality(cell, metric.removeprefix("quality-"))
    return None
