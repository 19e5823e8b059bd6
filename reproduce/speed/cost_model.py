"""Seconds of a training step from what it asks for, fitted on stored records.

A step is taken to last
    w1 FLOP / (FLOP/s of a matrix product) + w2 bytes / (bytes/s of a copy) + w3 calls x (s of a call),
three counts of its own (``counting``) over three ceilings of the machine it runs on (``machine``).
The weights (w1 >= 1: nothing multiplies faster than the matrix product; w2, w3 >= 0), how far
kernels stay behind the ceilings, are fitted on records of steps, each with the ceilings of its own
machine; so they carry over to other machines and sizes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.choices import ALL
from reproduce.experiments.run import RunConfig
from reproduce.records.store import Records
from reproduce.speed.counting import Counts, count_step
from reproduce.speed.machine import Machine, measure_machine
from reproduce.speed.store import PRESET

FEWEST = 6  # different steps: twice the weights
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CostModel:
    """Weights of the three terms, and the records that they were fitted on."""

    weights: tuple[float, float, float]
    fitted_on: int

    def seconds(self, counts: Counts, machine: Machine) -> float:
        """Of a step on a machine."""
        return float(np.dot(self.weights, terms(counts, machine)))


@dataclass(frozen=True)
class Row:
    """A step that was timed."""

    counts: Counts
    machine: Machine
    seconds: float
    protocol: Mapping[str, Any]


def terms(counts: Counts, machine: Machine) -> Floats:
    """Seconds (3,) that each count would take at the machine's ceiling."""
    return np.array([
        counts.flop / machine.flop_per_s,
        counts.bytes / machine.bytes_per_s,
        counts.calls * machine.call_s,
    ])  # fmt: skip


def fit(rows: Sequence[Row]) -> CostModel | None:
    """Least squares of relative errors: a step of milliseconds matters as much as one of a minute.
    None where there are too few different steps to tell the weights apart."""
    if len({row.counts for row in rows}) < FEWEST:
        return None
    relative = np.stack([terms(row.counts, row.machine) / row.seconds for row in rows])
    from scipy.optimize import nnls  # it takes most of a second

    above, _ = nnls(relative, 1 - relative[:, 0])
    a, b, c = (float(w) for w in above)
    return CostModel((1 + a, b, c), len(rows))


def rows_of(
    records: Iterable[Mapping[str, Any]], device: str = "cpu", precision: str = "float32"
) -> list[Row]:
    """Steps on this kind of device in this precision, in all the ways that there are today; of
    what was timed several times (against several ways, say) the newest."""
    rows: dict[str, Row] = {}
    for record in records:
        if record["metric"] != "speed-step":
            continue
        about, found = record["protocol"], record["measured"]
        kind = about["device"].partition(":")[0], about["precision"], about["ways"]
        if kind == (device.partition(":")[0], precision, sorted(ALL)):
            before, after = (Machine(**found["machine"][k]) for k in ("before", "after"))
            first = found["first"]
            timed = Row(Counts(**first["counts"]), before.best(after), first["median"], about)
            where = [record["environment"][k] for k in ("device", "threads")]
            same = {k: v for k, v in about.items() if k not in ("against", "steps", "warmup")}
            rows[json.dumps([same, where], sort_keys=True)] = timed
    return list(rows.values())


def step_estimate(
    run: RunConfig, threads: int, results: Path = Path("results"), device: str = "cpu"
) -> float | None:
    """Seconds of one training step of ``run`` on this machine, without taking one; None where too
    little is on record, and with the perceptual loss, whose network is not counted."""
    if getattr(run.method_config, "perceptual", 0):
        return None
    model = _fitted(results, device, run.precision)
    if model is None:
        return None
    counts = count_step(run.method, run.method_config, run.size, run.batch, ALL)
    return model.seconds(counts, _ceilings(device, run.precision, threads))


@cache
def _fitted(results: Path, device: str, precision: str) -> CostModel | None:
    return fit(rows_of(Records(results, PRESET).all(), device, precision))


@cache
def _ceilings(device: str, precision: str, threads: int) -> Machine:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        return measure_machine(device, precision)
    finally:
        torch.set_num_threads(before)
