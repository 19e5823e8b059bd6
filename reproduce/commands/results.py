"""What ``python -m reproduce results`` and ``rerun`` do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.console import aligned
from benchmarks.files import comma_separated, write_text
from models.errors import UserError
from models.zoo import nearest
from reproduce.records.query import (
    COLUMNS,
    NAMES,
    find,
    fits,
    flat,
    number,
    query,
    read_all,
    values_of,
)
from reproduce.records.store import record_id

SHOWN = ("id", "preset", "task", "method", "translation", "seed", "metric", "value", "interval",
         "unit", "N", "K", "protocol")  # fmt: skip
DASH = "—"
Row = dict[str, Any]


def results(arguments: argparse.Namespace) -> int:
    """Print the records that fit as a table, CSV or JSON; what there is instead if none does."""
    columns = _columns(arguments.columns)
    wanted = {field: getattr(arguments, field) for field in (*NAMES, "seed")}
    found = query(arguments.results, **wanted, newest=not arguments.all)
    rows = [flat(record) for record in found]
    if arguments.json:
        whole = [dict(record) | {"id": record_id(record)} for record in found]
        chosen = [{c: row[c] for c in columns} for row in rows] if columns else whole
        print(json.dumps(chosen, indent=1, sort_keys=not columns))
    elif arguments.csv is not None:
        shown = columns or COLUMNS
        _write(comma_separated(shown, ([row.get(c) for c in shown] for row in rows)), arguments.csv)
    else:
        print(table(rows, columns or usual(rows, (*SHOWN, "time") if arguments.all else SHOWN)))
    if not found:
        print(f"note: {_instead(arguments.results, wanted, arguments.all)}", file=sys.stderr)
    return 0


def usual(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Those of the ``columns`` that tell something of some row; all where there is no row."""
    texts = [_texts(row) for row in rows]
    return [c for c in columns if not texts or any(text[c] for text in texts)]


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows in aligned columns, numbers with as many digits as their intervals are worth."""
    numbers = {c for c in columns if any(isinstance(row.get(c), int | float) for row in rows)}
    lines = [list(columns), *([text[c] or DASH for c in columns] for text in map(_texts, rows))]
    left = {i for i, c in enumerate(columns) if c not in numbers}
    return "\n".join("  ".join(cells).rstrip() for cells in aligned(lines, left))


def _texts(row: Row) -> dict[str, str]:
    """A row's cells in words; "" for what is missing."""
    texts = {c: "" if v is None else str(v) for c, v in row.items()}
    value, low, high = (row[c] for c in ("value", "low", "high"))
    texts["value"] = number(value, low, high)
    texts["interval"] = ""
    if low is not None and high is not None:
        texts["low"], texts["high"] = number(low, low, high), number(high, low, high)
        texts["interval"] = f"[{texts['low']}, {texts['high']}]"
    return texts


def _columns(words: str | None) -> list[str]:
    if words is None:
        return []
    columns = [word.strip() for word in words.split(",")]
    for column in columns:
        if column not in COLUMNS:
            raise UserError(f"--columns: no column '{column}': {nearest(column, COLUMNS)}")
    return columns


def _write(text: str, path: str) -> None:
    if path == "-":
        print(text, end="")
    else:
        write_text(Path(path), text)
        print(path)


def _instead(folder: Path, wanted: Mapping[str, object], old: bool) -> str:
    """Why nothing fits, and what would."""
    every = query(folder, newest=not old)
    if not every:
        return f"no records in {folder} yet; make some: python -m reproduce table 1 --preset quick"
    hints = []
    for field, value in wanted.items():
        others = {k: v for k, v in wanted.items() if k != field}
        known = values_of([r for r in every if fits(r, others)], field)
        if value is not None and known:
            hints.append(f"--{field} could be {', '.join(known)}")
    if not hints:
        return "no record has all of these: leave more than one of them out"
    return f"no record has all of these; with the others as they are, {'; '.join(hints)}"


def rerun(arguments: argparse.Namespace) -> int:
    """Make a record again; 1 where the new value lies outside the stored interval."""
    # Imported late: to look records up takes none of it.
    from reproduce.commands.arguments import by_task, places_of
    from reproduce.measuring.rerun import Rerun
    from reproduce.measuring.rerun import rerun as go
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import Interrupted
    from reproduce.training.trainer import NonFiniteLoss

    record, every = find(arguments.results, arguments.record), read_all(arguments.results)
    for line in _described(record):
        print(line)
    places = replace(
        places_of(arguments),
        lpips_path=arguments.lpips_weights, inception_path=arguments.inception_weights,
    )  # fmt: skip
    sources = by_task("source", arguments.source, [record["task"]])
    how = Rerun(places, arguments.threads, sources, arguments.append)
    try:
        outcome = go(record, every, how, partial(print, flush=True), _note)
    except Interrupted as stop:
        print(f"saved after step {stop.step}; the same command goes on", file=sys.stderr)
        return 130
    except (NonFiniteLoss, NonFiniteWeight) as error:
        print(f"error: {error}: the training again diverged", file=sys.stderr)
        return 1
    made = outcome.made["value"]
    print(f"again       {made!r}")
    print(f"difference  {made - record['value']:.3g}: {outcome.words}")
    return 0 if outcome.agrees else 1


def _note(words: str) -> None:
    print(f"note: {words}", file=sys.stderr)


def _described(record: Mapping[str, Any]) -> list[str]:
    """A record in a few lines."""
    row = flat(record)
    texts = _texts(row)
    direction = f" {row['translation']}" if row["translation"] else ""
    sizes = ", ".join(f"{c}={row[c]}" for c in ("N", "K") if row[c] is not None)
    lines = [
        f"record      {row['id']}: {row['metric']} of {row['method']} on {row['task']}{direction}, "
        f"seed {row['seed']}, preset {row['preset']}",
        f"stored      {row['value']!r} {texts['interval']} {texts['unit']}".rstrip(),
        f"protocol    {texts['protocol']} {sizes}".rstrip(),
    ]
    if row["checkpoint"]:
        lines.append(f"network     {row['checkpoint']} at step {row['steps']}")
    made = f"{texts['time'][:10]} by commit {texts['commit'] or 'unknown'}"
    machine = f"{texts['device']}, {texts['threads']} threads, torch {texts['torch']}"
    return [*lines, f"made        {made} on {machine}"]
