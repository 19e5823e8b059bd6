"""How long jobs of the graph will take: as long as they, or their like, took before."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from benchmarks.speed.cost_model import step_estimate
from reproduce.checkpoints import new_method
from reproduce.graph import Job, older_stamps, read_stamp
from reproduce.randomness import generator
from reproduce.runs import RunConfig
from reproduce.trainer import Trainer

# Seconds on one core at 32 px, rough: what the embedded presets took when this was written.
_TYPICAL = {"data": 60, "diversity": 90, "quality": 150, "scores": 150, "modes": 300, "figure": 15,
            "unit-figure": 10, "table": 5, "theory": 60, "theory-figures": 10, "curves": 30,
            "styles": 10, "claims": 20, "report": 20}  # fmt: skip
_STEPS = 3


class Estimates:
    """Seconds of each of ``jobs``, from their stamps in ``folder`` where there are some;
    ``results``: where records of speed are."""

    def __init__(
        self, jobs: Mapping[str, Job], folder: Path, results: Path = Path("results")
    ) -> None:
        self._jobs, self._folder, self._results = jobs, folder, results

    def seconds(self, name: str) -> float:
        """As before; else as another seed's; else a training by timing three of its steps here."""
        job = self._jobs[name]
        for like in (name, *(n for n in self._jobs if _but_for_seed(n) == _but_for_seed(name))):
            stamps = [read_stamp(self._jobs[like].stamp(self._folder))]
            stamps += older_stamps(self._jobs[like], self._folder)
            took = [float(stamp["seconds"]) for stamp in stamps if stamp is not None]
            if took:
                return took[0]
        if job.kind == "train":
            one = step_seconds(_Hashable(job.runs[0]), job.threads, self._results)
            return job.runs[0].steps * one
        return float(_TYPICAL[job.kind])

    def makespan(self, names: Sequence[str], cores: int) -> float:
        """Seconds until the last of ``names``, which come after their needs, has ended."""
        free = [0.0] * cores
        heapq.heapify(free)
        ended: dict[str, float] = {}
        for name in names:
            job = self._jobs[name]
            slots = [heapq.heappop(free) for _ in range(min(cores, job.threads))]
            begin = max(*slots, *(ended.get(need.name, 0.0) for need in job.needs), 0.0)
            ended[name] = begin + self.seconds(name)
            for _ in slots:
                heapq.heappush(free, ended[name])
        return max(ended.values(), default=0.0)


def _but_for_seed(name: str) -> str:
    return name.rpartition("/seed")[0] or name


class _Hashable:
    """A run by its digest, but for the seed: seeds cost the same."""

    def __init__(self, run: RunConfig) -> None:
        self.run = run
        values = run.as_dict() | {"seed": 0, "task": ""}
        self._key = str(sorted((k, str(v)) for k, v in values.items()))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashable) and other._key == self._key


@cache
def step_seconds(run: _Hashable, threads: int, results: Path = Path("results")) -> float:
    """Seconds of one training step on this machine's processor: by the cost model of the
    benchmark's records under ``results``, or, where there are too few, timed."""
    found = step_estimate(run.run, threads, results)
    if found is not None:
        return found
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    # A learning rate that diverges costs as much, and must not end the estimate.
    tame = replace(run.run, settings={**run.run.settings, "lr": 1e-6})
    try:
        trainer = Trainer(new_method(tame), 0, run.run.steps)
        # Constant pictures would make a norm divide by nothing.
        draws = generator(0, "pictures")
        x = torch.rand((2, run.run.batch, 3, run.run.size, run.run.size), generator=draws) * 2 - 1
        trainer.step(x[0], x[1], 0)
        begin = time.perf_counter()
        for step in range(1, _STEPS + 1):
            trainer.step(x[0], x[1], step)
        return (time.perf_counter() - begin) / _STEPS
    finally:
        torch.set_num_threads(before)


def in_words(seconds: float) -> str:
    """``50 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
