"""The kernel distance between distributions (maximum mean discrepancy, MMD), without bias, and
intervals of it and of other statistics that are no means.

MMD^2 = E k(x, x') - 2 E k(x, y) + E k(y, y') with the Gaussian kernel
k(x, y) = exp(-|x - y|^2 / (2 sigma^2)): 0 for equal distributions and at most 2. Pairs of one point
with itself are left out of the means, so estimates of equal distributions lie around 0, on either
side of it. Source: Gretton et al., "A kernel two-sample test", JMLR 2012, Lemma 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist

from benchmarks.intervals import FloatArray, Interval, cut
from benchmarks.metric import METRICS, Measurement

COLUMNS = 4096  # of points that are held in double precision at a time
Points = NDArray[np.floating]
RESAMPLES = 1000
NULL_DRAWS = 500
NULL_LEVEL = 0.95  # of what chance alone gives, this share lies below the limit
LEVEL = 0.95


def squared_distances(x: Points, y: Points) -> FloatArray:
    """|x - y|^2 of all points (N, D) and (M, D): (N, M)."""
    found = np.zeros((len(x), len(y)))
    for u, v in _columns(x, y):
        found += np.square(u).sum(1)[:, None] + np.square(v).sum(1) - 2 * u @ v.T
    return np.maximum(found, 0.0)


def l1_distances(x: Points, y: Points) -> FloatArray:
    """Mean absolute difference over the D numbers of all points (N, D) and (M, D): (N, M)."""
    found = np.zeros((len(x), len(y)))
    for u, v in _columns(x, y):
        found += cdist(u, v, "cityblock")
    return found / x.shape[1]


def _columns(x: Points, y: Points) -> Iterator[tuple[FloatArray, FloatArray]]:
    for first in range(0, x.shape[1], COLUMNS):
        part = slice(first, first + COLUMNS)
        yield x[:, part].astype(np.float64), y[:, part].astype(np.float64)


def gaussian(squared: FloatArray, bandwidth: float) -> FloatArray:
    """k of points at these squared distances; ``bandwidth`` is sigma."""
    return np.exp(-squared / (2 * bandwidth**2))


def median_distance(squared: FloatArray) -> float:
    """The usual bandwidth: the median distance between different points of one sample, from their
    squared distances (N, N). Points that are all the same have none, and 1 is as good as any."""
    median = float(np.sqrt(np.median(squared[~np.eye(len(squared), dtype=bool)])))
    return median if median > 0 else 1.0


def normal_bandwidth(dim: int) -> float:
    """The same of N(0, I) itself: |x - y|^2 / 2 of two draws is chi-squared."""
    return float(np.sqrt(2 * stats.chi2.median(dim)))


def collapsed(dim: int) -> float:
    """MMD between N(0, I) and points that are all 0, with the same bandwidth."""
    s = normal_bandwidth(dim) ** 2
    return float(np.sqrt(1 - 2 * (s / (s + 1)) ** (dim / 2) + (s / (s + 2)) ** (dim / 2)))


class FromNormal:
    """MMD^2 of a sample (N, D) from N(0, I), whose part is known in closed form: with s = sigma^2,
    E_y k(x, y) = (s / (s + 1))^(D/2) exp(-|x|^2 / (2 (s + 1))), E k(y, y') = (s / (s + 2))^(D/2)."""

    def __init__(self, points: Points) -> None:
        x = np.asarray(points, dtype=np.float64)
        bandwidth, half = normal_bandwidth(x.shape[1]), x.shape[1] / 2
        s = bandwidth**2
        self._between = gaussian(squared_distances(x, x), bandwidth)
        np.fill_diagonal(self._between, 0.0)
        norms = np.square(x).sum(axis=1)
        self._to_normal = (s / (s + 1)) ** half * np.exp(-norms / (2 * (s + 1)))
        self._of_normal = (s / (s + 2)) ** half

    def squared(self, weights: FloatArray) -> FloatArray:
        """(R,) from how often each point counts in each of R samples, (R, N); the copies of one
        point are no pairs."""
        total = weights.sum(axis=1)
        pairs = total**2 - np.square(weights).sum(axis=1)
        own = ((weights @ self._between) * weights).sum(axis=1) / pairs
        cross = weights @ self._to_normal / total
        return own - 2 * cross + self._of_normal


class BetweenSamples:
    """MMD^2 of two samples of N points each, from the ``squared`` distances (2N, 2N) of all points,
    those of the first sample first. ``paired``: point i of one sample and point i of the other tell
    of one thing, and are no pair of independent points."""

    def __init__(self, squared: FloatArray, paired: bool) -> None:
        self.count = len(squared) // 2
        self.bandwidth = median_distance(squared)
        self._paired = paired
        self._apart = 1 - np.eye(2 * self.count)
        if paired:
            index = np.arange(2 * self.count)
            self._apart[index, (index + self.count) % len(index)] = 0.0
        self._kernel = gaussian(squared, self.bandwidth) * self._apart

    def squared(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """(R,) from how often each of the 2N points counts in either sample, (R, 2N)."""
        own = self._mean(first, first) + self._mean(second, second)
        return own - 2 * self._mean(first, second)

    def _mean(self, u: FloatArray, v: FloatArray) -> FloatArray:
        return ((u @ self._kernel) * v).sum(1) / ((u @ self._apart) * v).sum(1)

    def mixed(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """MMD^2 (draws,) were it chance which sample a point is in: pairs swap their points,
        others are dealt anew."""
        n = self.count
        if self._paired:
            swapped = rng.integers(2, size=(draws, n)).astype(np.float64)
            first = np.hstack([1 - swapped, swapped])
        else:
            first = rng.permuted(np.repeat([[1.0, 0.0]], n, axis=1).repeat(draws, axis=0), axis=1)
        return self.squared(first, 1 - first)


def distance(squared: FloatArray) -> FloatArray:
    """MMD from estimates of its square, of which those below 0 say that there is none."""
    return np.sqrt(np.maximum(squared, 0.0))


@dataclass(frozen=True)
class Scored:
    """A measurement, and in plain JSON values what its record tells beside it under "theory"."""

    measurement: Measurement
    more: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return self.measurement.as_dict() | {"theory": dict(self.more)}


def resampled(count: int, seed: int, *address: int) -> FloatArray:
    """How often each of ``count`` pictures is in each of the bootstrap's samples:
    (RESAMPLES, count)."""
    rng = np.random.default_rng([0x7E0, seed, *address])
    counts = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return counts.astype(np.float64)


def spread_interval(
    metric: str, value: float, replicates: FloatArray, seed: int, over: str
) -> Interval:
    """``value`` ± the replicates' standard deviation times the normal quantile, cut at the metric's
    limits. Percentiles would be wrong: resampled norms and distances are biased upwards."""
    half = float(stats.norm.ppf(0.5 + LEVEL / 2) * replicates.std(ddof=1))
    low, high = cut(value - half, value + half, METRICS[metric].limits)
    return Interval(low, high, LEVEL, "bootstrap, normal", over, len(replicates), seed)


def null_limit(draws: FloatArray) -> dict[str, Any]:
    """What chance alone reaches, as records tell it."""
    value = float(np.quantile(draws, NULL_LEVEL))
    return {"level": NULL_LEVEL, "value": value, "draws": len(draws)}
