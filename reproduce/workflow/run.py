"""Making what was asked for: what is stale of it, the plan for Snakemake, and Snakemake at work.

Snakemake and all that it starts are a process group of their own, so that the terminal's Ctrl-C
reaches this process alone, which then asks them to save and stop. Its standard input is a pipe from
here, which closes however this process ends: then Snakemake does that (``Snakefile``). Its jobs are
forked from a process that has imported what they need (``forked``).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from benchmarks.console import in_words
from benchmarks.devices import measuring_device
from benchmarks.files import holder, write_text
from models.errors import UserError
from reproduce.experiments.run import RunConfig, progress_of, run_folder
from reproduce.records.code import known_digests
from reproduce.tasks.registry import keep_source
from reproduce.training.processes import command, handled
from reproduce.workflow.cluster_profile import (
    asked_for,
    check_executor,
    in_minutes,
    profile_path,
    usual_runtime,
)
from reproduce.workflow.devices import How, Machine, machine_of
from reproduce.workflow.graph import Job, is_done, seconds_of, stale_jobs, stamps_folder
from reproduce.workflow.jobs import Request

ROOT = Path(__file__).resolve().parents[2]
SNAKEFILE = Path(__file__).with_name("Snakefile")
PLAN, CONFIG = "plan.json", "snakemake.json"
COMMANDS, SNAKEMAKE = ".all.lock", ".snakemake.lock"
GRACE = 120.0  # seconds, from the signal to the end
# Kinds of jobs that no GPU makes faster.
ON_PROCESSOR = ("data", "human", "table", "claims", "curves", "theory-figures", "report")


@dataclass(frozen=True)
class Graph:
    """All jobs behind a request, and what they may use."""

    request: Request
    how: How

    @cached_property
    def jobs(self) -> dict[str, Job]:
        return self.request.jobs()

    @cached_property
    def machine(self) -> Machine:
        trainings = sum(job.kind == "train" for job in self.jobs.values())
        return machine_of(self.how, self.request.places.device, trainings)

    @property
    def runs(self) -> Path:
        return self.request.places.runs

    @property
    def folder(self) -> Path:
        """Of stamps, logs and the plan."""
        return stamps_folder(self.runs, self.request.scale)

    def log(self, name: str) -> Path:
        """Of a job."""
        return self.folder / "logs" / f"{name.replace('/', '.')}.log"

    def threads(self, job: Job) -> int:
        """Of each of its processes."""
        if job.kind == "train":
            return self.machine.cores if self.on_nodes else self.machine.threads
        measures = self.on_nodes and job.kind not in ON_PROCESSOR
        return self.how.threads or (min(4, self.machine.cores) if measures else 1)

    @property
    def on_nodes(self) -> bool:
        return self.how.on_nodes(self.request.places.device)

    def processes(self, job: Job) -> int:
        return self.machine.gpus_per_training if job.kind == "train" else 1

    def cores(self, job: Job) -> int:
        """How many a job takes: a training here no more than leaves those beside it as many."""
        asked, machine = self.threads(job) * self.processes(job), self.machine
        shared = job.kind == "train" and not self.on_nodes
        return min(asked, machine.cores // machine.side_by_side) if shared else asked

    def gpus(self, job: Job) -> int:
        """How many GPUs a job computes on."""
        device = self.request.places.device
        device = device if job.kind == "train" else measuring_device(device)
        return self.processes(job) * (device != "cpu" and job.kind not in ON_PROCESSOR)


def make(request: Request, how: How) -> int | None:
    """Make whatever is missing or stale of what was asked for. Returns how many jobs that took;
    None where they were only listed or planned, as ``how`` says.

    Raises UserError where something could not be trained or measured, before anything is begun, and
    where a job failed.
    """
    graph = Graph(request, how)
    machine, stale = graph.machine, stale_jobs(graph.jobs, graph.runs)
    if stale:
        _check(graph)
    for told in request.left_out():
        print(f"note: {told}", file=sys.stderr)
    if how.dry_run:
        print(_listing(graph, stale) if stale else up_to_date(graph))
        return None
    for task in request.own.keys() & request.sources.keys():  # where later commands find it
        keep_source(task, Path(request.sources[task]), request.places.data)
    if not stale:
        if how.plan is None:
            return 0
        print(up_to_date(graph))
        return None
    if how.profile is not None and how.plan is None:
        check_executor(how.profile)
    with only_command(graph.folder):
        stale = stale_jobs(graph.jobs, graph.runs)  # others may have been at work until now
        path = (how.plan or graph.folder / PLAN).absolute()
        if stale:
            write_plan(graph, path, stale)
            if how.plan is None:
                words = snakemake_words(path, machine, graph.folder, how.profile)
                _to_the_end(graph, words, path, list(stale))
    if how.plan is not None:
        print(path)
        return None
    return len(stale)


def up_to_date(graph: Graph) -> str:
    """In words, that nothing is to be done."""
    whole = graph.request.target or "Everything"
    name = graph.request.scale.name
    return f"{whole} of preset {name} is up to date: {len(graph.jobs)} jobs, none to do."


def _check(graph: Graph) -> None:
    """Refuse before hours of training what could not be trained or measured after them; what is only
    listed downloads nothing."""
    # All that measures takes seconds to import, which a call that does nothing should not.
    from reproduce.measuring.ablation import check_ablation
    from reproduce.measuring.kinds import KINDS, check_kinds
    from reproduce.measuring.people import read_analysis
    from reproduce.training.checkpoints import new_method
    from reproduce.training.shared import check_shareable
    from reproduce.training.trained import check_pictures, check_runs

    request, preset = graph.request, graph.request.scale
    # Of a device, what is checked needs none, and a login node has none.
    places, download = replace(request.places, device="cpu"), not graph.how.dry_run

    def runs_of(*kinds: str) -> list[RunConfig]:
        return [run for job in graph.jobs.values() if job.kind in kinds for run in job.runs]

    for path in request.human.values():
        read_analysis(Path(path))
    if request.ablation is not None:
        check_ablation(request.points, request.ablation["metrics"], places, download)
    else:
        check_runs(preset, runs_of("train"))
    for run in runs_of("train") if graph.machine.gpus_per_training > 1 else []:
        check_shareable(new_method(run), run.batch, graph.machine.gpus_per_training)
    check_pictures(runs_of("train"), places)
    for kind in (*KINDS, "scores"):
        if measured := runs_of(kind):
            names = ("diversity", "fidelity") if kind == "scores" else (kind,)
            check_kinds(names, preset, measured, places, download)


def _listing(graph: Graph, stale: Mapping[str, str]) -> str:
    """What would be made, why, and how long it would take."""
    machine, width = graph.machine, max(map(len, stale))
    took = {name: seconds_of(graph.jobs[name], graph.runs) for name in stale}
    lines = [f"{'job':<{width}}  {'about':>8}  why"]
    lines += [f"{name:<{width}}  {in_words(took[name]):>8}  {why}" for name, why in stale.items()]
    known = {name: seconds for name, seconds in took.items() if seconds is not None}
    work = sum(s * min(graph.cores(graph.jobs[n]), machine.cores) for n, s in known.items())
    whole = f"about {in_words(work / machine.cores)}" if known else "for an unknown time"
    if known and len(known) < len(took):
        whole += f" and {len(took) - len(known)} jobs of unknown time"
    cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
    lines.append(f"{len(stale)} of {len(graph.jobs)} jobs to do; {whole} on {cores}.")
    return "\n".join(lines)


# The plan


def in_order(jobs: Mapping[str, Job], names: Iterable[str], seeds: Sequence[int]) -> dict[str, int]:
    """Each job's place: seed after seed, table after table, so that results come early."""
    last = len(seeds)
    of = {name: min((seeds.index(run.seed) for run in jobs[name].runs), default=last)
          for name in names}  # fmt: skip
    return {name: place for place, name in enumerate(sorted(of, key=of.__getitem__))}


def write_plan(graph: Graph, path: Path, stale: Mapping[str, str]) -> None:
    """The stale jobs; their stamps go, since those of what is to be made again say what is not so."""
    jobs, request = graph.jobs, graph.request
    entries, order = [], in_order(jobs, stale, list(request.seeds))
    profile = graph.how.profile
    asked, usual = (asked_for(profile), usual_runtime(profile)) if profile else ({}, None)
    for name in stale:
        job, gpus = jobs[name], graph.gpus(jobs[name])
        step = ["step", name, f"--plan={path}", f"--threads={graph.threads(job)}"]
        words = command(step, graph.processes(job))
        own = _of_node(job, gpus, asked) if graph.on_nodes else {"gpu": gpus}
        if gpus and graph.machine.devices:
            slots = [str(graph.machine.gpu_slots), ",".join(graph.machine.devices)]
            where = [str(graph.folder.absolute()), *slots, str(gpus)]
            words = [sys.executable, "-m", "reproduce.workflow.devices", *where, *words]
        if (took := seconds_of(job, graph.runs)) is not None:
            # Of a training no more than where nothing is known, since it goes on in another job:
            # partitions refuse what is beyond their limit.
            longest = in_minutes(own.get("runtime", usual)) if job.kind == "train" else math.inf
            own["runtime"] = int(min(10 + 3 * round(took / 60), longest))
        entries.append({
            "rule": re.sub(r"\W", "_", f"{name}_{job.digest[:4]}"),
            "needs": [str(need.stamp(graph.runs).absolute()) for need in job.needs],
            "stamp": str(job.stamp(graph.runs).absolute()),
            "words": shlex.join(words),
            "threads": graph.cores(job),
            "priority": len(stale) - order[name],
            "resources": {"training": int(job.kind == "train"), **own},
            "log": str(graph.log(name).absolute()),
        })  # fmt: skip
    for name in stale:
        jobs[name].stamp(graph.runs).unlink(missing_ok=True)
    plan = {
        "request": request.told(),
        "digests": {name: jobs[name].digest for name in stale},
        "code": known_digests(),
        "stamps": [entry["stamp"] for entry in entries],
        "jobs": entries,
    }
    write_text(path, json.dumps(plan, indent=1) + "\n")


def _of_node(job: Job, gpus: int, asked: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a job asks a cluster for beside cores and time; ``{gpus}`` in a value is their number."""
    found: dict[str, Any] = {"nodes": 1}
    if job.kind not in ("train", *ON_PROCESSOR):
        found["mem_mb"] = 16_000  # features of all translations, and networks that measure them
    for key, value in asked.get("gpu" if gpus else "cpu", {}).items():
        found[key] = value.format(gpus=gpus) if isinstance(value, str) else value
    if "gres" not in found:  # SLURM's plugin takes one of the two
        found["gpu"] = gpus
    if gpus > 1:
        found["tasks_per_gpu"] = 0  # one task, which starts a process a GPU
    return found


# Snakemake


def snakemake_words(plan: Path, machine: Machine, folder: Path, profile: str | None) -> list[str]:
    """Snakemake's command line. The plan is told of in a file: ``--config`` would be read as YAML,
    in which a path may mean something else."""
    config = folder / CONFIG
    # To SIGTERM Snakemake waits for its jobs, who get it too; to SIGINT it calls a cluster's off.
    end = "SIGTERM" if profile is None else "SIGINT"
    told = {"plan": str(plan), "end": end, "lock": SNAKEMAKE}
    write_text(config, json.dumps(told) + "\n")
    words = [
        sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--configfile",
        str(config.absolute()), "--directory", str(folder.absolute()),
        "--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock", "--quiet", "rules",
    ]  # fmt: skip
    if profile is not None:
        return [*words, "--profile", str(profile_path(profile))]
    limits = [f"training={machine.side_by_side}", f"gpu={machine.gpu_slots}"]
    return [*words, "--cores", str(machine.cores), "--resources", *limits]


def _to_the_end(graph: Graph, words: Sequence[str], plan: Path, stale: Sequence[str]) -> None:
    """``_run``; on a cluster again and again, as long as that brings trainings forward: one that takes
    longer than jobs may did not fail."""
    while True:
        before = _progress(graph, stale)
        try:
            return _run(graph, words, plan, stale)
        except UserError as error:
            if graph.how.profile is None or _progress(graph, stale) <= before:
                raise
            print(f"note: {error}; but trainings went on: once more", file=sys.stderr)


def _progress(graph: Graph, names: Sequence[str]) -> int:
    """Steps done by all trainings together."""
    jobs = [graph.jobs[name] for name in names if graph.jobs[name].kind == "train"]
    return sum(_steps_done(job, graph.runs) for job in jobs)


def _run(graph: Graph, words: Sequence[str], plan: Path, stale: Sequence[str]) -> None:
    """Run Snakemake to its end, showing how far it is; UserError if a job is not done then."""
    (graph.folder / "logs").mkdir(parents=True, exist_ok=True)
    said = graph.folder / "snakemake.log"
    end = signal.SIGTERM if graph.how.profile is None else signal.SIGINT
    with (
        handled(signal.default_int_handler, "SIGTERM", "SIGHUP"),
        started(words, graph.folder, said, end) as process,
    ):
        _watch(process, graph, stale)
    left = [name for name in stale if not is_done(graph.jobs[name], graph.runs)]
    if process.returncode or left:
        raise UserError(_failure(graph, left, said, plan))


@contextlib.contextmanager
def started(
    words: Sequence[str], folder: Path, log: Path, end: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    """``words`` at work; in the end it and all that it started are asked by the signal ``end`` to
    save and stop, and waited for; what is left of them after a while is killed."""
    # Jobs run in Snakemake's folder, from where this checkout must be found.
    found = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=file, stderr=file,
            env=os.environ | {"PYTHONPATH": found}, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        deadline = time.monotonic() + GRACE
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, end)
            while time.monotonic() < deadline:
                process.poll()  # a zombie would count as one that is left
                os.killpg(process.pid, 0)
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def only_command(folder: Path) -> Iterator[None]:
    """Hold the stamps in ``folder``; while another command does, UserError. What a command that
    was killed has left at work is waited for."""
    lock = FileLock(folder / COMMANDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another command is at work in {folder}{holder(folder / COMMANDS)}: wait for it, or end "
            "it; the same command goes on from there"
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot write in {folder} ({error.strerror or error}): choose another --runs"
        ) from None
    try:
        _wait_for_snakemake(folder)
        yield
    finally:
        lock.release()


def _wait_for_snakemake(folder: Path) -> None:
    path = folder / SNAKEMAKE
    lock = FileLock(path)
    try:
        with contextlib.suppress(Timeout), lock.acquire(timeout=0):
            return
        print(
            f"note: jobs of a command that was killed are at work in {folder}; they save and end: "
            "waiting for them", file=sys.stderr,
        )  # fmt: skip
        with lock.acquire(timeout=GRACE + 60):
            return
    except Timeout:
        raise UserError(
            f"jobs of a command that was killed are still at work in {folder}: end them (they hold "
            f"{path}{holder(path)}), and give the same command again"
        ) from None


def _failure(graph: Graph, left: Sequence[str], said: Path, plan: Path) -> str:
    """Which job failed, and its last words."""
    for name in left:
        log = graph.log(name)
        if log.exists() and log.stat().st_mtime >= plan.stat().st_mtime:  # of this time
            lines = [x for x in log.read_text(encoding="utf-8", errors="replace").split("\n") if x]
            # Others may end with what a library said at exit.
            errors = [line for line in lines if line.startswith("error: ")]
            if lines:
                said_last = (errors or lines)[-1]
                return f"{name} failed ({said_last}): see {log}; the same command goes on"
    return f"Snakemake ended early, {len(left)} jobs are left: see {said}; the same command goes on"


# What people see


def _watch(process: subprocess.Popen[bytes], graph: Graph, waiting: Sequence[str]) -> None:
    """Bars until the process ends: one of all jobs, and one of every training that is under way."""
    bars: dict[str, Any] = {}
    hidden = not graph.request.places.progress
    with contextlib.ExitStack() as stack:
        total = stack.enter_context(
            tqdm(total=len(waiting), desc="jobs", unit="job", disable=hidden)
        )
        stack.callback(lambda: [bar.close() for bar in bars.values()])
        while process.poll() is None:
            time.sleep(0.5)
            done = {name for name in waiting if _stamp(graph, name).exists()}
            active = [n for n in waiting
                      if n not in done and _stamp(graph, n).with_suffix(".begun").exists()]  # fmt: skip
            total.n = len(done)
            total.set_postfix_str(", ".join(active[:2]), refresh=True)
            for name in {*bars} - {*active}:
                bars.pop(name).close()
            for name in active if not hidden else []:
                job = graph.jobs[name]
                if job.kind == "train":
                    if name not in bars:
                        bars[name] = tqdm(total=job.runs[0].steps, desc=f"  {name}", leave=False)
                    bars[name].n = _steps_done(job, graph.runs)
                    bars[name].refresh()
        total.n = sum(_stamp(graph, name).exists() for name in waiting)


def _stamp(graph: Graph, name: str) -> Path:
    return graph.jobs[name].stamp(graph.runs)


def _steps_done(job: Job, runs: Path) -> int:
    """As the training says."""
    told = progress_of(run_folder(runs, job.preset.name, job.runs[0]))
    return min(int(told.get("step", 0)), job.runs[0].steps)
