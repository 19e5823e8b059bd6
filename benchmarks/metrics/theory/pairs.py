"""Codes of one content, encoded from its picture in either domain: how near, and is it found again?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.intervals import FloatArray
from benchmarks.metrics.theory.replicates import resampled


@dataclass(frozen=True)
class Pairs:
    """What the distances of N pairs say, picture by picture.

    ``same`` (N,): from each code to its partner's; ``others`` (N,): mean distance, of both the
    code and its partner, to the other domain's codes of other contents. ``ranks`` (N,): the share
    of other contents that are nearer than the partner, mean of both directions; 0: none, chance:
    0.5. ``first`` (N,): how often the partner is the nearest.
    """

    same: FloatArray
    others: FloatArray
    ranks: FloatArray
    first: FloatArray

    @property
    def ratio(self) -> float:
        """Distance of codes of one content over that of different contents: 0: same, 1: no nearer
        than any, as where all codes are the same."""
        return float(_over(self.same.mean(keepdims=True), self.others.mean(keepdims=True))[0])


def pairs_of(distances: FloatArray) -> Pairs:
    """From distances (N, N) between a[i] and b[j], of which a[i] and b[i] are a pair; N >= 2.

    Codes at one distance share their ranks.
    """
    n = len(distances)
    same = np.diagonal(distances).copy()
    others = (distances.sum(axis=1) + distances.sum(axis=0) - 2 * same) / (2 * (n - 1))
    ranks, first = np.zeros(n), np.zeros(n)
    for table in (distances, distances.T):
        nearer = (table < same[:, None]).sum(axis=1)
        equal = (table == same[:, None]).sum(axis=1) - 1
        ranks += (nearer + equal / 2) / (n - 1) / 2
        first += np.where(nearer == 0, 1 / (1 + equal), 0.0) / 2
    return Pairs(same, others, ranks, first)


def resampled_ratios(distances: FloatArray, seed: int) -> FloatArray:
    """The ratio in each of the bootstrap's samples of pairs; copies of one pair are no different
    contents."""
    weights = resampled(len(distances), seed)
    apart = distances - np.diag(np.diagonal(distances))
    total = weights.sum(axis=1)
    same = weights @ np.diagonal(distances) / total
    pairs = total**2 - np.square(weights).sum(axis=1)
    return _over(same, ((weights @ apart) * weights).sum(axis=1) / pairs)


def _over(same: FloatArray, others: FloatArray) -> FloatArray:
    return np.divide(same, others, out=np.ones_like(same), where=others > 0)
