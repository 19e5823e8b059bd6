"""Do the content codes of two domains have the same distribution, and do codes of the same content
agree?

MUNIT's Proposition 2 states this for an optimal network: the two encoders share one content space.
The same metrics on raw pictures show the gap that the encoders had to bridge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import FloatArray, Interval, bootstrap_mean, wilson_share
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.theory.codes import FOLDS, Codes, domain_hits, same_domain_accuracy
from benchmarks.metrics.theory.kernels import (
    NULL_DRAWS,
    BetweenSamples,
    Scored,
    distance,
    l1_distances,
    null_limit,
    resampled,
    spread_interval,
    squared_distances,
)
from models.errors import UserError

DOMAIN_ACCURACY = Metric(
    name="content-domain-accuracy",
    unit="share",
    direction="lower",
    protocol=f"share of test pictures whose domain a classifier finds from their content codes, "
    f"learned from other pictures ({FOLDS} folds, both domains of one size): kernel ridge "
    "regression on each channel's mean, deviation, extremes and 4 x 4 map; 0.5 is chance",
    limits=(0.0, 1.0),
)
CONTENT_MMD = Metric(
    name="content-mmd",
    unit="MMD",
    direction="lower",
    protocol="kernel distance between the content codes of the two domains' test pictures: the "
    "square root of the unbiased MMD^2 where it is above 0, with a Gaussian kernel whose "
    "bandwidth is the median distance between all codes",
    limits=(0.0, 2**0.5),
)
PAIR_DISTANCE = Metric(
    name="content-pair-distance",
    unit="of different contents",
    direction="lower",
    protocol="mean absolute difference between the codes of one content, encoded from its picture in "
    "either domain, over that of different contents; 0: the same code, 1: no nearer than any",
    limits=(0.0, None),
)
RETRIEVAL_RANK = Metric(
    name="content-retrieval-rank",
    unit="share",
    direction="lower",
    protocol="share of the other domain's codes that are nearer to a picture's code than that of the "
    "same content, by mean absolute difference; mean of both directions; 0.5 is chance",
    limits=(0.0, 1.0),
)
METRICS = (DOMAIN_ACCURACY, CONTENT_MMD, PAIR_DISTANCE, RETRIEVAL_RANK)
OF_PAIRS = (PAIR_DISTANCE, RETRIEVAL_RANK)
FEWEST = 8  # pictures per domain, since halves of a domain are classified too


@dataclass(frozen=True)
class Pairs:
    """Statistics of the distances of N pairs, per pair.

    ``same`` (N,): distance between the two codes; ``others`` (N,): mean distance of both codes to
    the other domain's codes of other contents. ``ranks`` (N,): share of other contents that are
    nearer than the partner, mean of both directions (0: none, 0.5: chance). ``first`` (N,): share
    of directions in which the partner is the nearest.
    """

    same: FloatArray
    others: FloatArray
    ranks: FloatArray
    first: FloatArray

    @property
    def ratio(self) -> float:
        """Distance between codes of the same content over that of different contents. 0: equal
        codes; 1: no nearer than others, also if all codes are equal."""
        return float(_over(self.same.mean(keepdims=True), self.others.mean(keepdims=True))[0])


def pairs_of(distances: FloatArray) -> Pairs:
    """Compute ``Pairs`` from distances (N, N) between a[i] and b[j], where a[i] and b[i] are a
    pair; N >= 2. Codes at equal distances share their ranks."""
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
    """Return the ratio in each bootstrap sample of pairs; copies of a pair are not different
    contents."""
    weights = resampled(len(distances), seed)
    apart = distances - np.diag(np.diagonal(distances))
    total = weights.sum(axis=1)
    same = weights @ np.diagonal(distances) / total
    pairs = total**2 - np.square(weights).sum(axis=1)
    return _over(same, ((weights @ apart) * weights).sum(axis=1) / pairs)


def _over(same: FloatArray, others: FloatArray) -> FloatArray:
    return np.divide(same, others, out=np.ones_like(same), where=others > 0)


@dataclass(frozen=True)
class ContentResult:
    """The scores, and the values per picture behind those that are means."""

    scored: list[Scored]
    arrays: dict[str, NDArray[Any]]


class _Compared:
    """All comparisons of two samples of codes; those of pairs only if ``paired``."""

    def __init__(self, a: Codes, b: Codes, paired: bool) -> None:
        both = np.concatenate([a.maps, b.maps])
        self.samples = BetweenSamples(squared_distances(both, both), paired)
        self.distances = l1_distances(a.maps, b.maps) if paired else np.zeros((0, 0))
        self.pairs = pairs_of(self.distances) if paired else None
        self.hits = domain_hits(a.summary, b.summary)  # (2, N)
        first = np.repeat([[1.0, 0.0]], len(a), axis=1)
        self.numbers = {
            DOMAIN_ACCURACY.name: float(self.hits.mean()),
            CONTENT_MMD.name: float(distance(self.samples.squared(first, 1 - first))[0]),
        }
        if self.pairs is not None:
            self.numbers[PAIR_DISTANCE.name] = self.pairs.ratio
            self.numbers[RETRIEVAL_RANK.name] = float(self.pairs.ranks.mean())


def content_scores(
    a: Codes, b: Codes, pixels: tuple[Codes, Codes], *, paired: bool, seed: int
) -> ContentResult:
    """Return the metrics of the codes ``a`` and ``b`` of equally many pictures of two domains.
    ``pixels``: the pictures themselves as codes, a baseline. ``paired``: a[i] and b[i] have the
    same content; else metrics of pairs are omitted. UserError for fewer than 8 pictures."""
    count = len(a)
    if count < FEWEST or {len(b), len(pixels[0]), len(pixels[1])} != {count}:
        raise UserError(
            f"{count} and {len(b)} content codes: give as many of both domains, {FEWEST} or more "
            "(set test=... higher where the pictures are drawn)"
        )
    found, control = _Compared(a, b, paired), _Compared(*pixels, paired)
    halves = [same_domain_accuracy(codes.summary) for codes in (a, b)]
    null = distance(found.samples.mixed(NULL_DRAWS, np.random.default_rng([0x7E4, count])))
    more: dict[str, dict[str, Any]] = {
        DOMAIN_ACCURACY.name: {"same_domain": float(np.mean(halves))},
        CONTENT_MMD.name: {"null": null_limit(null), "bandwidth": found.samples.bandwidth},
    }
    arrays: dict[str, NDArray[Any]] = {"hits": found.hits}
    if found.pairs is not None and control.pairs is not None:
        p, q = found.pairs, control.pairs
        first = {"first": float(p.first.mean()), "first_pixels": float(q.first.mean())}
        more[RETRIEVAL_RANK.name] = first
        arrays |= {"same": p.same, "others": p.others, "ranks": p.ranks, "first": p.first}
    about = {"protocol": f"contents@{count}", "N": count, "paired": paired}
    intervals = _intervals(found, paired, seed)
    scored = [
        Scored(
            Measurement(name, value, intervals[name], about),
            {"pixels": control.numbers[name]} | more.get(name, {}),
        )
        for name, value in found.numbers.items()
    ]
    return ContentResult(scored, arrays)


def _intervals(found: _Compared, paired: bool, seed: int) -> dict[str, Interval]:
    count, numbers = found.samples.count, found.numbers
    over = "contents" if paired else "pictures"
    first = resampled(count, seed)
    second = first if paired else resampled(count, seed, 1)
    none = np.zeros_like(first)
    drawn = {
        CONTENT_MMD.name: distance(
            found.samples.squared(np.hstack([first, none]), np.hstack([none, second]))
        )
    }
    # Hits of the two codes of a content are not independent.
    trials = count if paired else 2 * count
    intervals = {
        DOMAIN_ACCURACY.name: wilson_share(numbers[DOMAIN_ACCURACY.name], trials, over=over)
    }
    if found.pairs is not None:
        intervals[RETRIEVAL_RANK.name] = bootstrap_mean(found.pairs.ranks, seed, over=over)
        drawn[PAIR_DISTANCE.name] = resampled_ratios(found.distances, seed)
    for name, replicates in drawn.items():
        intervals[name] = spread_interval(name, numbers[name], replicates, seed, over)
    return intervals
