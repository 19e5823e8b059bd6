"""The wider table beside Table 1: fidelity, and on drawn pictures the exact scores."""

from __future__ import annotations

from scipy import stats

import benchmarks.metrics.fidelity  # noqa: F401  declares the metrics that are shown
from benchmarks.metric import METRICS
from benchmarks.metrics.ground_truth import CATEGORY, PARTS, SILHOUETTE
from benchmarks.metrics.observer import (
    PHOTO_DISTANCE,
    QUALITY_JUDGED,
    QUALITY_OBSERVED,
    TRUTH_DISTANCE,
)
from benchmarks.metrics.style_scores import (
    COLOUR_DISTANCE,
    COLOUR_ENTROPY,
    CONSISTENCY,
    PATTERN_DISTANCE,
    PATTERN_ENTROPY,
)
from reproduce.analysis.agreement import FEWEST
from reproduce.analysis.cells import Cells
from reproduce.analysis.table import ALONE, HALF, Column, Row, Table, Tables, spread
from reproduce.analysis.tables import heading, title_of, trainings
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import Quantity
from reproduce.records.store import REAL, REFERENCE

# Column by column: metrics, or families of them, whose names end in the extractor's.
SHOWN = (
    "fid", "kid", "precision", "recall",
    *(metric.name for metric in (
        TRUTH_DISTANCE, PHOTO_DISTANCE, QUALITY_OBSERVED, QUALITY_JUDGED, SILHOUETTE, CATEGORY,
        PARTS, COLOUR_DISTANCE, COLOUR_ENTROPY, PATTERN_DISTANCE, PATTERN_ENTROPY, CONSISTENCY,
    )),
)  # fmt: skip
NAMES = ("task", "row", "metric", "unit", "direction", "value", "low", "high")


def _rows(task: str, cells: Cells) -> tuple[str, ...]:
    """The methods, what was not trained here, real data."""
    return (*TABLE1_METHODS, *cells.submissions([task]), REAL)


def score_table(preset: Preset, cells: Cells) -> Tables:
    """All tasks of Table 1, with what the columns mean; no tables where nothing but one score was
    measured. Intervals are those over several trainings; the CSV has all, one line a number."""
    tasks = preset.tables[1]
    parts = tuple(t for task in tasks if len((t := _table(task, cells)).columns) > 2)
    found = {
        (task, method, name): record
        for task in tasks for method in _rows(task, cells) for name in SHOWN
        if (record := cells.record(Quantity(name, method, task)))
    }  # fmt: skip
    shown = {name: record["metric"] for (*_, name), record in found.items()}
    about = (METRICS[shown[name]] for name in SHOWN if name in shown)
    points = tuple(f"**{m.words}**: {m.protocol} ({m.unit})" for m in about)
    notes = (f"Values are {trainings(cells.trainings)}",) if cells.trainings else ()
    data = tuple(
        {
            "task": task, "row": title_of(method),
            **{key: record[key] for key in ("metric", "unit", "direction")},
            "value": cells.of(Quantity(name, method, task)),
        }
        for (task, method, name), record in found.items()
    )  # fmt: skip
    names = (*NAMES, *spread(["value"], cells.trainings))
    return Tables(parts, notes, "", points, data, names)


def _table(task: str, cells: Cells) -> Table:
    """One task's rows, with the columns that any of them fills."""
    columns, rows = [Column("Method", words=True)], list[Row]()
    form = HALF if cells.trainings else ALONE
    for name in SHOWN:
        known = (cells.record(Quantity(name, method, task)) for method in _rows(task, cells))
        if record := next(filter(None, known), None):
            metric = METRICS[record["metric"]]
            columns.append(Column(metric.heading, name, f".{metric.digits}f", form=form))
    for method in _rows(task, cells):
        own = {name: cells.of(Quantity(name, method, task)) for name in SHOWN}
        rows.append({"Method": title_of(method), **own})
    return Table(
        heading(task), tuple(columns), tuple(rows), _judges_stand(task, cells), len(cells.trainings)
    )


def _judges_stand(task: str, cells: Cells) -> str:
    """How far judges can stand in for the observer, in a line; empty where not both were asked."""
    pairs = list[tuple[float, float]]()
    for method in TABLE1_METHODS:
        if method != REFERENCE:
            judged, observed = (
                cells.by_seed(Quantity(metric.name, method, task))
                for metric in (QUALITY_JUDGED, QUALITY_OBSERVED)
            )
            pairs += [(judged[seed], observed[seed]) for seed in sorted({*judged} & {*observed})]
    if len(pairs) < FEWEST or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return ""
    rank = float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    return (
        f"Quality as judged against Quality as observed: Spearman {rank:.2f} over {len(pairs)} "
        "trainings of the methods."
    )
