"""Table 2 of the MUNIT paper: CIS and IS of four methods on the directions between domains."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.content_confusion import CONTENT_CONFUSION
from benchmarks.inception_score import CIS, IS, REACHED
from models.method import DIRECTIONS
from models.zoo import METHODS
from reproduce.experiments import TABLE2_METHODS, Preset
from reproduce.places import REAL
from reproduce.tables import Cell, cell_of, published
from reproduce.tasks.registry import TASKS

AVERAGE = "Average"
BY_MODES = (IS, CIS, REACHED)  # what a classifier of modes measures
# translation (a2b, b2a) -> (task, method) -> metric -> record
ByTranslation = Mapping[str, Mapping[tuple[str, str], Mapping[str, dict[str, Any]]]]


@dataclass(frozen=True)
class Scores:
    """One method in one direction, or on average: the published numbers and ours, in nats."""

    paper_cis: float | None
    paper_is: float | None
    cis: Cell | None
    inception: Cell | None  # IS
    all_modes: Cell | None  # share of inputs that reach every mode
    confusion: Cell | None  # of content; None where the pictures do not tell theirs


@dataclass(frozen=True)
class DirectionRow:
    """One direction with all its methods, and what bounds them: real pictures and ln K."""

    title: str
    scores: Mapping[str, Scores]  # by method
    real: Cell | None  # IS of real pictures of the target domain
    real_confusion: Cell | None  # of their content: the reader's own errors
    limit: float | None  # ln K


@dataclass(frozen=True)
class Table2:
    """Table 2 at a preset's scale; the last row is the average."""

    preset: str
    changes: str  # what was overridden, in words
    rows: tuple[DirectionRow, ...]
    protocol: str
    classifiers: tuple[str, ...]  # title of a domain, accuracy on held-out pictures
    readers: tuple[str, ...]  # title of a domain, by factor the share of variance explained


def table2(preset: Preset, found: ByTranslation) -> Table2:
    """Assemble the table from records; what was not measured shows a dash."""
    paper = published_table2()
    rows, protocols = [], set()
    classifiers, readers = dict[str, str](), dict[str, str]()
    for task in preset.tables[2]:
        for translation in DIRECTIONS:
            of_direction = found.get(translation, {})
            records = {m: of_direction.get((task, m), {}) for m in (*TABLE2_METHODS, REAL)}
            spec = TASKS.get(task)
            title = spec.directions[translation] if spec else f"{task}, {translation}"
            scores = {}
            for method in TABLE2_METHODS:
                cis, inception = paper.get((title, METHODS[method].title), (None, None))
                own = records[method]
                scores[method] = Scores(
                    cis, inception, cell_of(own.get(CIS.name)), cell_of(own.get(IS.name)),
                    cell_of(own.get(REACHED.name)), cell_of(own.get(CONTENT_CONFUSION.name)),
                )  # fmt: skip
            known = [own[m.name] for own in records.values() for m in BY_MODES if m.name in own]
            modes = next((r["protocol"]["modes"] for r in known), None)
            rows.append(
                DirectionRow(
                    title, scores, cell_of(records[REAL].get(IS.name)),
                    cell_of(records[REAL].get(CONTENT_CONFUSION.name)),
                    math.log(len(modes)) if modes else None,
                )
            )  # fmt: skip
            for record in known:
                if record["method"] != REAL:
                    protocols.add(str(record["protocol"]["protocol"]))
                about = record["protocol"]
                classifiers[about["domain"]] = f"{about['domain']} {about['accuracy']:.3f}"
            for own in records.values():
                if CONTENT_CONFUSION.name in own:
                    about = own[CONTENT_CONFUSION.name]["protocol"]
                    readers[about["domain"]] = f"{about['domain']}: {_explained(about['r2'])}"
    rows.append(_average(rows, paper))
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return Table2(
        preset.title, changes, tuple(rows), ", ".join(sorted(protocols)),
        tuple(classifiers[name] for name in sorted(classifiers)),
        tuple(readers[name] for name in sorted(readers)),
    )  # fmt: skip


def _explained(r2: Mapping[str, float]) -> str:
    """R^2 by factor, in words."""
    return ", ".join(f"{factor} {value:.2f}" for factor, value in r2.items())


def published_table2() -> dict[tuple[str, str], tuple[float, float]]:
    """(direction, method's title) -> CIS, IS in nats."""
    rows = csv.DictReader(io.StringIO(published("table2_cis_is.csv")))
    return {
        (row["direction"], row["method"]): (float(row["cis_nats"]), float(row["is_nats"]))
        for row in rows
    }


def _average(
    rows: list[DirectionRow], paper: Mapping[tuple[str, str], tuple[float, float]]
) -> DirectionRow:
    """The mean over directions. Beside the paper's average only where the directions are its."""
    same = {row.title for row in rows} == {title for title, _ in paper} - {AVERAGE}
    scores = {}
    for method in TABLE2_METHODS:
        key = AVERAGE, METHODS[method].title
        paper_cis, paper_is = paper[key] if same else (None, None)
        of = [row.scores[method] for row in rows]
        scores[method] = Scores(
            paper_cis, paper_is,
            _mean([s.cis for s in of]), _mean([s.inception for s in of]),
            _mean([s.all_modes for s in of]), _mean([s.confusion for s in of]),
        )  # fmt: skip
    limits = {row.limit for row in rows}
    return DirectionRow(
        AVERAGE,
        scores,
        _mean([row.real for row in rows]),
        _mean([row.real_confusion for row in rows]),
        limits.pop() if len(limits) == 1 else None,
    )


def _mean(cells: list[Cell | None]) -> Cell | None:
    """Of all directions or of none. Their inputs are independent, so variances add up."""
    known = [cell for cell in cells if cell is not None]
    if not known or len(known) < len(cells):
        return None
    value = float(np.mean([cell.value for cell in known]))
    below, above = (
        math.sqrt(sum(d * d for d in halves)) / len(known)
        for halves in ([c.value - c.low for c in known], [c.high - c.value for c in known])
    )
    return Cell(value, value - below, value + above)
