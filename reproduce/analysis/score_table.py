"""The wider table beside Table 1: fidelity, and on drawn pictures the exact scores."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scipy import stats

import benchmarks.metrics.fidelity  # noqa: F401  declares the metrics whose directions are shown
from benchmarks.files import CsvWriter, write_text
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
from models.zoo import METHODS
from reproduce.analysis.agreement import FEWEST
from reproduce.analysis.table_text import heading, numbers, ours, spread_names, spreads, trainings
from reproduce.analysis.tables import ONE_TRAINING, Cells, Found, Record
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import REAL, REFERENCE

Records = Mapping[str, Record]  # metric -> record


class Column(NamedTuple):
    """``metric`` is a name, or a family's (``fid-``) whose names end in the extractor's."""

    heading: str
    metric: str
    digits: int


COLUMNS = (
    Column("FID", "fid-", 1),
    Column("KID", "kid-", 3),
    Column("Precision", "precision-", 2),
    Column("Recall", "recall-", 2),
    Column("Truth distance", TRUTH_DISTANCE.name, 3),
    Column("Photo distance", PHOTO_DISTANCE.name, 3),
    Column("Quality, observed", QUALITY_OBSERVED.name, 1),
    Column("Quality, judged", QUALITY_JUDGED.name, 1),
    Column("Silhouette IoU", SILHOUETTE.name, 3),
    Column("Category kept", CATEGORY.name, 2),
    Column("Parts AUC", PARTS.name, 2),
    Column("Colour distance", COLOUR_DISTANCE.name, 3),
    Column("Colour entropy", COLOUR_ENTROPY.name, 2),
    Column("Pattern distance", PATTERN_DISTANCE.name, 2),
    Column("Pattern entropy", PATTERN_ENTROPY.name, 2),
    Column("Style consistency", CONSISTENCY.name, 2),
)
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}


def record_of(records: Records, column: Column) -> Record | None:
    """The newest record of a column."""
    names = [
        name for name in records
        if name == column.metric or (column.metric.endswith("-") and name.startswith(column.metric))
    ]  # fmt: skip
    return max((records[n] for n in names), key=lambda r: str(r["time"])) if names else None


def rows_of(found: Found, task: str) -> list[tuple[str, str, Records]]:
    """Table 1's rows: methods, titles and records."""
    return [
        (method, "Real data" if method == REAL else METHODS[method].title,
         found.get((task, method), {}))
        for method in (*TABLE1_METHODS, REAL)
    ]  # fmt: skip


def wide_markdown(found: Found, task: str, cells: Cells = ONE_TRAINING) -> str:
    """One task's table; empty where nothing beyond Table 1 was measured. Intervals are those over
    several trainings."""
    rows = rows_of(found, task)
    used = [c for c in COLUMNS if any(record_of(records, c) for *_, records in rows)]
    if len(used) < 2:
        return ""
    newest = {c: max((r for *_, records in rows if (r := record_of(records, c))),
                     key=lambda r: str(r["time"])) for c in used}  # fmt: skip
    heads = [f"{c.heading} {ARROWS[METRICS[newest[c]['metric']].direction]}".strip() for c in used]
    lines = [["Method", *heads]]
    for method, title, records in rows:
        line = [title.replace("(paired)", "†")]
        for column in used:
            record = record_of(records, column)
            same = record is not None and _comparable(record, newest[column])
            cell = cells.cell(record) if same else None
            if cell is not None and not cells.seeds:
                line.append(f"{cell.value:.{column.digits}f}")
            else:
                line.append(ours(cell, 0 if method == REAL else len(cells.seeds), column.digits))
        lines.append(line)
    text = ["| " + " | ".join(line) + " |" for line in lines]
    text.insert(1, "|" + "|".join([":--", *["--:"] * len(used)]) + "|")
    return "\n".join(text) + "\n"


def _comparable(record: Record, newest: Record) -> bool:
    """One column holds one quantity: numbers of other extractors' weights do not belong."""
    return bool(
        record["metric"] == newest["metric"]
        and record["protocol"].get("sha256") == newest["protocol"].get("sha256")
    )


def wide_csv(found: Found, tasks: Sequence[str], cells: Cells = ONE_TRAINING) -> str:
    """Every score as CSV, its interval and its metric's name: one line a number."""
    out = io.StringIO()
    writer = CsvWriter(out)
    writer.writerow(["task", "row", "metric", "unit", "direction", "value", "low", "high",
                     *spread_names(cells.seeds, ["value"])])  # fmt: skip
    for task in tasks:
        for _, title, records in rows_of(found, task):
            for column in COLUMNS:
                record = record_of(records, column)
                cell = cells.cell(record)
                if record is not None and cell is not None:
                    writer.writerow(
                        [task, title, record["metric"], record["unit"], record["direction"],
                         *numbers(cell), *spreads(cells.seeds, [cell])]
                    )  # fmt: skip
    return out.getvalue()


def wide_table(preset: Preset, found: Found, cells: Cells = ONE_TRAINING) -> str:
    """All tasks of Table 1, with what the columns mean; empty where nothing was measured."""
    parts = {task: wide_markdown(found, task, cells) for task in preset.tables[1]}
    if not any(parts.values()):
        return ""
    legend = "\n".join(
        f"- **{column.heading}**: {METRICS[metric].protocol} ({METRICS[metric].unit})"
        for column in COLUMNS
        if (metric := _declared(found, column)) is not None
    )
    text = "\n".join(
        f"### {heading(task)}\n\n{part}{judges_stand(found, task, cells)}"
        for task, part in parts.items()
        if part
    )
    about = f"\nValues are {trainings(cells.seeds)}\n" if cells.seeds else ""
    return f"{text}{about}\n{legend}\n"


def judges_stand(found: Found, task: str, cells: Cells) -> str:
    """How far judges can stand in for the observer, in a line; empty where not both were asked."""
    pairs = [
        (judged[seed], observed[seed])
        for method, _, records in rows_of(found, task)
        if method not in (REAL, REFERENCE)
        and {QUALITY_JUDGED.name, QUALITY_OBSERVED.name} <= records.keys()
        and (judged := cells.by_seed(records[QUALITY_JUDGED.name])) is not None
        and (observed := cells.by_seed(records[QUALITY_OBSERVED.name])) is not None
        for seed in sorted(judged.keys() & observed.keys())
    ]
    if len(pairs) < FEWEST or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return ""
    rank = float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    return (
        f"\nQuality as judged against Quality as observed: Spearman {rank:.2f} over {len(pairs)} "
        "trainings of the methods.\n"
    )


def _declared(found: Found, column: Column) -> str | None:
    known = [r for records in found.values() if (r := record_of(records, column))]
    return str(max(known, key=lambda r: str(r["time"]))["metric"]) if known else None


def write_scores(
    preset: Preset, found: Found, folder: Path, cells: Cells = ONE_TRAINING
) -> list[Path]:
    """``table1-scores.md`` and ``.csv`` in ``folder``, where anything beyond Table 1 is known."""
    text = wide_table(preset, found, cells)
    if not text:
        return []
    paths = [folder / "table1-scores.md", folder / "table1-scores.csv"]
    write_text(paths[0], text)
    write_text(paths[1], wide_csv(found, preset.tables[1], cells))
    return paths
