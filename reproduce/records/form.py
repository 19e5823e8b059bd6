"""What a record has to be: nothing that reads records has to look again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

OUTSIDE_DIGESTS = "what a record must hold changes no number"
REFERENCE = "munit"  # the method that others are preferred to
REAL = "real"  # stands for a method where pictures are real
# Who preferred, best first: people; an observer, who knows the true translations of drawn pictures; a
# judge, who compares with photos of similar inputs.
QUALITY = ("quality-human", "quality-observed", "quality-judged")
REQUIRED = ("metric", "value", "protocol", "preset", "task", "method", "seed")

_NUMBER, _NAME, _NESTED = (int, float), (str, type(None)), (Mapping, type(None))
_KINDS: dict[str, tuple[type, ...]] = {
    "value": _NUMBER, "seed": (int,), "protocol": (Mapping,), "metric": (str,), "preset": (str,),
    "task": (str,), "method": (str,), "translation": _NAME, "unit": _NAME, "raw": _NAME,
    "raw_sha256": _NAME, "interval": _NESTED, "environment": _NESTED, "config": _NESTED,
    "measure": _NESTED, "changes": _NESTED, "training": _NESTED, "pictures": _NESTED,
    "submission": _NESTED,
}  # fmt: skip
_WORDS = {
    (int,): "a whole number", _NUMBER: "a number", (str,): "a name", _NAME: "a name",
    (Mapping,): "an object", _NESTED: "an object",
}  # fmt: skip
SHOWN = 40  # characters of a value that is refused


def line_of(record: Mapping[str, Any]) -> str:
    """The line that a record is stored as, without its line break; ValueError for what is no
    JSON, such as NaN."""
    return json.dumps(record, sort_keys=True, allow_nan=False)


def problem_of(record: Mapping[str, Any], preset: str) -> str:
    """What is wrong with a line of ``preset`` that is JSON, in words; "" if nothing is."""
    missing = [key for key in REQUIRED if key not in record]
    if missing:
        return f"lacks {', '.join(missing)}"
    for key, kinds in _KINDS.items():
        if not _is(record.get(key), kinds):
            shown = json.dumps(record.get(key))[:SHOWN]
            return f"has {key} {shown}, which is not {_WORDS[kinds]}"
    interval = record.get("interval") or {"low": 0, "high": 0}
    if not all(_is(interval.get(end), _NUMBER) for end in ("low", "high")):
        return "has an interval without ends"
    if ("raw" in record) != ("raw_sha256" in record):
        return "has only one of raw and raw_sha256"
    if record["preset"] != preset:
        return f"is of preset {record['preset']}, not of {preset}"
    try:
        line_of(record)
    except ValueError:
        return "holds NaN or infinity"
    return ""


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    # To Python, true is a number.
    return isinstance(value, kinds) and not isinstance(value, bool)
