"""A plan of jobs, run by Snakemake in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.files import write_text
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import run_folder
from reproduce.training.signals import handled
from reproduce.workflow.cluster_profile import profile_path
from reproduce.workflow.graph import Job, is_done
from reproduce.workflow.guard import end_guarded, start_guarded
from reproduce.workflow.plan import Graph, Machine, log_of

ROOT = Path(__file__).resolve().parents[2]
SNAKEFILE = Path(__file__).with_name("Snakefile")
CONFIG = "snakemake.json"


def run_plan(graph: Graph, plan: Path, stale: Mapping[str, str], profile: str | None) -> int:
    """Run Snakemake to its end, showing how far it is: here, or as a profile says. It ends with
    this process, however that ends."""
    folder, jobs = graph.folder, graph.jobs
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    said = folder / "snakemake.log"
    # Jobs run in Snakemake's folder, from where this checkout must be found.
    found = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with contextlib.ExitStack() as stack:
        stack.enter_context(handled(_interrupt, "SIGTERM", "SIGHUP"))
        # To SIGTERM Snakemake waits for its jobs, who get it too; to SIGINT it calls a cluster's off.
        guard = start_guarded(
            snakemake_words(plan, graph.machine, folder, profile), folder, said,
            os.environ | {"PYTHONPATH": found}, "SIGTERM" if profile is None else "SIGINT",
        )  # fmt: skip
        stack.callback(end_guarded, guard)
        _watch(guard, graph.preset, [jobs[name] for name in stale], graph.places, folder)
    left = [name for name in stale if not is_done(jobs[name], folder)]
    if guard.returncode == 0 and not left:
        print(
            f"Made {len(stale)} jobs. Tables and figures: {graph.places.results / graph.preset.name}"
        )
        return 0
    raise UserError(_failure(left, jobs, folder, said, plan))


def snakemake_words(plan: Path, machine: Machine, folder: Path, profile: str | None) -> list[str]:
    """Snakemake's command line. The plan is told of in a file: ``--config`` would be read as YAML,
    in which a path may mean something else."""
    config = folder / CONFIG
    write_text(config, json.dumps({"plan": str(plan)}) + "\n")
    words = [
        sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--configfile",
        str(config.absolute()), "--directory", str(folder.absolute()),
        "--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock", "--quiet", "rules",
    ]  # fmt: skip
    if profile is not None:
        return [*words, "--profile", str(profile_path(profile))]
    limits = [f"training={machine.side_by_side}", f"gpu={machine.gpu_slots}"]
    return [*words, "--cores", str(machine.cores), "--resources", *limits]


def _failure(
    left: Sequence[str], jobs: Mapping[str, Job], folder: Path, said: Path, plan: Path
) -> str:
    """Which job failed, and its last words."""
    for name in left:
        log = log_of(jobs[name], folder)
        if log.exists() and log.stat().st_mtime >= plan.stat().st_mtime:  # of this time
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
