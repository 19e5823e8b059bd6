"""What everything took, and on what it was made: from records and kept learning curves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.console import in_words
from models.zoo import METHODS
from reproduce.analysis.table import Column, Row, Table, of_texts
from reproduce.analysis.tables import heading
from reproduce.experiments.run import RunConfig
from reproduce.records.store import REAL
from reproduce.report.blocks import Block, Text
from reproduce.report.curves import curve_path, load_curve

Record = Mapping[str, Any]
Trained = tuple[str, str, int]  # task, method and seed of a run
COMMIT_DIGITS = 10
STEP, MEASURING = "One step (s)", "Measuring (s)"


def cost_blocks(runs: Sequence[RunConfig], records: Sequence[Record], folder: Path) -> list[Block]:
    """What each of ``runs`` took: a table for each task of several methods, and one for the others."""
    seconds = {(r.task, r.method, r.seed): _training_seconds(r, folder) for r in runs}
    measuring = _measuring_seconds(records)
    groups: dict[str, dict[str, list[RunConfig]]] = {}
    for run in runs:
        groups.setdefault(run.task, {}).setdefault(run.method, []).append(run)
    seeds = (Column(_of_seed(s), spec=".0f") for s in dict.fromkeys(run.seed for run in runs))
    columns = (
        Column("Method", words=True), Column("Steps", spec=",.0f"), *seeds, Column(STEP),
        Column(MEASURING, spec=".0f"),
    )  # fmt: skip
    tables, alone = list[Table](), list[Row]()
    for task, methods in groups.items():
        rows = [_row(of, seconds, measuring.get((task, m), 0.0)) for m, of in methods.items()]
        if len(rows) > 1:
            tables.append(Table(f"Cost of each run: {heading(task)}", columns, tuple(rows)))
        else:
            alone.append({**rows[0], "Method": f"{rows[0]['Method']}, {heading(task)}"})
    if alone:
        tables.append(Table("Cost of each run: figures", columns, tuple(alone)))
    return [_sums(seconds, measuring), *tables]


def _of_seed(seed: int) -> str:
    return f"Training, seed {seed} (s)"


def _measuring_seconds(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """By task and method. All numbers of one measurement tell its whole time: those of one
    direction, else those of the same raw values."""
    longest: dict[tuple[tuple[str, str], object], float] = {}
    for record in records:
        which = record["seed"], record.get("translation") or record.get("raw")
        key = (record["task"], record["method"]), which
        longest[key] = max(longest.get(key, 0.0), float(record.get("seconds", 0)))
    found: dict[tuple[str, str], float] = defaultdict(float)
    for (row, _), seconds in longest.items():
        found[row] += seconds
    return dict(found)


def _training_seconds(run: RunConfig, folder: Path) -> float | None:
    """How long a run was trained, if its kept curve tells."""
    curve = load_curve(curve_path(folder, run.task, run.method, run.seed))
    return float(curve.seconds[-1]) if curve and curve.steps[-1] == run.steps else None


def _row(
    runs: Sequence[RunConfig], seconds: Mapping[Trained, float | None], measuring: float
) -> Row:
    """One method's runs on one task."""
    by_seed = {_of_seed(run.seed): seconds[run.task, run.method, run.seed] for run in runs}
    known = [s for s in by_seed.values() if s is not None]
    title, steps = METHODS[runs[0].method].title, runs[0].steps
    step = sum(known) / len(known) / steps if known else None
    return {"Method": title, "Steps": steps, **by_seed, STEP: step, MEASURING: measuring or None}


def _sums(
    seconds: Mapping[Trained, float | None], measuring: Mapping[tuple[str, str], float]
) -> Text:
    known = [s for s in seconds.values() if s is not None]
    real = sum(v for (_, method), v in measuring.items() if method == REAL)
    return Text(
        f"{len(known)} of {len(seconds)} trainings tell how long they took"
        + (f": {in_words(sum(known))} in all, one after another" if known else "")
        + f". Measuring them took {in_words(sum(measuring.values()) - real)}, and real pictures "
        f"{in_words(real)} more (drawing pictures, training classifiers not counted). "
        "Times are by the clock, beside as many others as the machine bore; waiting between an "
        "interruption and its resumption is left out."
    )


def environment_blocks(records: Sequence[Record]) -> list[Block]:
    """On what the numbers were measured, and their networks trained."""
    measured = Counter(_machine(record["environment"]) for record in records)
    by_network = {r.get("checkpoint_sha256"): r["training"] for r in records if "training" in r}
    by_network.pop(None, None)
    trained = Counter(map(_machine, by_network.values()))
    packages: dict[str, set[str]] = {}
    for record in records:
        about = record["environment"]
        for name, version in {"python": about["python"], **about["packages"]}.items():
            packages.setdefault(name, set()).add(str(version))
    versions = [(name, ", ".join(sorted(found))) for name, found in sorted(packages.items())]
    tables: list[Block] = [_counts("What the measuring was done with", "Numbers", measured)]
    if trained:
        tables.append(_counts("What the training was done with", "Networks", trained))
    return [*tables, of_texts("Versions", [("Package", "Version"), *versions])]


def _counts(title: str, what: str, counts: Mapping[tuple[str, str, str], int]) -> Table:
    columns = (
        Column("Device", words=True), Column("CPU threads"), Column("Commit", words=True),
        Column(what),
    )  # fmt: skip
    names = [column.title for column in columns]
    rows = (dict(zip(names, (*of, str(n)), strict=True)) for of, n in sorted(counts.items()))
    return Table(title, columns, tuple(rows))


def _machine(made: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(made["device"]), str(made["threads"]), commit_in_words(made)


def commit_in_words(made: Mapping[str, Any]) -> str:
    """The commit of the code that something was made with."""
    if not made["commit"]:
        return "outside version control"
    return str(made["commit"])[:COMMIT_DIGITS] + (" with changes" if made["dirty"] else "")
