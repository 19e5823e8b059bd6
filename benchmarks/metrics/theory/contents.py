"""Are the content codes of two domains distributed alike, and do codes of one content agree?

MUNIT's Proposition 2 says so of a perfect network: two different encoders share one content space.
Raw pictures, measured in the same way, say what the encoders had to bridge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import Interval, bootstrap_mean, wilson_share
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.theory.classifier import FOLDS, domain_hits, same_domain_accuracy
from benchmarks.metrics.theory.codes import Codes
from benchmarks.metrics.theory.kernels import (
    BetweenSamples,
    distance,
    l1_distances,
    squared_distances,
)
from benchmarks.metrics.theory.pairs import Pairs, pairs_of, resampled_ratios
from benchmarks.metrics.theory.replicates import (
    NULL_DRAWS,
    Scored,
    null_limit,
    resampled,
    spread_interval,
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
FEWEST = 8  # pictures of each domain: halves of a domain are classified too


@dataclass(frozen=True)
class ContentResult:
    """The numbers, and picture by picture the values behind those that are means."""

    scored: list[Scored]
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Compared:
    """Two samples of codes, compared in every way."""

    hits: NDArray[np.float64]  # (2, N)
    samples: BetweenSamples
    distances: NDArray[np.float64]  # (N, N), of pairs only
    pairs: Pairs | None

    @property
    def mmd(self) -> float:
        first = np.repeat([[1.0, 0.0]], self.samples.count, axis=1)
        return float(distance(self.samples.squared(first, 1 - first))[0])

    def numbers(self) -> dict[str, float]:
        """Every number by its metric's name, and the share of partners that come first."""
        found = {DOMAIN_ACCURACY.name: float(self.hits.mean()), CONTENT_MMD.name: self.mmd}
        if self.pairs is not None:
            found[PAIR_DISTANCE.name] = self.pairs.ratio
            found[RETRIEVAL_RANK.name] = float(self.pairs.ranks.mean())
            found["first"] = float(self.pairs.first.mean())
        return found


def _compared(a: Codes, b: Codes, paired: bool) -> _Compared:
    both = np.concatenate([a.maps, b.maps])
    samples = BetweenSamples(squared_distances(both, both), paired)
    distances = l1_distances(a.maps, b.maps) if paired else np.zeros((0, 0))
    pairs = pairs_of(distances) if paired else None
    return _Compared(domain_hits(a.summary, b.summary), samples, distances, pairs)


def content_scores(
    a: Codes, b: Codes, pixels: tuple[Codes, Codes], *, paired: bool, seed: int
) -> ContentResult:
    """The numbers of the codes of as many pictures of either domain.

    ``pixels``: the same pictures themselves as codes. ``paired``: a[i] and b[i] are of one content;
    without pairs the numbers of pairs are left out. Raises UserError for fewer than 8 pictures.
    """
    count = len(a)
    if count < FEWEST or {len(b), len(pixels[0]), len(pixels[1])} != {count}:
        raise UserError(
            f"{count} and {len(b)} content codes: give as many of both domains, {FEWEST} or more "
            "(set test=... higher where the pictures are drawn)"
        )
    found, control = _compared(a, b, paired), _compared(*pixels, paired)
    numbers, of_pixels = found.numbers(), control.numbers()
    halves = [same_domain_accuracy(codes.summary) for codes in (a, b)]
    null = distance(found.samples.mixed(NULL_DRAWS, np.random.default_rng([0x7E4, count])))
    more: dict[str, dict[str, Any]] = {
        DOMAIN_ACCURACY.name: {"same_domain": float(np.mean(halves))},
        CONTENT_MMD.name: {"null": null_limit(null), "bandwidth": found.samples.bandwidth},
        RETRIEVAL_RANK.name: {"first": numbers.pop("first", None)},
    }
    arrays: dict[str, NDArray[Any]] = {"hits": found.hits}
    if found.pairs is not None:
        more[RETRIEVAL_RANK.name]["first_pixels"] = of_pixels.pop("first")
        p = found.pairs
        arrays |= {"same": p.same, "others": p.others, "ranks": p.ranks, "first": p.first}
    about = {"protocol": f"contents@{count}", "N": count, "paired": paired}
    intervals = _intervals(found, numbers, paired, seed)
    scored = [
        Scored(
            Measurement(name, value, intervals[name], about),
            {"pixels": of_pixels[name]} | more.get(name, {}),
        )
        for name, value in numbers.items()
    ]
    return ContentResult(scored, arrays)


def _intervals(
    found: _Compared, numbers: dict[str, float], paired: bool, seed: int
) -> dict[str, Interval]:
    count = found.samples.count
    over = "contents" if paired else "pictures"
    first = resampled(count, seed)
    second = first if paired else resampled(count, seed, 1)
    none = np.zeros_like(first)
    drawn = {
        CONTENT_MMD.name: distance(
            found.samples.squared(np.hstack([first, none]), np.hstack([none, second]))
        )
    }
    # Codes of one content may hit or miss together.
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
