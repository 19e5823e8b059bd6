"""What ``python -m reproduce all`` does."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reproduce.arguments import by_task, places_of
from reproduce.checkpoints import new_method
from reproduce.cli import default_jobs
from reproduce.estimates import Estimates, in_words
from reproduce.experiments import Preset, load_preset
from reproduce.files import write_text
from reproduce.graph import Job, stale_jobs, stamps_folder
from reproduce.jobs import all_jobs
from reproduce.mode_measure import check_measurable
from reproduce.pipeline import check_runs
from reproduce.places import Places
from reproduce.processes import command
from reproduce.report.inputs import inputs_sha256
from reproduce.runs import RunConfig, parse_settings
from reproduce.scoring import check_scores
from reproduce.shared_trainer import check_shareable
from reproduce.snakemake_run import log_of, run_plan

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
    by_hand = inputs_sha256(places.results / preset.name)
    jobs = all_jobs(
        preset, arguments.seeds, threads=threads, overrides=overrides, sources=sources,
        by_hand=by_hand,
    )  # fmt: skip
    _check(preset, jobs, places, arguments.gpus_per_training)
    folder = stamps_folder(places.runs, preset)
    stale = stale_jobs(jobs, folder)
    if not stale:
        print(f"Everything of preset {preset.name} is up to date: {len(jobs)} jobs, none to do.")
        return 0
    estimates = Estimates(jobs, folder, places.results)
    if arguments.dry_run:
        print(_listing(jobs, stale, estimates, cores))
        return 0
    plan = _write_plan(arguments, preset, jobs, stale, estimates, places, folder)
    if arguments.plan is not None:
        print(plan)
        return 0
    return run_plan(
        plan, preset, jobs, stale, places, folder, cores, arguments.profile,
        arguments.gpus_per_training,
    )  # fmt: skip


def in_order(jobs: Mapping[str, Job], names: Iterable[str], seeds: Sequence[int]) -> dict[str, int]:
    """Each job's place: seed after seed, table after table, so that results come early."""
    last = len(seeds)
    of = {name: min((seeds.index(run.seed) for run in jobs[name].runs), default=last)
          for name in names}  # fmt: skip
    return {name: place for place, name in enumerate(sorted(of, key=of.__getitem__))}


def _sources(arguments: argparse.Namespace, preset: Preset) -> dict[str, str]:
    tasks = {task for tasks in preset.tables.values() for task in tasks}
    return by_task("source", arguments.source, sorted(tasks | set(preset.figures.values())))


def _check(preset: Preset, jobs: Mapping[str, Job], places: Places, several: int) -> None:
    """Refuse before hours of training what could not be trained or measured after them."""
    trained: list[RunConfig] = [
        run for job in jobs.values() if job.kind == "train" for run in job.runs
    ]
    check_runs(preset, trained)
    for run in trained if several > 1 else []:
        check_shareable(new_method(run), run.batch, several)
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
    entries, order = [], in_order(jobs, stale, arguments.seeds)
    for name in stale:
        job = jobs[name]
        several = arguments.gpus_per_training if job.kind == "train" else 1
        entries.append({
            "rule": name.replace("/", "_").replace("-", "_").replace(".", "_"),
            "needs": [str(need.stamp(folder).absolute()) for need in job.needs],
            "stamp": str(job.stamp(folder).absolute()),
            "words": shlex.join(command(["step", name, "--plan", str(path)], several)),
            "threads": job.threads * several,
            "priority": len(stale) - order[name],
            "gpu": several * (places.device != "cpu" and job.kind != "data"),
            "minutes": 10 + 3 * round(estimates.seconds(name) / 60),
            "log": str(log_of(job, folder).absolute()),
        })  # fmt: skip
    words = {
        "preset": preset.base, "overrides": parse_settings(arguments.settings), "seeds": arguments.seeds, "threads": threads,
        "sources": _sources(arguments, preset), "device": places.device,
        "by_hand": inputs_sha256(places.results / preset.name),
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
