"""Are styles encoded from real pictures distributed as N(0, I), the distribution of sampled styles?

MUNIT's Proposition 2 states this for an optimal network, though no loss term compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.intervals import FloatArray
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.theory.kernels import (
    NULL_DRAWS,
    FromNormal,
    Points,
    Scored,
    collapsed,
    distance,
    normal_bandwidth,
    null_limit,
    resampled,
    spread_interval,
)
from models.errors import UserError

STYLE_MMD = Metric(
    name="style-mmd",
    unit="MMD",
    direction="lower",
    protocol="kernel distance between the styles of a domain's test pictures and N(0, I): the square "
    "root of the unbiased MMD^2 where it is above 0, with a Gaussian kernel whose bandwidth "
    "is the median distance of two draws from N(0, I); mean over the domains",
    limits=(0.0, 2**0.5),
)
MEAN_NORM = Metric(
    name="style-mean-norm",
    unit="standard deviations",
    direction="lower",
    protocol="root mean square, over a style's numbers, of their mean over a domain's test pictures; "
    "0 for N(0, I); mean over the domains",
    limits=(0.0, None),
)
COV_ERROR = Metric(
    name="style-cov-error",
    unit="of |I|",
    direction="lower",
    protocol="Frobenius norm of the difference between the covariance of the styles of a domain's "
    "test pictures and I, over the norm of I; 0 for N(0, I), 1 for styles that are all the "
    "same; mean over the domains",
    limits=(0.0, None),
)
METRICS = (STYLE_MMD, MEAN_NORM, COV_ERROR)


class Sample:
    """The styles (N, D) of one domain, which the three metrics describe."""

    def __init__(self, styles: Points) -> None:
        self._x = np.asarray(styles, dtype=np.float64)
        self._from_normal = FromNormal(self._x)

    def numbers(self, weights: FloatArray) -> FloatArray:
        """Return (3, R): ``METRICS``, from the counts of each style in R samples, (R, N)."""
        x = self._x
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean = shares @ x
        covariance = np.einsum("rn,nd,ne->rde", shares, x, x, optimize=True)
        covariance = covariance - mean[:, :, None] * mean[:, None, :]
        covariance *= len(x) / (len(x) - 1)
        error = np.linalg.norm(covariance - np.eye(x.shape[1]), axis=(1, 2))
        return np.stack(
            [
                distance(self._from_normal.squared(weights)),
                np.sqrt(np.square(mean).mean(axis=1)),
                error / np.sqrt(x.shape[1]),
            ]
        )


def style_scores(styles: Mapping[str, Points], *, paired: bool, seed: int) -> list[Scored]:
    """Return the three metrics of the styles (N, D), given by domain. ``paired``: pictures i of all
    domains show the same content and are resampled together. Each metric comes with the value of
    every domain and the limit below which 95 % of equally large samples from N(0, I) lie. Raises
    UserError for styles that are not finite."""
    if not all(np.isfinite(points).all() for points in styles.values()):
        raise UserError("styles must be finite, got NaN or infinity: use another checkpoint")
    count, dim = next(iter(styles.values())).shape
    samples = {domain: Sample(points) for domain, points in styles.items()}
    own = {domain: s.numbers(np.ones((1, count)))[:, 0] for domain, s in samples.items()}
    resamples = [
        sample.numbers(resampled(count, seed, 0 if paired else i))
        for i, sample in enumerate(samples.values())
    ]
    drawn = np.mean(resamples, axis=0)
    null = null_numbers(len(styles), count, dim)
    deviations = {
        domain: float(np.sqrt(np.asarray(points, np.float64).var(axis=0, ddof=1).mean()))
        for domain, points in styles.items()
    }
    about = {
        "protocol": f"styles@{count}", "N": count, "dim": dim, "domains": sorted(styles),
        "paired": paired, "kernel": "gaussian", "bandwidth": normal_bandwidth(dim),
    }  # fmt: skip
    scored = []
    for k, metric in enumerate(METRICS):
        value = float(np.mean([numbers[k] for numbers in own.values()]))
        interval = spread_interval(metric.name, value, drawn[k], seed, "pictures")
        more: dict[str, Any] = {
            "domains": {domain: float(numbers[k]) for domain, numbers in own.items()},
            "null": null_limit(null[k]),
            "deviation": deviations,
        }
        if metric is STYLE_MMD:
            more["collapsed"] = collapsed(dim)
        scored.append(Scored(Measurement(metric.name, value, interval, about), more))
    return scored


@lru_cache(maxsize=8)
def null_numbers(domains: int, count: int, dim: int) -> FloatArray:
    """Return (3, NULL_DRAWS): the metrics of samples from N(0, I), ``count`` styles per domain."""
    rng = np.random.default_rng([0x7E1, domains, count, dim])
    once = np.ones((1, count))

    def numbers() -> FloatArray:
        return Sample(rng.standard_normal((count, dim))).numbers(once)[:, 0]

    drawn = [np.mean([numbers() for _ in range(domains)], axis=0) for _ in range(NULL_DRAWS)]
    return np.stack(drawn, axis=1)
