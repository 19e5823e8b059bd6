"""The unbiased kernel distance between distributions (maximum mean discrepancy, MMD), and bootstrap
intervals of it and of other statistics that are not means.

MMD^2 = E k(x, x') - 2 E k(x, y) + E k(y, y') with the Gaussian kernel k(x, y) = exp(-|x - y|^2 / (2
sigma^2)): 0 for equal distributions and at most 2. The means exclude pairs of a point with itself,
so estimates for equal distributions scatter around 0. Source: Gretton et al., "A kernel two-sample
test", JMLR 2012, Lemma 6.
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

COLUMNS = 4096  # of points, in double precision at a time
Points = NDArray[np.floating]
RESAMPLES = 1000
NULL_DRAWS = 500
NULL_LEVEL = 0.95  # quantile of the null distribution that is the limit
LEVEL = 0.95


def squared_distances(x: Points, y: Points) -> FloatArray:
    """Return |x - y|^2 between all points (N, D) and (M, D): (N, M)."""
    found = np.zeros((len(x), len(y)))
    for u, v in _columns(x, y):
        found += np.square(u).sum(1)[:, None] + np.square(v).sum(1) - 2 * u @ v.T
    return np.maximum(found, 0.0)


def l1_distances(x: Points, y: Points) -> FloatArray:
    """Return the mean absolute difference, over D, between all points (N, D) and (M, D): (N, M)."""
    found = np.zeros((len(x), len(y)))
    for u, v in _columns(x, y):
        found += cdist(u, v, "cityblock")
    return found / x.shape[1]


def _columns(x: Points, y: Points) -> Iterator[tuple[FloatArray, FloatArray]]:
    for first in range(0, x.shape[1], COLUMNS):
        part = slice(first, first + COLUMNS)
        yield x[:, part].astype(np.float64), y[:, part].astype(np.float64)


def gaussian(squared: FloatArray, bandwidth: float) -> FloatArray:
    """Return the kernel k at these squared distances; ``bandwidth`` is sigma."""
    return np.exp(-squared / (2 * bandwidth**2))


def median_distance(squared: FloatArray) -> float:
    """Return the usual bandwidth: the median distance between different points of a sample, from
    their squared distances (N, N). If it is 0, returns 1."""
    median = float(np.sqrt(np.median(squared[~np.eye(len(squared), dtype=bool)])))
    return median if median > 0 else 1.0


def normal_bandwidth(dim: int) -> float:
    """Return the median distance for N(0, I): |x - y|^2 / 2 of two draws is chi-squared."""
    return float(np.sqrt(2 * stats.chi2.median(dim)))


def collapsed(dim: int) -> float:
    """Return the MMD between N(0, I) and points that are all 0, with ``normal_bandwidth``."""
    s = normal_bandwidth(dim) ** 2
    return float(np.sqrt(1 - 2 * (s / (s + 1)) ** (dim / 2) + (s / (s + 2)) ** (dim / 2)))


class FromNormal:
    """MMD^2 between a sample (N, D) and N(0, I), in closed form. With s = sigma^2,
    E_y k(x, y) = (s / (s + 1))^(D/2) exp(-|x|^2 / (2 (s + 1))),
    E k(y, y') = (s / (s + 2))^(D/2)."""

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
        """Return MMD^2 (R,) from the counts of each point in each of R samples, (R, N); copies of a
        point do not form pairs."""
        total = weights.sum(axis=1)
        pairs = total**2 - np.square(weights).sum(axis=1)
        own = ((weights @ self._between) * weights).sum(axis=1) / pairs
        cross = weights @ self._to_normal / total
        return own - 2 * cross + self._of_normal


class BetweenSamples:
    """MMD^2 between two samples of N points each, from the ``squared`` distances (2N, 2N) of all
    points, the first sample first. ``paired``: points i of the two samples belong together, are not
    independent, and are excluded from the means."""

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
        """Return MMD^2 (R,) from the counts of each of the 2N points in either sample, (R, 2N)."""
        own = self._mean(first, first) + self._mean(second, second)
        return own - 2 * self._mean(first, second)

    def _mean(self, u: FloatArray, v: FloatArray) -> FloatArray:
        return ((u @ self._kernel) * v).sum(1) / ((u @ self._apart) * v).sum(1)

    def mixed(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """Return MMD^2 (draws,) under the null hypothesis that points are assigned to samples at
        random: pairs swap their points, unpaired points are permuted."""
        n = self.count
        if self._paired:
            swapped = rng.integers(2, size=(draws, n)).astype(np.float64)
            first = np.hstack([1 - swapped, swapped])
        else:
            first = rng.permuted(np.repeat([[1.0, 0.0]], n, axis=1).repeat(draws, axis=0), axis=1)
        return self.squared(first, 1 - first)


def distance(squared: FloatArray) -> FloatArray:
    """Return the MMD from estimates of its square; negative estimates give 0."""
    return np.sqrt(np.maximum(squared, 0.0))


@dataclass(frozen=True)
class Scored:
    """A measurement, and further JSON values that its record holds under "theory"."""

    measurement: Measurement
    more: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return self.measurement.as_dict() | {"theory": dict(self.more)}


def resampled(count: int, seed: int, *address: int) -> FloatArray:
    """Draw the counts of ``count`` pictures in each bootstrap sample: (RESAMPLES, count)."""
    rng = np.random.default_rng([0x7E0, seed, *address])
    counts = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return counts.astype(np.float64)


def spread_interval(
    metric: str, value: float, replicates: FloatArray, seed: int, over: str
) -> Interval:
    """Return ``value`` ± the replicates' standard deviation times the normal quantile, clipped to
    the metric's limits. Percentiles would be wrong, as resampled distances are biased upwards."""
    half = float(stats.norm.ppf(0.5 + LEVEL / 2) * replicates.std(ddof=1))
    low, high = cut(value - half, value + half, METRICS[metric].limits)
    return Interval(low, high, LEVEL, "bootstrap, normal", over, len(replicates), seed)


def null_limit(draws: FloatArray) -> dict[str, Any]:
    """Return the limit of the null distribution, as stated in records."""
    value = float(np.quantile(draws, NULL_LEVEL))
    return {"level": NULL_LEVEL, "value": value, "draws": len(draws)}
