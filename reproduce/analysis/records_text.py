"""Stored records as text: a table, CSV, or a description of one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.console import aligned
from reproduce.analysis.table import DASH
from reproduce.records.query import flat, number

Row = dict[str, Any]


def usual(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """The ``columns`` that have a value in some row; all columns if there are no rows."""
    texts = [_texts(row) for row in rows]
    return [c for c in columns if not texts or any(text[c] for text in texts)]


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows in aligned columns; intervals decide the number of digits."""
    lines = [[*columns], *([texts[c] or DASH for c in columns] for texts in map(_texts, rows))]
    words = {
        i for i, c in enumerate(columns)
        if not any(isinstance(row.get(c), int | float) for row in rows)
    }  # fmt: skip
    return "\n".join("  ".join(cells).rstrip() for cells in aligned(lines, words))


def described(record: Mapping[str, Any]) -> list[str]:
    """A record as a few lines of text."""
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


def _texts(row: Row) -> dict[str, str]:
    """A row's cells as text; "" for a missing value."""
    texts = {c: "" if v is None else str(v) for c, v in row.items()}
    value, low, high = (row[c] for c in ("value", "low", "high"))
    texts["value"] = number(value, low, high)
    texts["interval"] = ""
    if low is not None and high is not None:
        texts["low"], texts["high"] = number(low, low, high), number(high, low, high)
        texts["interval"] = f"[{texts['low']}, {texts['high']}]"
    return texts
