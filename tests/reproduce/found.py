"""Tables' cells of records by row and metric, as tests make them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduce.analysis.estimate import Cells

Found = Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]  # (task, method) -> metric


def cells_of(found: Found, **about: Any) -> Cells:
    """Of one training; what all records tell is in ``about``."""
    return Cells(records_of(found, **about), [0])


def records_of(found: Found, **about: Any) -> list[dict[str, Any]]:
    return [
        {"seed": 0, "task": task, "method": method, **about, **record}
        for (task, method), own in found.items()
        for record in own.values()
    ]
