"""The wider table beside Table 1: fidelity, and on drawn pictures the exact scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
from reproduce.analysis.table import ALONE, HALF, Column, Row, Table, Tables, spread
from reproduce.analysis.tables import (
    ONE_TRAINING,
    Cells,
    Found,
    Record,
    heading,
    submissions,
    title_of,
    trainings,
)
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import REAL, REFERENCE

# Column by column: metrics, or families of them, whose names end in the extractor's.
SHOWN = (
    "fid-", "kid-", "precision-", "recall-",
    *(metric.name for metric in (
        TRUTH_DISTANCE, PHOTO_DISTANCE, QUALITY_OBSERVED, QUALITY_JUDGED, SILHOUETTE, CATEGORY,
        PARTS, COLOUR_DISTANCE, COLOUR_ENTROPY, PATTERN_DISTANCE, PATTERN_ENTROPY, CONSISTENCY,
    )),
)  # fmt: skip
NAMES = ("task", "row", "metric", "unit", "direction", "value", "low", "high")


def _rows(found: Found, task: str) -> tuple[str, ...]:
    """The methods, what was not trained here, real data."""
    return (*TABLE1_METHODS, *submissions(found, tasks=[task]), REAL)


def score_table(preset: Preset, found: Found, cells: Cells = ONE_TRAINING) -> Tables:
    """All tasks of Table 1, with what the columns mean; no tables where nothing but one score was
    measured. Intervals are those over several trainings; the CSV has all, one line a number."""
    tasks = preset.tables[1]
    made = (_table(found, task, cells) for task in tasks)
    parts = tuple(table for table in made if len(table.columns) > 2)
    known = {name: record for name in SHOWN if (record := _newest(found.values(), name))}
    about = (METRICS[record["metric"]] for record in known.values())
    points = tuple(f"**{m.words}**: {m.protocol} ({m.unit})" for m in about)
    notes = (f"Values are {trainings(cells.seeds)}",) if cells.seeds else ()
    data = list[Row]()
    for task in tasks:
        for method in _rows(found, task):
            for name in SHOWN:
                record = _newest([found.get((task, method), {})], name)
                cell = cells.cell(record)
                if record is not None and cell is not None:
                    same = {key: record[key] for key in ("metric", "unit", "direction")}
                    data.append({"task": task, "row": title_of(method), **same, "value": cell})
    names = (*NAMES, *spread(["value"], cells.seeds))
    return Tables(parts, notes, "", points, tuple(data), names)


def _table(found: Found, task: str, cells: Cells) -> Table:
    """One task's rows, with the columns that any of them fills."""
    records = {method: found.get((task, method), {}) for method in _rows(found, task)}
    newest = {name: r for name in SHOWN if (r := _newest(records.values(), name))}
    columns = [Column("Method", words=True)]
    for name, record in newest.items():
        metric = METRICS[record["metric"]]
        form = HALF if cells.seeds else ALONE
        columns.append(Column(metric.heading, name, f".{metric.digits}f", form=form))
    rows = list[Row]()
    for method, own in records.items():
        row = {name: _newest([own], name) for name in newest}
        comparable = {
            name: cells.cell(record)
            for name, record in row.items()
            if record is not None and _comparable(record, newest[name])
        }
        rows.append({"Method": title_of(method), **comparable})
    caption = _judges_stand(records, cells)
    return Table(heading(task), tuple(columns), tuple(rows), caption, len(cells.seeds))


def _newest(rows: Iterable[Mapping[str, Record]], name: str) -> Record | None:
    """Of a metric, or a family of them, what was measured last, of trainings if there are any."""
    family = name if name.endswith("-") else f"{name} "
    fitting = [
        record
        for records in rows
        for metric, record in records.items()
        if metric == name or metric.startswith(family)
    ]
    return max(fitting, key=lambda r: ("submission" not in r, str(r["time"])), default=None)


def _comparable(record: Record, newest: Record) -> bool:
    """One column holds one quantity: numbers of other extractors' weights do not belong."""
    return bool(
        record["metric"] == newest["metric"]
        and record["protocol"].get("sha256") == newest["protocol"].get("sha256")
    )


def _judges_stand(records: Mapping[str, Mapping[str, Record]], cells: Cells) -> str:
    """How far judges can stand in for the observer, in a line; empty where not both were asked."""
    pairs = [
        (judged[seed], observed[seed])
        for method, own in records.items()
        if method not in (REAL, REFERENCE)
        and {QUALITY_JUDGED.name, QUALITY_OBSERVED.name} <= own.keys()
        and (judged := cells.by_seed(own[QUALITY_JUDGED.name])) is not None
        and (observed := cells.by_seed(own[QUALITY_OBSERVED.name])) is not None
        for seed in sorted(judged.keys() & observed.keys())
    ]
    if len(pairs) < FEWEST or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return ""
    rank = float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    return (
        f"Quality as judged against Quality as observed: Spearman {rank:.2f} over {len(pairs)} "
        "trainings of the methods."
    )
