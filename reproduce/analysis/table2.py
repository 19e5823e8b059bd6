"""Table 2 of the MUNIT paper: CIS and IS of four methods on the directions between domains."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.metric import Metric
from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.inception_score import CIS, IS, REACHED
from models.method import DIRECTIONS
from models.zoo import METHODS
from reproduce.analysis.agreement import Agreement, Number, agreement
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.tables import ONE_TRAINING, Cells, Found, Record, published
from reproduce.experiments.preset import TABLE2_METHODS, Preset
from reproduce.records.current import REAL
from reproduce.tasks.specs import TASKS

AVERAGE = "Average"
BY_MODES = (IS, CIS, REACHED)  # what a classifier of modes measures
ByTranslation = Mapping[Any, Found]  # translation (a2b, b2a) -> what was found of it
_OfDirection = Mapping[str, Mapping[str, Record]]  # method -> metric -> record


@dataclass(frozen=True)
class Scores:
    """One method in one direction, or on average: the published numbers and ours, in nats."""

    paper_cis: float | None
    paper_is: float | None
    cis: Estimate | None
    inception: Estimate | None  # IS
    all_modes: Estimate | None  # share of inputs that reach every mode
    confusion: Estimate | None  # of content; None where the pictures do not tell theirs


@dataclass(frozen=True)
class DirectionRow:
    """One direction with all its methods, and what bounds them: real pictures and ln K."""

    title: str
    scores: Mapping[str, Scores]  # by method
    real: Estimate | None  # IS of real pictures of the target domain
    real_confusion: Estimate | None  # of their content: the reader's own errors
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
    seeds: tuple[int, ...] = ()  # of the trainings that numbers are means over; none: of one
    agreements: tuple[Agreement, ...] = ()  # of all CIS and of all IS with the paper's


def table2(preset: Preset, found: ByTranslation, cells: Cells = ONE_TRAINING) -> Table2:
    """Assemble the table from records; what was not measured shows a dash.

    ``cells`` over several seeds, with what to find for them, are ``over_seeds.stored``'s.
    """
    paper = published_table2()
    rows, protocols, every = [], set(), list[_OfDirection]()
    columns: dict[str, list[Number]] = {"CIS": [], "IS": []}
    classifiers, readers = dict[str, str](), dict[str, str]()
    for task in preset.tables[2]:
        for translation in DIRECTIONS:
            of_direction = found.get(translation, {})
            records = {m: of_direction.get((task, m), {}) for m in (*TABLE2_METHODS, REAL)}
            spec = TASKS.get(task)
            title = spec.directions[translation] if spec else f"{task}, {translation}"
            known = [own[m.name] for own in records.values() for m in BY_MODES if m.name in own]
            modes = next((r["protocol"]["modes"] for r in known), None)
            limit = math.log(len(modes)) if modes else None
            rows.append(_row(title, [records], paper, limit, cells))
            every.append(records)
            for method in TABLE2_METHODS:
                printed = paper.get((title, METHODS[method].title))
                for column, metric, at in (("CIS", CIS, 0), ("IS", IS, 1)):
                    if printed and metric.name in records[method]:
                        by_seed = cells.by_seed(records[method][metric.name])
                        columns[column].append(Number(printed[at], by_seed, title))
            for record in known:
                if record["method"] != REAL:
                    protocols.add(str(record["protocol"]["protocol"]))
                about = record["protocol"]
                classifiers[about["domain"]] = f"{about['domain']} {about['accuracy']:.3f}"
            for own in records.values():
                if CONTENT_CONFUSION.name in own:
                    about = own[CONTENT_CONFUSION.name]["protocol"]
                    readers[about["domain"]] = f"{about['domain']}: {_explained(about['r2'])}"
    # Beside the paper's average only where the directions are its.
    same = {row.title for row in rows} == {title for title, _ in paper} - {AVERAGE}
    limits = {row.limit for row in rows}
    limit = limits.pop() if len(limits) == 1 else None
    rows.append(_row(AVERAGE, every, paper if same else {}, limit, cells))
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return Table2(
        preset.title, changes, tuple(rows), ", ".join(sorted(protocols)),
        tuple(classifiers[name] for name in sorted(classifiers)),
        tuple(readers[name] for name in sorted(readers)), cells.seeds,
        tuple(of for of in (agreement(*c) for c in columns.items()) if of is not None),
    )  # fmt: skip


def _row(
    title: str, directions: Sequence[_OfDirection],
    paper: Mapping[tuple[str, str], tuple[float, float]], limit: float | None, cells: Cells,
) -> DirectionRow:  # fmt: skip
    """One direction, or the mean over several of them."""

    def cell(method: str, metric: Metric) -> Estimate | None:
        return cells.cell(*(records[method].get(metric.name) for records in directions))

    scores = {
        method: Scores(
            *paper.get((title, METHODS[method].title), (None, None)),
            *(cell(method, metric) for metric in (CIS, IS, REACHED, CONTENT_CONFUSION)),
        )
        for method in TABLE2_METHODS
    }
    return DirectionRow(title, scores, cell(REAL, IS), cell(REAL, CONTENT_CONFUSION), limit)


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
