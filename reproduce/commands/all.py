"""What ``python -m reproduce all`` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.console import in_words
from reproduce.commands.arguments import by_task, places_of
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig, parse_settings
from reproduce.records.store import Records
from reproduce.report.inputs import inputs_sha256
from reproduce.training.checkpoints import new_method
from reproduce.training.pipeline import check_runs
from reproduce.training.shared import check_shareable
from reproduce.workflow.cluster_profile import check_executor
from reproduce.workflow.estimates import Estimates
from reproduce.workflow.graph import Job, stale_jobs, stamps_folder
from reproduce.workflow.guard import only_command
from reproduce.workflow.jobs import all_jobs
from reproduce.workflow.plan import Graph, machine_of, write_plan
from reproduce.workflow.snakemake_run import run_plan

PLAN = "plan.json"


def everything(arguments: argparse.Namespace) -> int:
    """Make whatever of a preset is missing or stale, by Snakemake; say what, and why."""
    graph = _graph(arguments)
    if arguments.seeds is None:
        seeds = " ".join(map(str, graph.seeds))
        print(f"note: --seeds {seeds}, as on record (0 if none is)", file=sys.stderr)
    stale = stale_jobs(graph.jobs, graph.folder)
    if not stale:
        return _nothing(graph)
    # Of a device, what is checked needs none, and a login node has none.
    here = replace(graph.places, device="cpu")
    _check(graph.preset, graph.jobs, here, graph.machine.gpus_per_training)
    if arguments.dry_run:
        print(_listing(graph, stale))
        return 0
    if arguments.profile is not None and arguments.plan is None:
        check_executor(arguments.profile)
    with only_command(graph.folder):
        stale = stale_jobs(graph.jobs, graph.folder)  # others may have been at work until now
        if not stale:
            return _nothing(graph)
        path: Path = (arguments.plan or graph.folder / PLAN).absolute()
        write_plan(graph, path, stale, _estimates(graph))
        if arguments.plan is not None:
            print(path)
            return 0
        return run_plan(graph, path, stale, arguments.profile)


def _graph(arguments: argparse.Namespace) -> Graph:
    """The jobs, and all that they are made from."""
    overrides = parse_settings(arguments.settings)
    preset = load_preset(arguments.preset).changed(overrides, {})
    elsewhere = arguments.profile is not None or arguments.plan is not None
    places = _places(arguments, elsewhere)
    machine = machine_of(
        arguments.cores, arguments.jobs, places.device, arguments.gpus_per_training,
        elsewhere=elsewhere,
    )  # fmt: skip
    seeds = _seeds(arguments.seeds, preset, places.results)
    sources = _sources(arguments, preset)
    by_hand = inputs_sha256(places.results / preset.name)
    jobs = all_jobs(
        preset, seeds, threads=machine.threads, overrides=overrides, sources=sources,
        by_hand=by_hand,
    )  # fmt: skip
    folder = stamps_folder(places.runs, preset)
    return Graph(preset, overrides, seeds, sources, by_hand, places, machine, jobs, folder)


def _places(arguments: argparse.Namespace, elsewhere: bool) -> Places:
    """The folders and the device; the GPUs of other machines need not be here too."""
    if elsewhere and arguments.device == "cuda":
        here = argparse.Namespace(**vars(arguments) | {"device": "cpu"})
        return replace(places_of(here), device=arguments.device)
    return places_of(arguments)


def _seeds(asked: Sequence[int] | None, preset: Preset, results: Path) -> list[int]:
    """Those asked for, in order; else those on record, which tables and claims are over; else 0."""
    if asked is not None:
        return sorted(asked)
    return sorted({int(record["seed"]) for record in Records(results, preset.name).all()}) or [0]


def _sources(arguments: argparse.Namespace, preset: Preset) -> dict[str, str]:
    tasks = {task for tasks in preset.tables.values() for task in tasks}
    return by_task("source", arguments.source, sorted(tasks | set(preset.figures.values())))


def _check(preset: Preset, jobs: Mapping[str, Job], places: Places, several: int) -> None:
    """Refuse before hours of training what could not be trained or measured after them."""
    # All that measures takes seconds to import, which a call that does nothing should not.
    from reproduce.measuring.kinds import check_scores
    from reproduce.measuring.modes import check_measurable

    trained: list[RunConfig] = [
        run for job in jobs.values() if job.kind == "train" for run in job.runs
    ]
    check_runs(preset, trained)
    for run in trained if several > 1 else []:
        check_shareable(new_method(run), run.batch, several)
    translated = [r for j in jobs.values() if j.kind in ("diversity", "scores") for r in j.runs]
    if translated:
        check_scores(preset, translated, places)
    if of_modes := [r for j in jobs.values() if j.kind == "modes" for r in j.runs]:
        check_measurable(of_modes, places)


def _nothing(graph: Graph) -> int:
    jobs = len(graph.jobs)
    print(f"Everything of preset {graph.preset.name} is up to date: {jobs} jobs, none to do.")
    return 0


def _estimates(graph: Graph) -> Estimates:
    return Estimates(graph.jobs, graph.folder, graph.places.results, graph.places.device)


def _listing(graph: Graph, stale: Mapping[str, str]) -> str:
    """What would be made, why, and how long it would take."""
    estimates, machine = _estimates(graph), graph.machine
    width = max(map(len, stale))
    lines = [f"{'job':<{width}}  {'about':>8}  why"]
    for name, why in stale.items():
        lines.append(f"{name:<{width}}  {in_words(estimates.seconds(name)):>8}  {why}")
    seconds = estimates.makespan(list(stale), machine.cores, machine.side_by_side)
    whole = f"about {in_words(seconds)}" if seconds is not None else "for an unknown time"
    cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
    lines.append(f"{len(stale)} of {len(graph.jobs)} jobs to do; {whole} on {cores}.")
    return "\n".join(lines)
