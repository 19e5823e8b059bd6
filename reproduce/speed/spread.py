"""Median and spread of timings, and of ratios of timings that were taken side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles (linear interpolation), least and greatest of ``values``, and how many."""
    low, middle, high = np.percentile(np.asarray(values, np.float64), [25, 50, 75])
    return {
        "median": float(middle), "q1": float(low), "q3": float(high),
        "min": float(min(values)), "max": float(max(values)), "n": len(values),
    }  # fmt: skip


def ratios(first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """The spread of ``first[i] / second[i]``. Whatever else slows a machine down for a while slows
    both of a pair, so their ratio is steadier than either."""
    return spread([a / b for a, b in zip(first, second, strict=True)])
