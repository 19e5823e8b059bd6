"""Estimates over several trainings: mean, Student's t interval, and t tests.

The random variable is the training. Each seed is one training of every method, measured on the same
test pictures, so a quantity has one value per seed, and a comparison one difference (or ratio) per
seed. For n values with mean m and standard deviation s (denominator n - 1) the 95 % interval is
m ± t s / sqrt(n), where t is Student's 0.975 quantile with n - 1 degrees of freedom (n = 3: 4.303,
n = 8: 2.365). It covers the mean over all trainings, on these test pictures. Nothing is pooled
across methods. Ratios are averaged as logarithms (a geometric mean), other values untransformed.

Sources: Student, "The Probable Error of a Mean", Biometrika 1908; Holm, "A simple sequentially
rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

import benchmarks.metrics.diversity_protocols  # noqa: F401  declares the limits of diversity
from benchmarks.metric import METRICS
from reproduce.records.current import Current, Quantity, time_of

FEW = 4  # up to this number of seeds, captions warn that they are few


@dataclass(frozen=True)
class Estimate:
    """A mean over ``seeds`` trainings with its 95 % interval (NaN: not known); with one seed the
    interval is over inputs. ``deviation``: the standard deviation between trainings. ``note``: shown
    next to the value."""

    value: float
    low: float = math.nan
    high: float = math.nan
    seeds: int = 1
    deviation: float | None = None
    note: str = ""

    @property
    def half(self) -> float:
        """The longer side of the interval."""
        return max(self.high - self.value, self.value - self.low)


def over_trainings(
    values: Sequence[float], limits: tuple[float | None, float | None] = (None, None)
) -> Estimate:
    """The mean of ``values``, one per training, with its 95 % interval clipped to ``limits``; fewer
    than two values have no interval."""
    value = float(np.mean(values))
    if len(values) < 2:
        return Estimate(value)
    low, high = interval(values, 0.025, 0.025)
    least, greatest = limits
    low = low if least is None else max(low, least)
    high = high if greatest is None else min(high, greatest)
    return Estimate(value, low, high, len(values), float(np.std(values, ddof=1)))


def interval(values: Sequence[float], below: float, above: float) -> tuple[float, float]:
    """The interval with probability ``below`` and ``above`` outside its ends; two or more values."""
    low, high = stats.t.ppf([below, 1 - above], len(values) - 1) * stats.sem(values)
    return float(np.mean(values) + low), float(np.mean(values) + high)


def tails(values: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """One-sided p-values for the mean lying between ``low`` and ``high``, and for it lying outside.

    A limit may be infinite. Values without any spread give a p-value of 0 or 1.
    """
    # Inside means on the right side of both limits.
    inside = max(_beyond(values, low, 1), _beyond(values, high, -1))
    return inside, min(_beyond(values, low, -1), _beyond(values, high, 1))


def _beyond(values: Sequence[float], limit: float, sign: int) -> float:
    """The p-value for the mean lying above (``sign`` 1) or below (-1) a limit."""
    distance, error = sign * (float(np.mean(values)) - limit), float(stats.sem(values))
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / error, len(values) - 1))


def holm(p: Sequence[float], level: float) -> tuple[list[float], list[float]]:
    """Holm's corrected p-values, and the level at which each test was decided.

    The smallest of m p-values is compared with ``level`` / m, the next with ``level`` / (m - 1), and
    so on until one exceeds its level; all larger p-values share that level. A corrected p-value is
    at most ``level`` exactly if the p-value is at most its level.
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


def few(seeds: int, claims: int = 1) -> str:
    """A warning sentence if ``seeds`` are few, for intervals corrected for ``claims``; else empty."""
    if not 1 < seeds <= FEW:
        return ""
    t = stats.t.ppf(1 - 0.025 / claims, seeds - 1)
    tested = f" corrected for {claims} claims" if claims > 1 else ""
    return (
        f" With only {seeds} trainings, an interval{tested} extends {t:.3g} standard errors to either "
        f"side ({stats.t.ppf(1 - 0.025 / claims, 7):.3g} with 8 trainings)."
    )


Record = Mapping[str, Any]


class Cells(Current):
    """Estimates of quantities: the mean over seeds with its 95 % interval. If only one seed has the
    quantity, the value and interval of its record."""

    @property
    def trainings(self) -> tuple[int, ...]:
        """The seeds that cells average over; empty for one seed."""
        return self.seeds if len(self.seeds) > 1 else ()

    def record(self, quantity: Quantity) -> Record | None:
        """The newest record of a quantity, for its other fields."""
        found = self.records(quantity).values()
        return max(found, key=time_of, default=self.submission(quantity))

    def by_seed(self, *quantities: Quantity) -> dict[int, float]:
        """The mean of the ``quantities`` at each seed at which all of them were measured."""
        known = [self.values(quantity) for quantity in quantities]
        common = set(self.seeds).intersection(*known)
        return {seed: float(np.mean([of[seed] for of in known])) for seed in sorted(common)}

    def of(self, *quantities: Quantity) -> Estimate | None:
        """The mean of the ``quantities`` over the seeds at which all of them were measured; None if
        there is no such seed."""
        records = [self.records(quantity) for quantity in quantities]
        measured = sorted(set(self.seeds).intersection(*records))
        if not measured:
            known = [estimate_of(r) for of in quantities if (r := self.submission(of)) is not None]
            if not known or len(known) < len(quantities):
                return None
            return replace(_mean(known), seeds=max(1, len(self.trainings)))
        last = max(measured, key=lambda seed: max(time_of(of[seed]) for of in records))
        one = _mean([estimate_of(of[last]) for of in records])
        if len(self.seeds) == 1:
            return one
        by_seed = self.by_seed(*quantities)
        values = [by_seed[seed] for seed in measured]
        if all(quantity.of_pictures for quantity in quantities):
            # The mean over seeds, with the interval over pictures of one measurement.
            shift = float(np.mean(values)) - one.value
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            return replace(
                one, value=one.value + shift, low=one.low + shift, high=one.high + shift,
                seeds=len(self.trainings), deviation=deviation,
            )  # fmt: skip
        if len(values) == 1:
            return one
        metric = METRICS.get(records[0][last]["metric"])
        return over_trainings(values, metric.limits if metric else (None, None))


def estimate_of(record: Record) -> Estimate:
    """A record's value with its own interval."""
    interval = record["interval"]
    return Estimate(record["value"], *((interval["low"], interval["high"]) if interval else ()))


def _mean(cells: Sequence[Estimate]) -> Estimate:
    """The mean of cells; inputs of different tasks are independent, so variances add up."""
    if len(cells) == 1:
        return cells[0]
    value = float(np.mean([cell.value for cell in cells]))
    below, above = (
        math.sqrt(sum(d * d for d in halves)) / len(cells)
        for halves in ([c.value - c.low for c in cells], [c.high - c.value for c in cells])
    )
    return Estimate(value, value - below, value + above)
