"""The MUNIT paper's published numbers, read from ``results/paper``."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
AVERAGE = "Average"  # of Table 2's directions


@cache
def published_table1() -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """Return (task, row title) -> (quality in percent, diversity); None if not published."""

    def number(text: str) -> float | None:
        return float(text) if text else None

    return {
        (r["task"], r["method"]): (
            number(r["quality_percent_preferred_over_munit"]),
            number(r["lpips_diversity"]),
        )
        for r in _rows("table1_quality_diversity.csv")
    }


@cache
def published_table2() -> dict[tuple[str, str], tuple[float, float]]:
    """Return (direction, method title) -> (CIS, IS), in nats."""
    return {
        (row["direction"], row["method"]): (float(row["cis_nats"]), float(row["is_nats"]))
        for row in _rows("table2_cis_is.csv")
    }


def _rows(name: str) -> list[dict[str, str]]:
    """Read a table of ``results/paper``, which is ``benchmarks/paper`` in an installed wheel."""
    packaged = files("benchmarks") / "paper" / name
    file = packaged if packaged.is_file() else CHECKOUT / "results" / "paper" / name
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
