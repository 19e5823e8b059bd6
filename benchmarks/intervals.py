"""Confidence intervals of means over independent inputs or pairs, and of other statistics.

The sampling unit is what was drawn at random: translations of the same input are not independent,
and neither are two pairs that share a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.errors import UserError

FloatArray = NDArray[np.float64]
Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Interval:
    """A confidence interval; ``over``: the sampling unit; ``resamples``: 0 for a closed form."""

    low: float
    high: float
    level: float
    method: str
    over: str
    resamples: int = 0
    seed: int | None = None


def _finite_vector(values: ArrayLike) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or len(vector) < 2:
        raise UserError(
            f"an interval needs a list of at least 2 values, got shape {vector.shape}: "
            "measure more inputs"
        )
    if not np.isfinite(vector).all():
        raise UserError("an interval needs finite values, got NaN or infinity: mend the measure")
    return vector


def bootstrap_mean(
    values: ArrayLike, seed: int, n: int = 2000, level: float = 0.95, over: str = "inputs"
) -> Interval:
    """Return the bias-corrected and accelerated bootstrap interval of the mean of independent
    ``values`` (N,). The same seed gives the same interval; constant values give zero width, method
    "constant". Source: Efron, "Better bootstrap confidence intervals", JASA 1987; by
    ``scipy.stats``. Raises UserError for fewer than two values or values that are not finite."""
    vector = _finite_vector(values)
    mean = float(vector.sum() / len(vector))
    # BCa divides by the spread, which is 0 here.
    if float(np.ptp(vector)) <= 1e-12 * max(1.0, abs(mean)):
        return Interval(mean, mean, level, "constant", over, n, seed)
    for method in ("BCa", "percentile"):
        with np.errstate(all="ignore"):
            found = stats.bootstrap(
                (vector,),
                np.mean,
                n_resamples=n,
                # Bounds memory at about 10 million numbers without changing any draw.
                batch=max(1, 10_000_000 // len(vector)),
                confidence_level=level,
                method=method,
                rng=np.random.default_rng([0xB007, seed & (2**64 - 1)]),
            ).confidence_interval
        low, high = float(found.low), float(found.high)
        if math.isfinite(low) and math.isfinite(high):
            break
    return Interval(low, high, level, f"bootstrap {method}", over, n, seed)


def wilson_share(share: float, count: int, level: float = 0.95, over: str = "inputs") -> Interval:
    """Return Wilson's interval of a ``share`` of hits in ``count`` independent trials. Unlike the
    bootstrap, it has a positive width if all trials hit or none does. For clustered trials, pass
    the number of clusters as ``count``: conservative, as if all trials of a cluster agreed. Source:
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / scale
    # At shares 0 and 1 one end equals the share, up to rounding.
    return Interval(min(centre - half, share), max(centre + half, share), level, "Wilson", over)


def dyadic_mean(
    values: ArrayLike, pairs: ArrayLike, level: float = 0.95, over: str = "pictures"
) -> Interval:
    """Return the interval of the mean of ``values`` (P,), each measured on a pair of items (P, 2).

    Two values are correlated if their pairs share an item. The variance adds the products of
    residuals of all such values, and is at least the variance of independent values; the interval
    is normal. Source: Aronow, Samii and Assenova, "Cluster-robust variance estimation for dyadic
    data", Political Analysis 2015.
    """
    vector = _finite_vector(values)
    items = np.asarray(pairs)
    _, index = np.unique(items, return_inverse=True)
    index = index.reshape(-1, 2)
    mean = float(vector.mean())
    residual = vector - mean
    independent = float(residual @ residual)
    per_item = np.bincount(index.ravel(), weights=np.repeat(residual, 2))
    # Summing over items counts each pair with itself twice, once per item: subtract it once.
    shared = float(per_item @ per_item) - independent
    half = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt(max(shared, independent))
    half /= len(vector)
    return Interval(mean - half, mean + half, level, "normal, dyadic-robust", over)


def leave_out(count: int, groups: int) -> list[NDArray[np.int64]]:
    """Return, for each group g, the indices i below ``count`` with i mod ``groups`` != g."""
    if not 2 <= groups <= count:
        raise UserError(f"{count} inputs cannot be left out in {groups} groups: measure more")
    index = np.arange(count)
    return [index[index % groups != g] for g in range(groups)]


def jackknife_variance(replicates: Sequence[float]) -> float:
    """Return the variance of a statistic from its values with each of G groups left out: (G - 1) /
    G times the sum of squared deviations from their mean. Sources: Efron and Stein, "The jackknife
    estimate of variance", Annals of Statistics 1981; for groups, Kott, "The delete-a-group
    jackknife", Journal of Official Statistics 2001."""
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
    """Return ``value`` ± Student's t quantile with ``groups`` - 1 degrees of freedom times the
    standard error, clipped to ``limits``."""
    half = float(stats.t.ppf(0.5 + level / 2, groups - 1)) * math.sqrt(variance)
    low, high = cut(value - half, value + half, limits)
    return Interval(low, high, level, f"jackknife, {groups} groups", over)


def cut(low: float, high: float, limits: Limits) -> tuple[float, float]:
    """Return ``low`` and ``high`` clipped to ``limits``; None means unbounded."""
    least, greatest = limits
    return (
        low if least is None else max(low, least),
        high if greatest is None else min(high, greatest),
    )


def jackknife(
    statistic: Callable[[NDArray[np.int64]], float], count: int, groups: int
) -> list[float]:
    """Return ``statistic`` (of the remaining indices) with each group of ``count`` left out."""
    return [statistic(kept) for kept in leave_out(count, groups)]
