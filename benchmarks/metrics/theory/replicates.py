"""Intervals of statistics that are no means, and what a record tells beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.intervals import FloatArray, Interval
from benchmarks.metric import METRICS, Measurement

RESAMPLES = 1000
NULL_DRAWS = 500
NULL_LEVEL = 0.95  # of what chance alone gives, this share lies below the limit
LEVEL = 0.95


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
    least, greatest = METRICS[metric].limits
    low, high = value - half, value + half
    low = low if least is None else max(low, least)
    high = high if greatest is None else min(high, greatest)
    return Interval(low, high, LEVEL, "bootstrap, normal", over, len(replicates), seed)


def null_limit(draws: FloatArray) -> dict[str, Any]:
    """What chance alone reaches, as records tell it."""
    value = float(np.quantile(draws, NULL_LEVEL))
    return {"level": NULL_LEVEL, "value": value, "draws": len(draws)}
