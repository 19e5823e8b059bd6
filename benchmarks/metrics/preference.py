"""Preference shares with intervals clustered by question and rater, and raters' agreement.

Sources: Cameron, Gelbach and Miller, "Robust inference with multiway clustering", JBES 2011;
Wilson's interval with an effective sample size, Dean and Pagano, "Evaluating confidence interval
methods for binomial proportions in clustered surveys", JSSAM 2015; Krippendorff, "Computing
Krippendorff's alpha-reliability", 2011.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from benchmarks.intervals import Interval
from benchmarks.metric import Measurement
from models.errors import UserError


@dataclass(frozen=True)
class Preference:
    """How often the method was preferred to the reference, as a share in [0, 1]."""

    share: float
    interval: Interval
    n_questions: int
    n_raters: int
    n_votes: int

    def measurement(self, metric: str, protocol: Mapping[str, Any] | None = None) -> Measurement:
        """As a value of the declared ``metric``, in percent; the counts join ``protocol``."""
        percent = replace(self.interval, low=100 * self.interval.low, high=100 * self.interval.high)
        counts = {"questions": self.n_questions, "raters": self.n_raters, "votes": self.n_votes}
        return Measurement(metric, 100 * self.share, percent, dict(protocol or {}) | counts)


def preference(
    choices: ArrayLike, questions: ArrayLike, raters: ArrayLike, level: float = 0.95
) -> Preference:
    """Share of ``choices`` (N,) that are 1 (the method preferred; 0: the reference).

    ``questions`` and ``raters`` (N,) name the question that each vote answers and who gave it, by
    numbers or strings; raters need not answer every question. The interval is valid for other
    questions and other raters than these.

    Variance: that between questions, plus what raters add to independent votes (Cameron, Gelbach
    and Miller), each corrected by its effective number of clusters (sum n)^2 / sum n^2. Quantile: t
    with Satterthwaite's degrees of freedom. The interval is Wilson's with the sample size
    that has this variance, so it stays in [0, 1] and has width at shares 0 and 1.

    Raises UserError for fewer than two questions or raters.
    """
    votes = np.asarray(choices, dtype=np.float64)
    names, question = np.unique(questions, return_inverse=True)
    people, rater = np.unique(raters, return_inverse=True)
    n_questions, n_raters = len(names), len(people)
    for count, of in ((n_questions, "questions"), (n_raters, "raters")):
        if count < 2:
            raise UserError(f"an interval over {of} needs at least 2 of them: ask more")
    share = float(votes.mean())
    inverse, freedom = _between_questions(votes, question)
    by_rater, rater_freedom = _clustered(votes, rater)
    alone, _ = _clustered(votes, question * n_raters + rater)
    spread = max(share * (1 - share), 1 / len(votes))
    added = max(by_rater - alone, 0.0) / spread
    # Satterthwaite: what raters add is as uncertain as the sum it was computed from.
    uncertain = inverse**2 / freedom + (by_rater / spread) ** 2 / rater_freedom
    inverse += added
    freedom = min(freedom, inverse**2 / uncertain)
    low, high = _wilson(share, 1 / inverse, float(stats.t.ppf(0.5 + level / 2, max(1.0, freedom))))
    interval = Interval(low, high, level, "Wilson, cluster-robust", "questions and raters")
    return Preference(share, interval, n_questions, n_raters, len(votes))


def _clustered(votes: NDArray[np.float64], cluster: NDArray[np.intp]) -> tuple[float, float]:
    """Variance of the mean of ``votes`` when whole clusters are drawn, and its freedom."""
    residual = votes - votes.mean()
    sums = np.bincount(cluster, weights=residual)
    sizes = np.bincount(cluster).astype(np.float64)
    # Exact for independent votes whatever the sizes, and G / (G - 1) for G equal clusters.
    lost = float(sizes @ sizes) / len(votes) ** 2
    return float(sums @ sums) / len(votes) ** 2 / (1 - lost), 1 / lost - 1


def _between_questions(
    votes: NDArray[np.float64], question: NDArray[np.intp]
) -> tuple[float, float]:
    """One over the effective number of votes that clustering by question leaves, and its freedom.
    Two questions of average size are added, one unanimous each way: else unanimous votes would have
    no variance, and nearly unanimous ones one that a few votes decide."""
    n_questions = int(question.max()) + 1
    size = max(1, round(len(votes) / n_questions))
    more = np.repeat([0, 1], size)
    padded = np.concatenate([votes, more])
    variance, freedom = _clustered(padded, np.concatenate([question, n_questions + more]))
    mean = float(padded.mean())
    return variance / (mean * (1 - mean)) * len(padded) / len(votes), max(1.0, freedom - 2)


def _wilson(share: float, votes: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval of a ``share`` of so many effective ``votes``."""
    squared = quantile**2 / votes
    centre = (share + squared / 2) / (1 + squared)
    half = math.sqrt(squared * share * (1 - share) + squared**2 / 4) / (1 + squared)
    # The ends of [0, 1] are met exactly, whatever rounding says.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def krippendorff_alpha(values: ArrayLike, units: ArrayLike) -> float | None:
    """Krippendorff's nominal alpha of ``values`` (N,) given to ``units`` (N,), each by another
    rater. 1: raters always agree; 0: as much as by chance; below: less. A rater may leave units out
    (the row is absent); a unit with one value counts for nothing. None where all values are the
    same or none can be compared: without variation, agreement cannot be told from chance."""
    value, unit = (np.unique(v, return_inverse=True)[1] for v in (values, units))
    if len(value) == 0:
        return None
    counts = np.zeros((unit.max() + 1, value.max() + 1))
    np.add.at(counts, (unit, value), 1)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return None
    per_unit = counts.sum(axis=1, keepdims=True)
    # Coincidences: ordered pairs of values within units, each unit weighing as its values.
    coincidences = (counts / (per_unit - 1)).T @ counts
    coincidences -= np.diag((counts / (per_unit - 1)).sum(axis=0))
    totals = coincidences.sum(axis=0)
    observed = totals.sum() - np.trace(coincidences)
    expected = (totals.sum() ** 2 - totals @ totals) / (totals.sum() - 1)
    return None if expected <= 0 else float(1 - observed / expected)
