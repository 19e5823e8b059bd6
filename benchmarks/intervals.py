"""Confidence intervals of a mean: over independent inputs, over clusters, over pairs.

An interval must resample what was drawn at random. Translations of one input are not independent
pictures, and two pairs that share a picture are not independent pairs; treating them as such
makes intervals too narrow.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.errors import UserError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A confidence interval, with how it was found; ``resamples`` is 0 for a closed form."""

    low: float
    high: float
    level: float
    method: str
    over: str
    resamples: int = 0
    seed: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise UserError(f"confidence level {level} is outside (0, 1): use e.g. 0.95")


def _ratio_of_sums(sums: FloatArray, counts: FloatArray, axis: int = -1) -> FloatArray:
    ratio: FloatArray = np.sum(sums, axis=axis) / np.sum(counts, axis=axis)
    return ratio


def _bootstrap(
    sums: FloatArray, counts: FloatArray, seed: int, n: int, level: float, over: str
) -> Interval:
    """Interval of ``sum(sums) / sum(counts)``, resampling the two together."""
    _check_level(level)
    if n < 1:
        raise UserError(f"a bootstrap needs at least 1 resample, got {n}: use e.g. 2000")
    ratios = sums / counts
    mean = float(sums.sum() / counts.sum())
    spread = float(np.ptp(ratios))
    # BCa divides by the spread; without any, every resample has the same mean.
    if spread <= 1e-12 * max(1.0, abs(mean)):
        return Interval(mean, mean, level, "constant", over, n, seed)
    for method in ("BCa", "percentile"):
        with np.errstate(all="ignore"):
            found = stats.bootstrap(
                (sums, counts),
                _ratio_of_sums,
                paired=True,
                vectorized=True,
                n_resamples=n,
                # Bounds memory at about 10 million numbers, and changes no drawn number.
                batch=max(1, 10_000_000 // len(sums)),
                confidence_level=level,
                method=method,
                rng=np.random.default_rng([0xB007, seed & (2**64 - 1)]),
            ).confidence_interval
        low, high = float(found.low), float(found.high)
        if math.isfinite(low) and math.isfinite(high):
            break
    return Interval(low, high, level, f"bootstrap {method}", over, n, seed)


def bootstrap_mean(
    values: ArrayLike, seed: int, n: int = 2000, level: float = 0.95, over: str = "inputs"
) -> Interval:
    """Bias-corrected and accelerated bootstrap of the mean of independent ``values`` (N,).

    The same seed gives the same interval; no global random state is read. Fewer than about
    20 values give intervals somewhat too narrow, as bootstraps do. Constant values give an
    interval without width, method "constant".

    Source: Efron, "Better bootstrap confidence intervals", JASA 1987; by ``scipy.stats``.
    Raises UserError for fewer than two values or values that are not finite.
    """
    vector = _finite_vector(values)
    return _bootstrap(vector, np.ones_like(vector), seed, n, level, over)


def bootstrap_clustered_mean(
    values: ArrayLike,
    clusters: ArrayLike,
    seed: int,
    n: int = 2000,
    level: float = 0.95,
    over: str = "clusters",
) -> Interval:
    """Bootstrap of the mean of all ``values`` (N,), drawing whole clusters.

    ``clusters`` (N,) names the cluster of each value; values of one cluster (answers of one
    worker, translations of one input) come and go together. Raises UserError for fewer than two
    clusters.
    """
    vector = _finite_vector(values)
    names = np.asarray(clusters)
    if names.shape != vector.shape:
        raise UserError(f"{len(vector)} values have {names.shape} clusters: give one a value")
    found, index = np.unique(names, return_inverse=True)
    if len(found) < 2:
        raise UserError("an interval over clusters needs at least 2 of them: measure more")
    sums = np.bincount(index, weights=vector).astype(np.float64)
    counts = np.bincount(index).astype(np.float64)
    return _bootstrap(sums, counts, seed, n, level, over)


def wilson_share(share: float, count: int, level: float = 0.95, over: str = "inputs") -> Interval:
    """Wilson's interval of a ``share`` of hits in ``count`` independent trials.

    It has a width where all trials hit or none does, as the bootstrap has not. For trials in clusters
    ``count`` is the number of clusters, as if all of one hit or missed together: the cautious way.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA
    1927. Raises UserError for a share outside [0, 1] and for no trials.
    """
    _check_level(level)
    if not 0 <= share <= 1 or count < 1:
        raise UserError(
            f"a share of {share} in {count} trials: give one in [0, 1], and 1 trial or more"
        )
    z = float(stats.norm.ppf(0.5 + level / 2))
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / scale
    # At either end the formula gives the share itself, but for a last bit.
    return Interval(min(centre - half, share), max(centre + half, share), level, "Wilson", over)


def dyadic_mean(
    values: ArrayLike, pairs: ArrayLike, level: float = 0.95, over: str = "pictures"
) -> Interval:
    """Interval of the mean of ``values`` (P,), each measured on the pair of items in ``pairs``.

    Two values are correlated when their pairs (P, 2) share an item. The variance adds the products
    of residuals of all such pairs of values, and never falls below the one that takes values
    as independent; the interval is normal. Nothing is drawn, so there is no seed.

    Source: Aronow, Samii and Assenova, "Cluster-robust variance estimation for dyadic data",
    Political Analysis 2015.
    """
    vector = _finite_vector(values)
    _check_level(level)
    items = np.asarray(pairs)
    if items.shape != (len(vector), 2) or (items[:, 0] == items[:, 1]).any():
        raise UserError(f"{len(vector)} values need as many pairs of distinct items: mend the list")
    _, index = np.unique(items, return_inverse=True)
    index = index.reshape(-1, 2)
    mean = float(vector.mean())
    residual = vector - mean
    independent = float(residual @ residual)
    per_item = np.bincount(index.ravel(), weights=np.repeat(residual, 2))
    # Summed over items, a pair meets itself at both its items: one of the two is taken off.
    shared = float(per_item @ per_item) - independent
    half = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt(max(shared, independent))
    half /= len(vector)
    return Interval(mean - half, mean + half, level, "normal, dyadic-robust", over)
