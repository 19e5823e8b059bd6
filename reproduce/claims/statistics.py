"""Draws of a number under new inputs and new trainings; intervals, p-values and Holm's correction.

What was drawn at random is drawn again. **Inputs** are resampled as whole clusters: translations of
one input share it, so as single values they would promise more certainty than there is. All
methods and seeds were given the same inputs, so every resample takes the same inputs for all of
them, and what an input does to both sides of a comparison cancels.

**Seeds** are not resampled but drawn from Student's t around their mean. Three trainings have only
ten different resamples, with 2/3 of the variance they should have and no tails: nominal 95 %
intervals from them cover 80 to 85 % (simulated in the tests), and no level below 1/27 can be reached
at all, where correction for many claims asks for 1/1000. The spread between seeds of one method is itself hardly
known from three of them; all methods together tell how much spreads differ, and each is shrunk
towards their common value as far as that says (Smyth, 2004). With one seed nothing is
known of other trainings: the draws are over inputs only, and whoever shows them must say so.

Sources: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, sections 2.4 and 3.8;
Hesterberg, "What teachers should know about the bootstrap", American Statistician 2015 (small
samples); Smyth, "Linear models and empirical Bayes methods for assessing differential expression",
SAGMB 2004, sections 4 to 6; Holm, "A simple sequentially rejective multiple test procedure",
Scandinavian Journal of Statistics 1979.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from benchmarks.intervals import FloatArray
from reproduce.claims.samples import Sample

RESAMPLES = 20_000  # Holm's smallest level for 60 claims is then met by 8 resamples in a tail
CHUNK = 2_000  # resamples whose counts are held as floating-point numbers at once


class Draws:
    """Resamples, each of them one world: the same new inputs and seeds wherever they are asked for.

    ``seed`` and the names of what is drawn address every random number, so that neither the order
    nor the number of claims changes a draw.
    """

    def __init__(self, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.seed, self.resamples = seed, resamples
        self._counts: dict[tuple[str, str, tuple[str, ...]], NDArray[np.uint8]] = {}

    def over_inputs(self, sample: Sample, place: str) -> FloatArray:
        """Values (B,) of the statistic under other inputs; ``place`` tells whose: items of two
        places are different ones, whatever they are called.

        The statistic's bias, twice that of its resamples' mean, is taken off: entropies are
        too low on a sample, and still lower on its resamples.
        """
        if not sample.ids:
            normal = special.ndtri(self.uniform("value", place))
            return sample.value + sample.error * normal
        counts, found = self._counts_of(sample, place), []
        for start in range(0, self.resamples, CHUNK):
            chunk = counts[start : start + CHUNK].astype(np.float64)
            found.append(sample.statistic(chunk @ sample.rows / len(sample.ids)))
        drawn = np.concatenate(found)
        bias = np.nanmean(drawn) - sample.value if np.isfinite(drawn).any() else 0.0
        return drawn - 2 * bias

    def _counts_of(self, sample: Sample, place: str) -> NDArray[np.uint8]:
        """(B, N): how often each resample holds each item."""
        key = (place, sample.space, sample.ids)
        if key not in self._counts:
            rng, items = self._rng(*map(str, key)), len(sample.ids)
            index = rng.integers(items, size=(self.resamples, items), dtype=np.int32)
            index += items * np.arange(self.resamples, dtype=np.int32)[:, None]
            counts = np.bincount(index.ravel(), minlength=self.resamples * items)
            self._counts[key] = counts.reshape(self.resamples, items).astype(np.uint8)
        return self._counts[key]

    def over_seeds(self, spread: Spread, training: str) -> FloatArray:
        """Deviations (B,) of a mean over seeds from that over all trainings. Numbers of one
        ``training`` (method, task) deviate together: as if perfectly correlated, which is
        the cautious way for their means."""
        if spread.seeds < 2 or spread.deviation == 0.0:
            return np.zeros(self.resamples)
        t = stats.t.ppf(self.uniform("training", training), spread.freedom)
        return t * spread.deviation / math.sqrt(spread.seeds)

    def uniform(self, *address: str) -> FloatArray:
        """(B,) numbers in (0, 1)."""
        return 1.0 - self._rng(*address).random(self.resamples)

    def _rng(self, *address: str) -> np.random.Generator:
        digest = hashlib.sha256("\0".join(address).encode()).digest()
        return np.random.default_rng([0xC1A1, self.seed, int.from_bytes(digest[:16])])


@dataclass(frozen=True)
class Spread:
    """Standard deviation between trainings, on the family's scale, and its degrees of freedom."""

    deviation: float
    freedom: float
    seeds: int


@dataclass(frozen=True)
class Prior:
    """What all methods together tell of the variance between seeds: scaled inverse chi-square."""

    variance: float
    freedom: float  # 0: nothing; infinite: it is the same for all methods
    pooled: float  # degrees of freedom of all methods, which none can exceed


NOTHING = Prior(0.0, 0.0, 0.0)
FEWEST = 4  # groups that a prior is estimated from


def prior_of(groups: Sequence[ArrayLike]) -> Prior:
    """The prior of the variances of ``groups``, each the values of one method's seeds.

    By the first two moments of the logarithms of variances (Smyth 2004, section 6.2). Groups
    of one value or without spread say nothing; of fewer than four nothing is concluded.
    """
    known = [np.asarray(g, dtype=np.float64) for g in groups if len(np.atleast_1d(g)) > 1]
    known = [g for g in known if np.ptp(g) > 0]
    if len(known) < FEWEST:
        return NOTHING
    freedom = np.array([len(g) - 1 for g in known], dtype=np.float64)
    variance = np.array([g.var(ddof=1) for g in known])
    logs = np.log(variance) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean()
    pooled = float(freedom.sum())
    if excess <= 0:
        return Prior(float(freedom @ variance / pooled), math.inf, pooled)
    half = _inverse_trigamma(float(excess))
    location = math.exp(float(logs.mean()) + float(special.digamma(half)) - math.log(half))
    return Prior(location, 2 * half, pooled)


def _inverse_trigamma(y: float) -> float:
    """x > 0 with trigamma(x) = y, by Newton's steps on 1 / trigamma, which is convex (Smyth 2004,
    appendix)."""
    x = 0.5 + 1 / y
    for _ in range(50):
        value = float(special.polygamma(1, x))
        step = value * (1 - value / y) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


def spread_of(values: ArrayLike, prior: Prior = NOTHING) -> Spread:
    """Standard deviation between the seeds whose ``values`` (S,) these are, shrunk by ``prior``."""
    found = np.asarray(values, dtype=np.float64)
    seeds, freedom = len(found), len(found) - 1
    if freedom < 1:
        return Spread(0.0, 0.0, seeds)
    own = float(found.var(ddof=1))
    if math.isinf(prior.freedom):
        return Spread(math.sqrt(prior.variance), prior.pooled, seeds)
    total = prior.freedom + freedom
    variance = (prior.freedom * prior.variance + freedom * own) / total
    return Spread(math.sqrt(variance), min(total, max(prior.pooled, freedom)), seeds)


def tails(draws: FloatArray, low: float, high: float) -> tuple[float, float]:
    """One-sided p-values of ``draws`` (B,) that the number lies between ``low`` and ``high``, and
    that it lies outside: shares of draws that say otherwise. NaN speaks against both."""

    def share(against: NDArray[np.bool_]) -> float:
        return (int(against.sum()) + 1) / (len(draws) + 1)

    # To lie between two limits is to lie on the right side of both.
    sides = [share(~(draws > low)) if math.isfinite(low) else 0.0,
             share(~(draws < high)) if math.isfinite(high) else 0.0]  # fmt: skip
    outside = [share(~(draws < low)) if math.isfinite(low) else 1.0,
               share(~(draws > high)) if math.isfinite(high) else 1.0]  # fmt: skip
    return max(sides), min(outside)


def interval(draws: FloatArray, below: float, above: float) -> tuple[float, float]:
    """The ends that leave at most the shares ``below`` and ``above`` outside, so that an end passes
    a limit exactly where ``tails`` gives that p-value or less."""

    def end(ordered: FloatArray, share: float) -> float:
        # p = (k + 1) / (B + 1), with k draws beyond; a hair more for a share that is such a p.
        k = math.floor(share * (len(ordered) + 1) * (1 + 1e-12))
        return float(ordered[k - 1]) if k >= 1 else -math.inf

    low = end(np.sort(np.where(np.isnan(draws), -math.inf, draws)), below)
    high = -end(np.sort(np.where(np.isnan(draws), -math.inf, -draws)), above)
    return low, high


def holm(p: Sequence[float], level: float) -> tuple[list[float], list[float]]:
    """Holm's corrected p-values, and the level at which each test was decided.

    The smallest of m is held against ``level`` / m, the next against ``level`` / (m - 1), until one
    is not below; that one's level is also that of all larger ones. A corrected p-value is at most
    ``level`` exactly where the p-value is at most its level.
    """
    corrected, levels = [0.0] * len(p), [0.0] * len(p)
    largest, stopped = 0.0, None
    for rank, number in enumerate(sorted(range(len(p)), key=lambda i: (p[i], i))):
        left = len(p) - rank
        largest = max(largest, min(1.0, p[number] * left))
        corrected[number] = largest
        if stopped is None and largest > level:
            stopped = level / left
        levels[number] = stopped or level / left
    return corrected, levels
