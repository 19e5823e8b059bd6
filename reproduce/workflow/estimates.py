"""How long jobs of the graph will take: as long as they, or their like, took before."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from models.randomness import generator
from reproduce.experiments.run import RunConfig
from reproduce.speed.cost_model import step_estimate
from reproduce.training.checkpoints import new_method
from reproduce.training.trainer import Trainer
from reproduce.workflow.graph import Job, read_stamp

_OF_RECORDS = ("table", "claims", "curves", "theory-figures", "report")
ON_PROCESSOR = ("data", *_OF_RECORDS)  # kinds of jobs that no GPU makes faster
# Seconds on one core at 32 px, rough: what the embedded presets took when this was written.
_TYPICAL = {"data": 60, "diversity": 90, "judged": 100, "observed": 100,
            "evidence": 180, "scores": 150, "modes": 300, "figure": 15,
            "unit-figure": 10, "table": 5, "theory": 60, "theory-figures": 10, "curves": 30,
            "styles": 10, "claims": 20, "report": 20}  # fmt: skip
_TYPICAL_SIZE = 32
_STEPS = 3


class Estimates:
    """Seconds of each of ``jobs`` on ``device``, from their stamps in ``folder`` where there are
    some; ``results``: where records of speed are."""

    def __init__(
        self, jobs: Mapping[str, Job], folder: Path, results: Path = Path("results"),
        device: str = "cpu",
    ) -> None:  # fmt: skip
        self._jobs, self._folder, self._results, self._device = jobs, folder, results, device

    def seconds(self, name: str) -> float | None:
        """As last time; else as another seed's; else a training by its steps, and what measures as
        such jobs take, by its pixels. None where that is not known: on a GPU, without records."""
        job = self._jobs[name]
        last = self._took(job, f"{_dotted(name)}.*.json")
        if last is None and _but_for_seed(name) != name:
            last = self._took(job, f"{_dotted(_but_for_seed(name))}.seed*.json")
        if last is not None:
            return last
        if job.kind == "train":
            run = job.runs[0]
            one = step_seconds(_Hashable(run), job.threads, self._results, self._device)
            return None if one is None else run.steps * one
        if job.kind in _OF_RECORDS:
            return float(_TYPICAL[job.kind])
        if self._device != "cpu" and job.kind not in ON_PROCESSOR:
            return None
        return _TYPICAL[job.kind] * max((run.size / _TYPICAL_SIZE) ** 2 for run in job.runs)

    def makespan(self, names: Sequence[str], cores: int, side_by_side: int = 0) -> float | None:
        """Seconds until the last of ``names``, which come after their needs, has ended, with so
        many trainings ``side_by_side`` at most (0: as many as cores bear); None where one of them
        is unknown."""
        free, trainings = [0.0] * cores, [0.0] * (side_by_side or cores)
        ended: dict[str, float] = {}
        for name in names:
            job, takes = self._jobs[name], self.seconds(name)
            if takes is None:
                return None
            slots = [heapq.heappop(free) for _ in range(min(cores, job.threads))]
            ready = [*slots, *(ended.get(need.name, 0.0) for need in job.needs)]
            if job.kind == "train":
                ready.append(heapq.heappop(trainings))
            ended[name] = max(ready) + takes
            if job.kind == "train":
                heapq.heappush(trainings, ended[name])
            for _ in slots:
                heapq.heappush(free, ended[name])
        return max(ended.values(), default=0.0)

    def _took(self, job: Job, pattern: str) -> float | None:
        """Seconds by the newest stamp of this job, or of it with another seed, among these files;
        of a training with another number of steps, in proportion."""
        found = list[tuple[int, float]]()
        for path in self._folder.glob(pattern):
            stamp = read_stamp(path)
            if stamp is None or _but_for_seed(str(stamp.get("name"))) != _but_for_seed(job.name):
                continue
            found.append((path.stat().st_mtime_ns, float(stamp["seconds"]) * _longer(job, stamp)))
        return max(found)[1] if found else None


def _longer(job: Job, stamp: Mapping[str, Any]) -> float:
    """How many times the steps of the training that left the stamp ``job`` has."""
    if job.kind != "train":
        return 1.0
    steps = stamp["about"].get("config", {}).get("steps")
    return job.runs[0].steps / steps if steps else 1.0


def _dotted(name: str) -> str:
    return name.replace("/", ".")


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
def step_seconds(
    run: _Hashable, threads: int, results: Path = Path("results"), device: str = "cpu"
) -> float | None:
    """Seconds of one training step on this machine's ``device``: by the cost model of the
    benchmark's records under ``results``, or, where there are too few, timed on the processor;
    None for a GPU without records, and for one that this machine lacks."""
    if device != "cpu" and not torch.cuda.is_available():
        return None
    found = step_estimate(run.run, threads, results, device)
    if found is not None or device != "cpu":
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
