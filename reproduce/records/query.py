"""Query stored records by preset, method, metric, ...: dictionaries, flat rows, or a DataFrame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import UserError
from models.zoo import METHODS, nearest
from reproduce.records.current import counting, time_of
from reproduce.records.store import ID_DIGITS, Records, record_id, told

if TYPE_CHECKING:
    import pandas

LEAST_DIGITS = 4  # of an abbreviated record ID
NAMES = ("preset", "task", "method", "translation", "metric")  # fields to query by name
SHORT = 12  # hex digits of a hash in a flat row

# Column of a flat row -> path of its value in a record; hashes are cut to SHORT digits.
_PLACES = {
    "preset": "preset", "task": "task", "method": "method", "translation": "translation",
    "seed": "seed", "metric": "metric", "value": "value", "unit": "unit",
    "low": "interval.low", "high": "interval.high", "direction": "direction",
    "N": "protocol.N", "K": "protocol.K", "protocol": "protocol.protocol",
    "extractor": "protocol.extractor", "size": "size", "steps": "steps",
    "checkpoint": "checkpoint_sha256", "data": "data_sha256", "config": "config_sha256",
    "raw": "raw", "commit": "environment.commit", "dirty": "environment.dirty",
    "device": "environment.device", "threads": "environment.threads",
    "torch": "environment.packages.torch", "seconds": "seconds", "time": "time",
}  # fmt: skip
HASHES = ("checkpoint", "data", "config", "commit")
COLUMNS = ("id", *_PLACES)


def query(
    results: Path, preset: str | None = None, method: str | None = None, metric: str | None = None,
    task: str | None = None, seed: int | None = None, translation: str | None = None,
    newest: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """The records under ``results`` that match all given arguments, sorted by preset, task, method,
    translation, metric, seed and time.

    ``metric`` is a name or a family: ``diversity`` matches any ``diversity-*``. ``newest`` selects the
    records that the tables use: of each row, the newest measurements of its newest network.
    Raises UserError for a name that no record has, and for invalid files.
    """
    wanted = {
        "preset": preset, "task": task, "method": method, "translation": translation,
        "metric": metric, "seed": seed,
    }  # fmt: skip
    every = read_all(results)
    for field in NAMES:
        value = wanted[field]
        if value is not None and not any(_has(record, field, value) for record in every):
            known = values_of(every, field)
            if field == "metric":
                known += sorted({name.partition("-")[0] for name in known} - set(known))
            hint = nearest(str(value), known) if known else f"{results} has no records"
            raise UserError(f"no record has the {field} '{value}': {hint}")
    by_preset = groupby(every, key=lambda record: record["preset"])
    chosen = [r for _, own in by_preset for r in counting([*own])] if newest else every
    return sorted((r for r in chosen if fits(r, wanted)), key=_order)


def frame(records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """A DataFrame with one row per record and ``COLUMNS``; absent values are missing."""
    import pandas

    return pandas.DataFrame([flat(record) for record in records], columns=list(COLUMNS))


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a flat dictionary of ``COLUMNS``; None for absent values."""
    row: dict[str, Any] = {"id": record_id(record)}
    for column, place in _PLACES.items():
        value = told(record, *place.split("."))
        row[column] = str(value)[:SHORT] if value and column in HASHES else value
    if row["N"] is None:  # protocols with several numbers of pictures name each of them
        row["N"] = record["protocol"].get("inputs")
    return row


def presets_of(results: Path) -> list[str]:
    """The presets that have records under ``results``."""
    return sorted(path.parent.name for path in results.glob("*/records.jsonl"))


def read_all(results: Path) -> list[dict[str, Any]]:
    """Every record of every preset under ``results``, oldest first within a preset."""
    if not results.is_dir():
        raise UserError(f"no folder {results}: give another --results, or compute a table first")
    every = []
    for preset in presets_of(results):
        every += Records(results, preset).all()
    return every


def find(results: Path, name: str) -> dict[str, Any]:
    """The record whose ID begins with ``name``; UserError if there is none, or several."""
    word = name.lower()
    if len(word) < LEAST_DIGITS or set(word) - set("0123456789abcdef"):
        raise UserError(
            f"'{name}' is not a record id: give at least {LEAST_DIGITS} of its {ID_DIGITS} hex "
            "digits; python -m reproduce results shows them"
        )
    found = {record_id(r): r for r in read_all(results)}
    fitting = [i for i in found if i.startswith(word)]
    if not fitting:
        raise UserError(
            f"no record {name} among the {len(found)} in {results}: "
            "python -m reproduce results --all shows their ids"
        )
    if len(fitting) > 1:
        raise UserError(
            f"{name} matches the ids of {len(fitting)} records ({', '.join(fitting[:4])}): "
            "give more digits"
        )
    return found[fitting[0]]


def fits(record: Mapping[str, Any], wanted: Mapping[str, object]) -> bool:
    """Whether a record matches all of ``wanted``; None matches everything."""
    return all(v is None or _has(record, field, v) for field, v in wanted.items())


def values_of(records: Iterable[Mapping[str, Any]], field: str) -> list[str]:
    """The distinct values of a field, sorted."""
    return sorted({str(r[field]) for r in records if r.get(field) is not None})


def _has(record: Mapping[str, Any], field: str, value: object) -> bool:
    found = record.get(field)
    if field == "metric":
        return found == value or str(found).startswith(f"{value}-")
    return found == value


def _order(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The sort key: presets and tasks by name, methods as in the tables, real pictures last."""
    method, translation = record["method"], str(record.get("translation") or "")
    place = [*METHODS, method].index(method)
    more = record["metric"], record["seed"], time_of(record)
    return record["preset"], record["task"], place, method, translation, *more


def number(value: float, low: float | None = None, high: float | None = None) -> str:
    """``value``, rounded to two significant digits of half its interval, else to four of its own."""
    half = (high - low) / 2 if low is not None and high is not None else 0.0
    scale, digits = (half, 1) if half > 0 else (abs(value), 3)
    if not scale or not math.isfinite(scale):
        return f"{value:g}"
    places = min(max(0, digits - math.floor(math.log10(scale))), 12)
    return f"{value:.{places}f}"
