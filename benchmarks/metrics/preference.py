"""Preference shares with intervals clustered by question and rater, and agreement between raters.

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
    """The share of votes, in [0, 1], for the method, with interval and counts."""

    share: float
    interval: Interval
    n_questions: int
    n_raters: int
    n_votes: int

    def measurement(self, metric: str, protocol: Mapping[str, Any] | None = None) -> Measurement:
        """Return it as a value of ``metric``, in percent; the counts are added to ``protocol``."""
        percent = replace(self.interval, low=100 * self.interval.low, high=100 * self.interval.high)
        counts = {"questions": self.n_questions, "raters": self.n_raters, "votes": self.n_votes}
        return Measurement(metric, 100 * self.share, percent, dict(protocol or {}) | counts)


def preference(
    choices: ArrayLike, questions: ArrayLike, raters: ArrayLike, level: float = 0.95
) -> Preference:
    """Return the share of ``choices`` (N,) that are 1 (method preferred; 0: reference preferred).

    ``questions`` and ``raters`` (N,) are the question and the rater of each vote, as numbers or
    strings; raters need not answer every question. The interval generalises to new questions and
    raters.

    Variance: that between questions, plus what raters add to independent votes (Cameron, Gelbach
    and Miller), each corrected by its effective number of clusters (sum n)^2 / sum n^2. Quantile: t
    with Satterthwaite's degrees of freedom. The interval is Wilson's for the effective sample size
    with this variance, so it stays in [0, 1] and has a positive width at shares 0 and 1.

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
    # Satterthwaite: the raters' addition is as uncertain as the sum from which it was computed.
    uncertain = inverse**2 / freedom + (by_rater / spread) ** 2 / rater_freedom
    inverse += added
    freedom = min(freedom, inverse**2 / uncertain)
    low, high = _wilson(share, 1 / inverse, float(stats.t.ppf(0.5 + level / 2, max(1.0, freedom))))
    interval = Interval(low, high, level, "Wilson, cluster-robust", "questions and raters")
    return Preference(share, interval, n_questions, n_raters, len(votes))


def _clustered(votes: NDArray[np.float64], cluster: NDArray[np.intp]) -> tuple[float, float]:
    """Return the variance of the mean of ``votes`` under sampling of clusters, and its degrees of
    freedom."""
    residual = votes - votes.mean()
    sums = np.bincount(cluster, weights=residual)
    sizes = np.bincount(cluster).astype(np.float64)
    # Exact for independent votes in clusters of any sizes; G / (G - 1) for G equal clusters.
    lost = float(sizes @ sizes) / len(votes) ** 2
    return float(sums @ sums) / len(votes) ** 2 / (1 - lost), 1 / lost - 1


def _between_questions(
    votes: NDArray[np.float64], question: NDArray[np.intp]
) -> tuple[float, float]:
    """Return one over the effective number of votes under clustering by question, and its degrees
    of freedom. Two questions of average size are added, one unanimous each way; otherwise unanimous
    votes would have no variance, and that of nearly unanimous ones would depend on a few votes."""
    n_questions = int(question.max()) + 1
    size = max(1, round(len(votes) / n_questions))
    more = np.repeat([0, 1], size)
    padded = np.concatenate([votes, more])
    variance, freedom = _clustered(padded, np.concatenate([question, n_questions + more]))
    mean = float(padded.mean())
    return variance / (mean * (1 - mean)) * len(padded) / len(votes), max(1.0, freedom - 2)


def _wilson(share: float, votes: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's interval of a ``share`` of effectively ``votes`` votes."""
    squared = quantile**2 / votes
    centre = (share + squared / 2) / (1 + squared)
    half = math.sqrt(squared * share * (1 - share) + squared**2 / 4) / (1 + squared)
    # Rounding must not move the interval off 0 or 1.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def krippendorff_alpha(values: ArrayLike, units: ArrayLike) -> float | None:
    """Return Krippendorff's nominal alpha of ``values`` (N,) given to ``units`` (N,), each by a
    different rater. 1: perfect agreement; 0: chance; negative: less than chance. Units may have
    missing ratings (absent rows); a unit with one value is ignored. None if all values are equal or
    none can be compared: without variation, agreement cannot be distinguished from chance."""
    value, unit = (np.unique(v, return_inverse=True)[1] for v in (values, units))
    if len(value) == 0:
        return None
    counts = np.zeros((unit.max() + 1, value.max() + 1))
    np.add.at(counts, (unit, value), 1)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return None
    per_unit = counts.sum(axis=1, keepdims=True)
    # Coincidences: ordered pairs of values within units; a unit's weight is its number of values.
    coincidences = (counts / (per_unit - 1)).T @ counts
    coincidences -= np.diag((counts / (per_unit - 1)).sum(axis=0))
    totals = coincidences.sum(axis=0)
    observed = totals.sum() - np.trace(coincidences)
    expected = (totals.sum() ** 2 - totals @ totals) / (totals.sum() - 1)
    return None if expected <= 0 else float(1 - observed / expected)
