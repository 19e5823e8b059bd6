"""What Snakemake is told: the stale jobs, what each asks for, and how each is made."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.files import write_text
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.training.devices import default_jobs
from reproduce.training.processes import command
from reproduce.workflow.estimates import ON_PROCESSOR, Estimates
from reproduce.workflow.graph import Job


@dataclass(frozen=True)
class Machine:
    """What the graph may use: processor cores, trainings side by side, GPUs for each of them.

    ``devices``: the GPUs here that jobs are spread over, by number or name; none where there is one
    at most, where one was named, or where a scheduler gives them out.
    """

    cores: int
    side_by_side: int
    gpus_per_training: int
    devices: tuple[str, ...] = ()

    @property
    def threads(self) -> int:
        """Of one training."""
        return max(1, self.cores // self.side_by_side)

    @property
    def gpu_slots(self) -> int:
        """Jobs that compute on GPUs at a time: one on each, or as many as trainings need."""
        return max(len(self.devices), self.side_by_side * self.gpus_per_training)


def machine_of(cores: int, jobs: int, device: str, gpus: int, *, elsewhere: bool) -> Machine:
    """``cores`` and ``jobs`` (trainings side by side): 0 for the default. ``elsewhere``: jobs run
    where a profile or a plan is taken to."""
    cores = cores or os.cpu_count() or 1
    devices = () if elsewhere else _devices(device)
    if device != "cpu" and not elsewhere and gpus > max(1, len(devices)):
        raise UserError(
            f"--gpus-per-training {gpus}: PyTorch sees {max(1, len(devices))} here; give no more"
        )
    side = jobs or max(len(devices) // gpus, default_jobs(0, device))
    return Machine(cores, min(side, cores), gpus, devices if len(devices) > 1 else ())


def _devices(device: str) -> tuple[str, ...]:
    """All GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; none where one was named."""
    if device != "cuda":
        return ()
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    count = torch.cuda.device_count()
    return tuple(named if len(named) == count and all(named) else map(str, range(count)))


@dataclass(frozen=True)
class Graph:
    """All jobs of a preset, and all that was asked for with it, found out once."""

    preset: Preset
    overrides: Mapping[str, str]
    seeds: Sequence[int]
    sources: Mapping[str, str]
    by_hand: Mapping[str, str]  # digests of files that the report shows and no job makes
    places: Places
    machine: Machine
    jobs: Mapping[str, Job]
    folder: Path  # of stamps

    def words(self) -> dict[str, Any]:
        """From which ``step`` makes the same jobs."""
        return {
            "preset": self.preset.base, "overrides": self.overrides, "seeds": self.seeds,
            "threads": self.machine.threads, "sources": self.sources, "by_hand": self.by_hand,
            "device": self.places.device, "data": str(self.places.data.absolute()),
            "runs": str(self.places.runs.absolute()),
            "results": str(self.places.results.absolute()),
        }  # fmt: skip


def in_order(jobs: Mapping[str, Job], names: Iterable[str], seeds: Sequence[int]) -> dict[str, int]:
    """Each job's place: seed after seed, table after table, so that results come early."""
    last = len(seeds)
    of = {name: min((seeds.index(run.seed) for run in jobs[name].runs), default=last)
          for name in names}  # fmt: skip
    return {name: place for place, name in enumerate(sorted(of, key=of.__getitem__))}


def log_of(job: Job, folder: Path) -> Path:
    return folder / "logs" / f"{job.name.replace('/', '.')}.log"


def write_plan(graph: Graph, path: Path, stale: Mapping[str, str], estimates: Estimates) -> None:
    """The stale jobs; their stamps go, since those of what is to be made again say what is not so."""
    jobs, folder, device = graph.jobs, graph.folder, graph.places.device
    entries, order = [], in_order(jobs, stale, graph.seeds)
    for name in stale:
        job = jobs[name]
        several = graph.machine.gpus_per_training if job.kind == "train" else 1
        gpus = several * (device != "cpu" and job.kind not in ON_PROCESSOR)
        words = command(["step", name, "--plan", str(path)], several)
        entries.append({
            "rule": name.replace("/", "_").replace("-", "_").replace(".", "_"),
            "needs": [str(need.stamp(folder).absolute()) for need in job.needs],
            "stamp": str(job.stamp(folder).absolute()),
            "words": shlex.join(_on_own_devices(words, gpus, graph)),
            "threads": job.threads * several,
            "priority": len(stale) - order[name],
            "resources": {"training": int(job.kind == "train"), "gpu": gpus}
            | _runtime(estimates.seconds(name)),
            "log": str(log_of(job, folder).absolute()),
        })  # fmt: skip
    for name in stale:
        jobs[name].stamp(folder).unlink(missing_ok=True)
    plan = {
        "words": graph.words(),
        "digests": {name: jobs[name].digest for name in stale},
        "stamps": [entry["stamp"] for entry in entries],
        "jobs": entries,
    }
    write_text(path, json.dumps(plan, indent=1) + "\n")


def _runtime(seconds: float | None) -> dict[str, int]:
    """Minutes to ask for; where nothing is known, the profile's default."""
    return {} if seconds is None else {"runtime": 10 + 3 * round(seconds / 60)}


def _on_own_devices(words: Sequence[str], gpus: int, graph: Graph) -> Sequence[str]:
    machine = graph.machine
    if not gpus or not machine.devices:
        return words
    where = [str(graph.folder.absolute()), str(machine.gpu_slots), ",".join(machine.devices)]
    launch, module, _ = command([])
    return [launch, module, "reproduce.workflow.own_devices", *where, str(gpus), *words]
