"""Raw values as the statistics take them: rows over independent items, and a function of means.

Every measure of the tables is a smooth function of means over what was drawn at random: inputs with
all their translations, inputs with all votes on them, or real pictures with all their pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.diversity_result import DiversityResult
from benchmarks.intervals import FloatArray
from benchmarks.judges import Verdict
from benchmarks.mode_scores import ModeScores
from benchmarks.style_scores import entropy


def first(means: FloatArray) -> FloatArray:
    """Means (M, 1) themselves, as (M,)."""
    return means[:, 0]


@dataclass(frozen=True)
class Sample:
    """What one training (or the real data) showed.

    ``rows`` (N, D) belong to the independent items ``ids`` (N,); ``statistic`` takes means over
    items (M, D) to values (M,). ``space``: what the items are; items of one space and name are
    the same in every sample. Without items (``ids`` empty), ``rows`` (1, 1) is a value and
    ``error`` its standard error.
    """

    rows: FloatArray
    ids: tuple[str, ...]
    space: str
    statistic: Callable[[FloatArray], FloatArray] = first
    error: float = 0.0

    @cached_property
    def value(self) -> float:
        """The statistic of all items."""
        return float(self.statistic(self.rows.mean(axis=0)[None])[0])


def of_diversity(found: DiversityResult) -> Sample:
    """Mean over inputs of the mean distance of their pairs; of real data, over pairs of pictures.

    A real picture's row is the mean plus N / P times the sum of the residuals of its pairs, so that
    the mean over pictures is that over pairs, and drawing pictures has at least the variance of
    Aronow, Samii and Assenova (``benchmarks.intervals.dyadic_mean``).
    """
    per_row = found.distances.mean(axis=1, dtype=np.float64)
    if found.input_ids:
        return Sample(per_row[:, None], found.input_ids, "inputs")
    ids, index = np.unique(found.pair_ids, return_inverse=True)
    residual = np.repeat(per_row - per_row.mean(), 2)
    sums = np.bincount(index.ravel(), weights=residual, minlength=len(ids))
    rows = per_row.mean() + len(ids) / len(per_row) * sums
    return Sample(rows[:, None], tuple(ids.tolist()), "real pictures")


def of_votes(found: Verdict) -> Sample:
    """Share of votes for the method, in percent. Inputs are drawn; the judges stay."""
    judges = len(found.votes)
    ids, index = np.unique(found.names, return_inverse=True)
    votes = np.bincount(index, weights=found.votes.sum(axis=0), minlength=len(ids))
    asked = judges * np.bincount(index, minlength=len(ids))

    def share(means: FloatArray) -> FloatArray:
        return 100 * means[:, 0] / means[:, 1]

    rows = np.column_stack([votes, asked]).astype(np.float64)
    return Sample(rows, tuple(ids.tolist()), "judged inputs", share)


def of_modes(found: ModeScores, family: str) -> Sample:
    """IS or CIS in nats, or ``cis/is``: the part of IS that varies while the input stays the same;
    NaN where nothing varies (IS is 0)."""
    sums = found.sums

    def inception(means: FloatArray) -> FloatArray:
        # IS is CIS and what the input decides, which rounding leaves a last bit below 0.
        return means[:, -1] + np.maximum(entropy(means[:, :-2]) - means[:, -2], 0.0)

    def share(means: FloatArray) -> FloatArray:
        total = inception(means)
        ratio = np.full_like(total, np.nan)
        np.divide(means[:, -1], total, out=ratio, where=total > 0)
        return ratio

    rows = np.column_stack([sums.mean, sums.total, sums.cis])
    statistic = {"cis": lambda means: means[:, -1], "is": inception, "cis/is": share}[family]
    return Sample(rows, found.input_ids, "inputs", statistic)


def of_value(value: float, error: float) -> Sample:
    """A number whose raw values are not resampled here, with its standard error."""
    return Sample(np.array([[value]]), (), "", error=error)
