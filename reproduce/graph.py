"""Who needs whom: everything that a preset makes, as jobs with the digests of what decides them.

A job's digest covers its settings, its code (``code_digest``) and the digests of what it needs. A
job is done when its stamp, a small file named by that digest, is there and what it made is as it
was left. So a changed option, picture or line of code makes exactly those jobs stale that hang on
it, and going back to what was before makes nothing again. Snakemake runs what is stale
(``Snakefile``); this module knows nothing of processes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.zoo import recipe
from reproduce.code_digest import code_digests, modules_behind
from reproduce.experiments import Preset
from reproduce.files import write_text
from reproduce.results import sha256_file
from reproduce.runs import RunConfig
from reproduce.tasks.registry import TASKS

# What a training computes with, whatever the method; its pictures count by their fingerprint, and
# how a checkpoint is written or a signal handled changes no number.
_TRAINING = ("reproduce.trainer", "reproduce.tasks.batches", "reproduce.randomness")
_NO_NUMBERS = (
    "models.zoo", "models.errors", "reproduce.runs", "reproduce.environment", "reproduce.signals",
    "reproduce.files", "reproduce.tasks.registry", "reproduce.tasks.specs",
)  # fmt: skip
# What measuring leaves to others: networks and pictures, which its needs account for.
_ELSEWHERE = (
    *_NO_NUMBERS, "reproduce.checkpoints", "reproduce.tasks.animals", "reproduce.tasks.drawn",
    "reproduce.pipeline", "reproduce.experiments",
)  # fmt: skip
_TABLES = {
    1: ("reproduce.tables", "reproduce.table_text", "reproduce.score_table"),
    2: ("reproduce.table2", "reproduce.table2_text"),
}


@dataclass(frozen=True)
class Job:
    """One thing to make.

    ``name``: like ``train/drawn-shoes/munit/seed0``. ``about``: JSON values that decide the result,
    beside the digests of the jobs in ``needs``. ``threads``: that it uses; ``runs``: those that it
    trains, measures or shows.
    """

    name: str
    about: Mapping[str, Any]
    needs: tuple[Job, ...] = ()
    threads: int = 1
    runs: tuple[RunConfig, ...] = field(default=(), compare=False)

    @property
    def kind(self) -> str:
        """The name's first part."""
        return self.name.split("/")[0]

    @cached_property
    def digest(self) -> str:
        """16 hex digits of everything that decides the result."""
        return hashlib.sha256(json.dumps(self.parts(), sort_keys=True).encode()).hexdigest()[:16]

    def parts(self) -> dict[str, Any]:
        """What the digest is of."""
        needs = {job.name: job.digest for job in self.needs}
        return {"name": self.name, "about": dict(self.about), "needs": needs}

    def stamp(self, folder: Path) -> Path:
        """Its stamp among those of a preset."""
        return folder / f"{self.name.replace('/', '.')}.{self.digest}.json"


def stamps_folder(runs: Path, preset: Preset) -> Path:
    """Where the stamps of a preset are."""
    return runs / preset.name / "stamps"


def all_jobs(
    preset: Preset, seeds: Sequence[int], *, threads: int = 1,
    overrides: Mapping[str, object] | None = None, sources: Mapping[str, str] | None = None,
) -> dict[str, Job]:  # fmt: skip
    """Every job of a preset by name, in an order in which each comes after what it needs.

    ``threads``: of one training. ``overrides``: settings of the runs that have them. ``sources``:
    where the pictures of a task are, if not in the data folder. The seeds must be different.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds {' '.join(map(str, seeds))}: give one or more, each once")
    jobs: dict[str, Job] = {}

    def add(job: Job) -> Job:
        return jobs.setdefault(job.name, job)

    def trained(run: RunConfig) -> Job:
        return add(train_job(run, add(data_job(run)), threads))

    measured: dict[int, list[Job]] = {number: [] for number in preset.tables}
    for seed in seeds:
        by_table, of_figures = preset.all_runs(seed, overrides, sources)
        for number, runs in by_table.items():
            for task in preset.tables[number]:
                of_task = [run for run in runs if run.task == task]
                needs = [trained(run) for run in of_task]
                measured[number] += map(add, _measurements(number, of_task, needs, preset))
                if seed == seeds[0]:
                    add(_figure(number, of_task, needs))
        if seed == seeds[0]:
            for number, run in of_figures.items():
                drawn = _code("reproduce.unit_figures")
                add(Job(f"unit-figure/{number}", drawn, (trained(run),), runs=(run,)))
    for number, of_number in measured.items():
        about = {"seeds": list(seeds)} | _code(*_TABLES[number])
        add(Job(f"table/{number}", about, tuple(of_number)))
    return jobs


def data_job(run: RunConfig) -> Job:
    """The pictures of a run's task: drawn anew where the code that draws has changed."""
    spec = TASKS.get(run.task)
    about: dict[str, Any] = {"source": run.source}
    if spec is not None and spec.drawn and not run.source:
        drawing = "drawn" if spec.kind == "drawn" else "animals"
        about = {"size": run.size, "train": run.train, "test": run.test}
        about |= _code(f"reproduce.tasks.{drawing}.dataset")
    return Job(f"data/{run.task}-{run.size}px", about, runs=(run,))


def train_job(run: RunConfig, data: Job, threads: int) -> Job:
    """The training of a run."""
    module = recipe(run.method).method.__module__
    modules = modules_behind((module, *_TRAINING), _NO_NUMBERS)
    about = {"config": run.as_dict(), "code": code_digests(modules)}
    name = f"train/{run.task}/{run.method}/seed{run.seed}"
    return Job(name, about, (data,), threads, (run,))


def _measurements(
    number: int, runs: Sequence[RunConfig], trained: Sequence[Job], preset: Preset
) -> Iterable[Job]:
    """How the runs of one task and seed are measured for a table."""
    where = f"{runs[0].task}/seed{runs[0].seed}"
    m = preset.measure
    needs, shown = tuple(trained), tuple(runs)
    if number == 2:
        about: dict[str, Any] = {"inputs": m.mode_inputs, "samples": m.mode_samples}
        yield Job(f"modes/{where}", about | _measuring("reproduce.mode_measure"), needs, runs=shown)
        return
    about = {"protocol": m.protocol, "inputs": m.inputs, "samples": m.samples, "lpips": m.lpips}
    yield Job(f"diversity/{where}", about | _measuring("reproduce.measure"), needs, runs=shown)
    if m.scores in ("quality", "all"):
        yield Job(f"quality/{where}", _measuring("reproduce.quality"), needs, runs=shown)
    if m.scores == "all":
        yield Job(f"scores/{where}", _measuring("reproduce.scoring"), needs, runs=shown)


def _figure(number: int, runs: Sequence[RunConfig], trained: Sequence[Job]) -> Job:
    module = {1: "reproduce.figures", 2: "reproduce.mode_figure"}[number]
    name = f"figure/{number}/{runs[0].task}"
    return Job(name, _code(module), tuple(trained), runs=tuple(runs))


def _measuring(module: str) -> dict[str, Any]:
    return _code(module, "reproduce.translate", without=_ELSEWHERE)


def _code(*modules: str, without: Iterable[str] = _ELSEWHERE) -> dict[str, Any]:
    return {"code": code_digests(modules_behind(modules, without))}


def write_stamp(job: Job, folder: Path, seconds: float, made: Iterable[Path]) -> Path:
    """Say that ``job`` is done: how long it took, and the sha256 of the files that it ``made``."""
    path = job.stamp(folder)
    kept = {os.path.relpath(p, folder): sha256_file(p) for p in made}
    about = job.parts() | {"seconds": round(seconds, 1), "made": kept}
    write_text(path, json.dumps(about, indent=1, sort_keys=True) + "\n")
    return path


def read_stamp(path: Path) -> dict[str, Any] | None:
    """What ``write_stamp`` wrote; None for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(found, dict) and {"about", "needs", "seconds", "made"} <= set(found)
    return found if known else None


def is_done(job: Job, folder: Path) -> bool:
    """Whether its stamp is there and the files that it made are as it left them."""
    stamp = read_stamp(job.stamp(folder))
    if stamp is None:
        return False
    return all(
        (folder / name).is_file() and sha256_file(folder / name) == sha256
        for name, sha256 in stamp["made"].items()
    )


def stale_jobs(jobs: Mapping[str, Job], folder: Path) -> dict[str, str]:
    """What is to be made, by name, and why, in words; in the order of ``jobs``."""
    why: dict[str, str] = {}
    for name, job in jobs.items():
        renewed = [need.name for need in job.needs if need.name in why]
        if not is_done(job, folder):
            why[name] = _reason(job, folder)
        elif renewed:
            why[name] = f"{renewed[0]} is made again"
    return why


def _reason(job: Job, folder: Path) -> str:
    if job.stamp(folder).exists():
        return "what it made is gone or was changed"
    older = older_stamps(job, folder)
    if not older:
        return "not made yet"
    nearest = min((_changes(stamp, job.parts()) for stamp in older), key=len)
    return f"{', '.join(nearest[:3])}{' and more' if len(nearest) > 3 else ''} changed"


def older_stamps(job: Job, folder: Path) -> list[dict[str, Any]]:
    """Stamps of the same job with another digest, or what is left of its own."""
    paths = folder.glob(f"{job.name.replace('/', '.')}.*.json")
    found = [stamp for path in sorted(paths) if (stamp := read_stamp(path)) is not None]
    return [stamp for stamp in found if stamp.get("name") == job.name]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of what differs."""
    before, after = _flat(old["about"]) | old["needs"], _flat(new["about"]) | new["needs"]
    names = sorted(set(before) | set(after))
    return [name for name in names if before.get(name) != after.get(name)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, "" if key in ("code", "config", "settings") else f"{key}.")
        else:
            found[prefix + key] = value
    return found
