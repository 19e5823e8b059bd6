"""What ``python -m reproduce all`` and its hidden helper ``step`` do."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models.errors import UserError
from reproduce.arguments import by_task, places_of
from reproduce.cli import default_jobs
from reproduce.estimates import Estimates, in_words
from reproduce.experiments import Preset, load_preset
from reproduce.files import write_text
from reproduce.graph import Job, all_jobs, is_done, stale_jobs, stamps_folder
from reproduce.mode_measure import check_measurable
from reproduce.pipeline import check_runs
from reproduce.places import Places, set_threads
from reproduce.runs import RunConfig, parse_settings, run_folder
from reproduce.scoring import check_scores
from reproduce.signals import handled

ROOT = Path(__file__).resolve().parent.parent
SNAKEFILE = Path(__file__).with_name("Snakefile")
PLAN = "plan.json"


def everything(arguments: argparse.Namespace) -> int:
    """Make whatever of a preset is missing or stale, by Snakemake; say what, and why."""
    overrides = parse_settings(arguments.settings)
    preset = load_preset(arguments.preset).changed(overrides, {})
    sources = _sources(arguments, preset)
    places = places_of(arguments)
    cores = arguments.cores or os.cpu_count() or 1
    side_by_side = min(default_jobs(arguments.jobs, places.device), cores)
    threads = max(1, cores // side_by_side)
    jobs = all_jobs(preset, arguments.seeds, threads=threads, overrides=overrides, sources=sources)
    _check(preset, jobs, places)
    folder = stamps_folder(places.runs, preset)
    stale = stale_jobs(jobs, folder)
    if not stale:
        print(f"Everything of preset {preset.name} is up to date: {len(jobs)} jobs, none to do.")
        return 0
    estimates = Estimates(jobs, folder)
    if arguments.dry_run:
        print(_listing(jobs, stale, estimates, cores))
        return 0
    plan = _write_plan(arguments, preset, jobs, stale, estimates, places, folder)
    if arguments.plan is not None:
        print(plan)
        return 0
    return _run(plan, preset, jobs, stale, places, folder, cores)


def step(arguments: argparse.Namespace) -> int:
    """Make one job of a plan, in this process; for Snakemake."""
    from reproduce.checkpoints import NonFiniteWeight
    from reproduce.loop import Interrupted
    from reproduce.steps import make
    from reproduce.trainer import NonFiniteLoss

    try:
        plan = json.loads(arguments.plan.read_text(encoding="utf-8"))
        words = plan["words"]
    except (OSError, ValueError, LookupError) as error:
        raise UserError(
            f"{arguments.plan} is no plan of python -m reproduce all: {error}"
        ) from None
    preset = load_preset(words["preset"]).changed(words["overrides"], {})
    jobs = all_jobs(
        preset, words["seeds"], threads=words["threads"], overrides=words["overrides"],
        sources=words["sources"],
    )  # fmt: skip
    job = jobs.get(arguments.job)
    planned = plan["digests"].get(arguments.job)
    if job is None or planned is None:
        raise UserError(f"{arguments.plan} has no job {arguments.job}")
    if job.digest != planned:
        raise UserError(
            f"the code or the preset changed after {arguments.plan} was written: run "
            "python -m reproduce all again"
        )
    set_threads(job.threads)
    stamps = Path(words["runs"]) / preset.name / "stamps"
    places = Places(
        Path(words["data"]), Path(words["runs"]), Path(words["results"]), words["device"],
        progress=False,
    )  # fmt: skip
    if is_done(job, stamps):
        return 0
    try:
        make(preset, job, places)
    except Interrupted as stop:
        print(f"saved after step {stop.step}", file=sys.stderr)
        return 130
    except (NonFiniteLoss, NonFiniteWeight) as error:
        raise UserError(f"{error}: try a lower lr") from None
    return 0


def _sources(arguments: argparse.Namespace, preset: Preset) -> dict[str, str]:
    tasks = {task for tasks in preset.tables.values() for task in tasks}
    return by_task("source", arguments.source, sorted(tasks | set(preset.figures.values())))


def _check(preset: Preset, jobs: Mapping[str, Job], places: Places) -> None:
    """Refuse before hours of training what could not be trained or measured after them."""
    trained: list[RunConfig] = [
        run for job in jobs.values() if job.kind == "train" for run in job.runs
    ]
    check_runs(preset, trained)
    shown = {kind: [r for j in jobs.values() if j.kind == kind for r in j.runs]
             for kind in ("diversity", "modes")}  # fmt: skip
    if shown["diversity"]:
        check_scores(preset, shown["diversity"], places)
    if shown["modes"]:
        check_measurable(shown["modes"], places)


def _listing(
    jobs: Mapping[str, Job], stale: Mapping[str, str], estimates: Estimates, cores: int
) -> str:
    """What would be made, why, and how long it would take."""
    width = max(map(len, stale))
    lines = [f"{'job':<{width}}  {'about':>8}  why"]
    for name, why in stale.items():
        lines.append(f"{name:<{width}}  {in_words(estimates.seconds(name)):>8}  {why}")
    whole = in_words(estimates.makespan(list(stale), cores))
    lines.append(f"{len(stale)} of {len(jobs)} jobs to do; about {whole} on {cores} cores.")
    return "\n".join(lines)


def _write_plan(
    arguments: argparse.Namespace, preset: Preset, jobs: Mapping[str, Job],
    stale: Mapping[str, str], estimates: Estimates, places: Places, folder: Path,
) -> Path:  # fmt: skip
    """The stale jobs as Snakemake is told of them."""
    path = (arguments.plan or folder / PLAN).absolute()
    threads = max((job.threads for job in jobs.values() if job.kind == "train"), default=1)
    for name in stale:  # a stamp of what is to be made again says what is not so
        jobs[name].stamp(folder).unlink(missing_ok=True)
    entries = []
    for name in stale:
        job = jobs[name]
        command = [sys.executable, "-m", "reproduce", "step", name, "--plan", str(path)]
        entries.append({
            "rule": name.replace("/", "_").replace("-", "_").replace(".", "_"),
            "needs": [str(need.stamp(folder).absolute()) for need in job.needs],
            "stamp": str(job.stamp(folder).absolute()),
            "words": shlex.join(command),
            "threads": job.threads,
            "gpu": int(places.device != "cpu" and job.kind != "data"),
            "minutes": 10 + 3 * round(estimates.seconds(name) / 60),
            "log": str(_log(job, folder).absolute()),
        })  # fmt: skip
    words = {
        "preset": preset.base, "overrides": parse_settings(arguments.settings), "seeds": arguments.seeds, "threads": threads,
        "sources": _sources(arguments, preset), "device": places.device,
        "data": str(places.data.absolute()), "runs": str(places.runs.absolute()),
        "results": str(places.results.absolute()),
    }  # fmt: skip
    plan = {
        "words": words,
        "digests": {name: jobs[name].digest for name in stale},
        "stamps": [entry["stamp"] for entry in entries],
        "jobs": entries,
    }
    write_text(path, json.dumps(plan, indent=1) + "\n")
    return path


def _log(job: Job, folder: Path) -> Path:
    return folder / "logs" / f"{job.name.replace('/', '.')}.log"


def _run(
    plan: Path, preset: Preset, jobs: Mapping[str, Job], stale: Mapping[str, str], places: Places,
    folder: Path, cores: int,
) -> int:  # fmt: skip
    """Run Snakemake to its end, showing how far it is."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    said = folder / "snakemake.log"
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--config",
        f"plan={plan}", "--cores", str(cores), "--directory", str(folder.absolute()),
        "--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock", "--quiet", "rules",
    ]  # fmt: skip
    if places.device != "cpu":
        command += ["--resources", "gpu=1"]
    with said.open("wb") as log, contextlib.ExitStack() as stack:
        # Jobs run in Snakemake's folder, from where this checkout must be found.
        found = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | {"PYTHONPATH": found},
        )  # fmt: skip
        stack.enter_context(handled(_interrupt, "SIGTERM", "SIGHUP"))
        stack.callback(_end, process)
        _watch(process, preset, [jobs[name] for name in stale], places, folder)
    left = [name for name in stale if not is_done(jobs[name], folder)]
    if process.returncode == 0 and not left:
        print(f"Made {len(stale)} jobs. Tables and figures: {places.results / preset.name}")
        return 0
    raise UserError(_failure(left, jobs, folder, said))


def _failure(left: Sequence[str], jobs: Mapping[str, Job], folder: Path, said: Path) -> str:
    """Which job failed, and its last words."""
    for name in left:
        log = _log(jobs[name], folder)
        if jobs[name].stamp(folder).with_suffix(".begun").exists() and log.exists():
            lines = [x for x in log.read_text(encoding="utf-8", errors="replace").split("\n") if x]
            # Others may end with what a library said at exit.
            errors = [line for line in lines if line.startswith("error: ")]
            if lines:
                said_last = (errors or lines)[-1]
                return f"{name} failed ({said_last}): see {log}; the same command goes on"
    return f"Snakemake ended early, {len(left)} jobs are left: see {said}; the same command goes on"


def _watch(
    process: subprocess.Popen[bytes], preset: Preset, waiting: Sequence[Job], places: Places,
    folder: Path,
) -> None:  # fmt: skip
    """Bars: one of all jobs, and one of every training that is under way."""
    bars: dict[str, Any] = {}
    stamps = {job.name: job.stamp(folder) for job in waiting}
    total = tqdm(total=len(waiting), desc="jobs", unit="job", disable=not places.progress)
    try:
        while process.poll() is None:
            time.sleep(0.5)
            total.n = sum(stamp.exists() for stamp in stamps.values())
            active = [
                job.name for job in waiting
                if not stamps[job.name].exists() and stamps[job.name].with_suffix(".begun").exists()
            ]  # fmt: skip
            total.set_postfix_str(", ".join(active[:2]), refresh=True)
            for job in waiting:
                if job.kind == "train":
                    _look(job, bars, active, preset, places)
    finally:
        for bar in bars.values():
            bar.close()
        total.n = sum(stamp.exists() for stamp in stamps.values())
        total.close()


def _look(
    job: Job, bars: dict[str, Any], active: Sequence[str], preset: Preset, places: Places
) -> None:
    if job.name not in active:
        if job.name in bars:
            bars.pop(job.name).close()
        return
    run = job.runs[0]
    try:
        path = run_folder(places.runs, preset.name, run) / "progress.json"
        state = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    if job.name not in bars:
        bars[job.name] = tqdm(
            total=run.steps, desc=f"  {run.method} on {run.task} (seed {run.seed})", unit="step",
            leave=False, disable=not places.progress,
        )  # fmt: skip
    bars[job.name].n = min(state["step"], run.steps)
    bars[job.name].refresh()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask Snakemake and all that it started to save and stop."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=120)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
