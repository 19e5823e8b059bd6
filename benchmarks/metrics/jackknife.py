"""Intervals of numbers that are no means: leave some inputs out, and see how they move."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.intervals import Interval
from models.errors import UserError

Limits = tuple[float | None, float | None]


def leave_out(count: int, groups: int) -> list[NDArray[np.int64]]:
    """For each of ``groups`` groups, the indices below ``count`` that are not in it.

    Index i is in group i mod ``groups``, so groups differ by at most one in size.
    """
    if not 2 <= groups <= count:
        raise UserError(f"{count} inputs cannot be left out in {groups} groups: measure more")
    index = np.arange(count)
    return [index[index % groups != g] for g in range(groups)]


def jackknife_variance(replicates: Sequence[float]) -> float:
    """Variance of a statistic from its values with each of G groups left out.

    (G - 1) / G times the sum of squared deviations from their mean: Efron and Stein, "The
    jackknife estimate of variance", Annals of Statistics 1981; for groups Kott, "The delete-a-group
    jackknife", Journal of Official Statistics 2001.
    """
    values = np.asarray(replicates, dtype=np.float64)
    return float((len(values) - 1) / len(values) * np.square(values - values.mean()).sum())


def jackknife_interval(
    value: float,
    variance: float,
    groups: int,
    over: str,
    limits: Limits = (None, None),
    level: float = 0.95,
) -> Interval:
    """``value`` ± Student's t with ``groups`` - 1 degrees, cut at ``limits``."""
    half = float(stats.t.ppf(0.5 + level / 2, groups - 1)) * math.sqrt(variance)
    low, high = value - half, value + half
    if limits[0] is not None:
        low = max(low, limits[0])
    if limits[1] is not None:
        high = min(high, limits[1])
    return Interval(low, high, level, f"jackknife, {groups} groups", over)


def jackknife(
    statistic: Callable[[NDArray[np.int64]], float], count: int, groups: int
) -> list[float]:
    """Values of ``statistic`` (of the indices kept) with each group of ``count`` left out."""
    return [statistic(kept) for kept in leave_out(count, groups)]
