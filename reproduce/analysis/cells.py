"""A table's numbers: what the records that count say, of one training or as a mean over several."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import benchmarks.metrics.diversity  # noqa: F401  declares the limits of diversity
from benchmarks.metric import METRICS
from reproduce.analysis.estimate import Estimate, over_trainings
from reproduce.records.current import Current, Quantity

Record = Mapping[str, Any]


class Cells:
    """Estimates of quantities: the mean over seeds with its 95 % interval; where ``evidence`` is of
    one seed, or one seed alone has the quantity, the record's value and interval as they are."""

    def __init__(self, evidence: Current) -> None:
        self._evidence = evidence
        self.seeds = evidence.seeds if len(evidence.seeds) > 1 else ()  # that cells are means over

    def record(self, quantity: Quantity) -> Record | None:
        """The newest record of a quantity, for what it says beside its value."""
        found = self._evidence.records(quantity).values()
        submitted = self._evidence.submission(quantity)
        return max(found, key=lambda r: str(r.get("time", "")), default=submitted)

    def submissions(self, tasks: Collection[str]) -> dict[str, Record]:
        """Rows that were not trained here, by name, with a record of each that says whose it is."""
        return self._evidence.submissions(tasks)

    def by_seed(self, *quantities: Quantity) -> dict[int, float]:
        """The mean of the ``quantities`` at each seed at which all of them were measured."""
        known = [self._evidence.of(quantity) for quantity in quantities]
        common = set(self._evidence.seeds).intersection(*known)
        found = {seed: float(np.mean([of[seed] for of in known])) for seed in sorted(common)}
        if found and all(quantity.of_pictures for quantity in quantities):
            # Real pictures are the same at every seed, which only draws other pairs of them.
            mean = float(np.mean(list(found.values())))
            found = dict.fromkeys(self._evidence.seeds, mean) | found
        return found

    def of(self, *quantities: Quantity) -> Estimate | None:
        """The mean of the ``quantities``, over the seeds at which all of them were measured; None
        where there is no such seed."""
        records = [self._evidence.records(quantity) for quantity in quantities]
        measured = sorted(set(self._evidence.seeds).intersection(*records))
        if not measured:
            submitted = [self._evidence.submission(quantity) for quantity in quantities]
            known = [estimate_of(record) for record in submitted if record is not None]
            if not known or len(known) < len(submitted):
                return None
            return replace(_mean(known), seeds=max(1, len(self.seeds)))
        last = max(measured, key=lambda seed: max(str(of[seed].get("time", "")) for of in records))
        one = _mean([estimate_of(of[last]) for of in records])
        if len(self._evidence.seeds) == 1:
            return one
        by_seed = self.by_seed(*quantities)
        values = [by_seed[seed] for seed in measured]
        if all(quantity.of_pictures for quantity in quantities):
            # The mean over seeds, with the interval of one measurement, over pictures, around it.
            shift = float(np.mean(values)) - one.value
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            return replace(
                one, value=one.value + shift, low=one.low + shift, high=one.high + shift,
                seeds=len(self.seeds), deviation=deviation,
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
    """Inputs of different tasks are independent, so variances add up."""
    if len(cells) == 1:
        return cells[0]
    value = float(np.mean([cell.value for cell in cells]))
    below, above = (
        math.sqrt(sum(d * d for d in halves)) / len(cells)
        for halves in ([c.value - c.low for c in cells], [c.high - c.value for c in cells])
    )
    return Estimate(value, value - below, value + above)
