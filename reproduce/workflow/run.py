"""Make a request: find its stale jobs, write the plan for Snakemake, and run Snakemake.

Snakemake and its jobs form a separate process group, so that Ctrl-C in the terminal reaches only
this process, which then asks them to save and stop. Snakemake's standard input is a pipe from this
process, which closes however this process ends: then Snakemake stops its jobs itself (``Snakefile``).
Jobs are forked from a process that has imported what they need (``forked``).
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
GRACE = 120.0  # seconds from the signal to the kill
# Kinds of jobs that a GPU does not speed up.
ON_PROCESSOR = ("data", "human", "table", "claims", "curves", "theory-figures", "report")


@dataclass(frozen=True)
class Graph:
    """All jobs of a request, and the resources they may use."""

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
        """The folder of stamps, logs and the plan."""
        return stamps_folder(self.runs, self.request.scale)

    def log(self, name: str) -> Path:
        """The log file of a job."""
        return self.folder / "logs" / f"{name.replace('/', '.')}.log"

    def threads(self, job: Job) -> int:
        """CPU threads of each process of a job."""
        if job.kind == "train":
            return self.machine.cores if self.machine.on_nodes else self.machine.threads
        measures = self.machine.on_nodes and job.kind not in ON_PROCESSOR
        return self.how.threads or (min(4, self.machine.cores) if measures else 1)

    def processes(self, job: Job) -> int:
        return self.machine.gpus_per_training if job.kind == "train" else 1

    def cores(self, job: Job) -> int:
        """Cores that a job takes; trainings on this machine share its cores evenly."""
        asked, machine = self.threads(job) * self.processes(job), self.machine
        shared = job.kind == "train" and not self.machine.on_nodes
        return min(asked, machine.cores // machine.side_by_side) if shared else asked

    def gpus(self, job: Job) -> int:
        """Number of GPUs that a job uses."""
        device = self.request.places.device
        device = device if job.kind == "train" else measuring_device(device)
        return self.processes(job) * (device != "cpu" and job.kind not in ON_PROCESSOR)


def make(request: Request, how: How) -> int | None:
    """Make whatever of a request is missing or stale. Returns the number of jobs made, or None if
    ``how`` asked only to list or plan them.

    Raises UserError if a job failed, and, before any job starts, if something could not be trained
    or measured.
    """
    graph = Graph(request, how)
    machine, stale = graph.machine, stale_jobs(graph.jobs, graph.runs)
    if stale:
        _check(graph)
    for told in request.left_out():
        print(f"note: {told}", file=sys.stderr)
    if not how.dry_run:
        for task in request.own.keys() & request.sources.keys():  # for later commands
            keep_source(task, Path(request.sources[task]), request.places.data)
    if how.dry_run or (how.plan is not None and not stale):
        print(_listing(graph, stale) if stale else up_to_date(request))
        return None
    if not stale:
        return 0
    if how.profile is not None and how.plan is None:
        check_executor(how.profile)
    with only_command(graph.folder):
        stale = stale_jobs(graph.jobs, graph.runs)  # another command may just have made some
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


def up_to_date(request: Request) -> str:
    """The message that there is nothing to do."""
    whole, name = request.target or "Everything", request.scale.name
    return f"{whole} of preset {name} is up to date: {len(request.jobs())} jobs, none to do."


def _check(graph: Graph) -> None:
    """Raise UserError, before hours of training, for what could not be trained or measured; a dry
    run downloads nothing for this."""
    # The metrics take seconds to import, which a call without stale jobs should not wait for.
    from reproduce.measuring.ablation import check_ablation
    from reproduce.measuring.kinds import KINDS, check_kinds
    from reproduce.measuring.people import read_analysis
    from reproduce.training.checkpoints import new_method
    from reproduce.training.shared import check_shareable
    from reproduce.training.trained import check_pictures, check_runs

    request, preset = graph.request, graph.request.scale
    # The checks need no GPU, and a login node has none.
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
    """The table of stale jobs: the reason, and an estimate of the time."""
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
    """The place of each job in the order: by seed, then by table, so that results come early."""
    last = len(seeds)
    of = {name: min((seeds.index(run.seed) for run in jobs[name].runs), default=last)
          for name in names}  # fmt: skip
    return {name: place for place, name in enumerate(sorted(of, key=of.__getitem__))}


def write_plan(graph: Graph, path: Path, stale: Mapping[str, str]) -> None:
    """Write the plan of the stale jobs to ``path``, and remove their stamps, which no longer hold."""
    jobs, request = graph.jobs, graph.request
    entries, order = [], in_order(jobs, stale, list(request.seeds))
    profile = graph.how.profile
    asked, usual = (asked_for(profile), usual_runtime(profile)) if profile else ({}, None)
    for name in stale:
        job, gpus = jobs[name], graph.gpus(jobs[name])
        step = ["step", name, f"--plan={path}", f"--threads={graph.threads(job)}"]
        words = command(step, graph.processes(job))
        own = _of_node(job, gpus, asked) if graph.machine.on_nodes else {"gpu": gpus}
        if gpus and graph.machine.devices:
            slots = [str(graph.machine.gpu_slots), ",".join(graph.machine.devices)]
            where = [str(graph.folder.absolute()), *slots, str(gpus)]
            words = [sys.executable, "-m", "reproduce.workflow.devices", *where, *words]
        if (took := seconds_of(job, graph.runs)) is not None:
            # Partitions refuse jobs beyond their time limit: a training, which another job can
            # resume, asks for no more than a job of unknown duration.
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
    """Cluster resources of a job beside cores and time; ``{gpus}`` in a value is replaced."""
    found: dict[str, Any] = {"nodes": 1}
    if job.kind not in ("train", *ON_PROCESSOR):
        found["mem_mb"] = 16_000  # features of all translations, and the metrics' networks
    for key, value in asked.get("gpu" if gpus else "cpu", {}).items():
        found[key] = value.format(gpus=gpus) if isinstance(value, str) else value
    if "gres" not in found:  # SLURM's plugin takes only one of the two
        found["gpu"] = gpus
    if gpus > 1:
        found["tasks_per_gpu"] = 0  # one task, which starts a process per GPU
    return found


# Snakemake


def snakemake_words(plan: Path, machine: Machine, folder: Path, profile: str | None) -> list[str]:
    """Snakemake's command line. A config file names the plan: ``--config`` would be read as YAML,
    in which a path may mean something else."""
    config = folder / CONFIG
    # On SIGTERM Snakemake waits for its jobs, which get it too; on SIGINT it cancels a cluster's.
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
    """Call ``_run``; on a cluster, repeat it as long as trainings make progress, since a training may
    take longer than one job's time limit."""
    while True:
        before = _progress(graph, stale)
        try:
            return _run(graph, words, plan, stale)
        except UserError as error:
            if graph.how.profile is None or _progress(graph, stale) <= before:
                raise
            print(f"note: {error}; but trainings made progress: once more", file=sys.stderr)


def _progress(graph: Graph, names: Sequence[str]) -> int:
    """The total number of steps that all trainings have done."""
    jobs = [graph.jobs[name] for name in names if graph.jobs[name].kind == "train"]
    return sum(_steps_done(job, graph.runs) for job in jobs)


def _run(graph: Graph, words: Sequence[str], plan: Path, stale: Sequence[str]) -> None:
    """Run Snakemake to its end and show its progress. Raises UserError if a job is left undone."""
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
    """Start the command ``words``; on exit, send the signal ``end`` to its process group, wait until
    all have saved and stopped, and kill what is left after ``GRACE`` seconds."""
    # Jobs run in Snakemake's folder, from which they must find this checkout.
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
                process.poll()  # a zombie would count as still running
                os.killpg(process.pid, 0)
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def only_command(folder: Path) -> Iterator[None]:
    """Lock the stamps in ``folder``; UserError if another command holds them. Waits for jobs that a
    killed command has left running."""
    lock = FileLock(folder / COMMANDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another command is at work in {folder}{holder(folder / COMMANDS)}: wait for it or end "
            "it, then run the same command to go on"
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
            f"note: jobs of a killed command are at work in {folder}: waiting for them to save and "
            "end", file=sys.stderr,
        )  # fmt: skip
        with lock.acquire(timeout=GRACE + 60):
            return
    except Timeout:
        raise UserError(
            f"jobs of a killed command are still at work in {folder}: end them (they hold "
            f"{path}{holder(path)}), then run the same command again"
        ) from None


def _failure(graph: Graph, left: Sequence[str], said: Path, plan: Path) -> str:
    """The error message: which job failed, and the last line of its log."""
    for name in left:
        log = graph.log(name)
        if log.exists() and log.stat().st_mtime >= plan.stat().st_mtime:  # from this run
            lines = [x for x in log.read_text(encoding="utf-8", errors="replace").split("\n") if x]
            # The last line may come from a library at exit.
            errors = [line for line in lines if line.startswith("error: ")]
            if lines:
                said_last = (errors or lines)[-1]
                return f"{name} failed ({said_last}): see {log}; run the same command to go on"
    return f"Snakemake ended early, {len(left)} jobs left: see {said}; run the same command again"


# What people see


def _watch(process: subprocess.Popen[bytes], graph: Graph, waiting: Sequence[str]) -> None:
    """Show progress bars until the process ends: one for all jobs, one for each running training."""
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
    """Steps that a training reports as done."""
    told = progress_of(run_folder(runs, job.preset.name, job.runs[0]))
    return min(int(told.get("step", 0)), job.runs[0].steps)
