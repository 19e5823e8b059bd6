"""What ``python -m reproduce ablate`` does."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.console import aligned, in_words
from reproduce.analysis.ablation_results import curves_of
from reproduce.analysis.ablation_text import ablation_table, write_ablation
from reproduce.commands.arguments import by_task, places_of
from reproduce.experiments.ablation import Ablation, make_ablation
from reproduce.experiments.places import Places, set_threads
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import parse_settings, run_folder
from reproduce.measuring.ablation import (
    check_ablation,
    chosen_metrics,
    measure_ablation,
    trainings_of,
)
from reproduce.report.ablation_figure import ablation_figure
from reproduce.training.devices import default_jobs
from reproduce.training.pipeline import Training, found_checkpoint, train_each
from reproduce.workflow.estimates import Estimates
from reproduce.workflow.graph import Job, stamps_folder


def ablate(arguments: argparse.Namespace) -> int:
    """Train and measure what is missing, or take what is stored; write table and figure."""
    overrides = parse_settings(arguments.settings)
    preset = load_preset(arguments.preset)
    sources = by_task("source", arguments.source, [arguments.task])
    ablation = make_ablation(
        preset, arguments.method, arguments.task, arguments.values, arguments.seeds, overrides,
        sources.get(arguments.task, ""),
    )  # fmt: skip
    metrics = chosen_metrics(arguments.task, arguments.method, arguments.metrics)
    places = replace(
        places_of(arguments),
        lpips_path=arguments.lpips_weights,
        inception_path=arguments.inception_weights, inception_sha256=arguments.inception_sha256,
    )  # fmt: skip
    if arguments.dry_run:
        print(_listing(ablation, places, arguments.jobs))
        return 0
    if not arguments.stored:
        check_ablation(ablation, metrics, places)
        trainings = [Training(p.preset, run, p.overrides) for p, run in trainings_of(ablation)]
        jobs = min(default_jobs(arguments.jobs, places.device), len(trainings))
        train_each(trainings, places, jobs=jobs)
        set_threads(arguments.threads)
        measure_ablation(ablation, metrics, places)
    curves = curves_of(ablation, metrics, places.results)
    paths = write_ablation(ablation, curves, places.results)
    paths.append(ablation_figure(ablation, curves, places.results))
    print(ablation_table(ablation, curves).markdown())
    print("\n".join(map(str, paths)))
    return 0


@dataclass(frozen=True)
class _State:
    """Of one training: where it is kept, and the updates done."""

    point: str
    seed: int
    folder: str
    steps: int
    done: int

    @property
    def words(self) -> str:
        if self.done >= self.steps:
            return "trained"
        return f"{self.done} of {self.steps} steps" if self.done else "missing"


def _listing(ablation: Ablation, places: Places, jobs: int) -> str:
    """Which trainings are there, which are missing, and about how long these take."""
    states, waiting = [], {}
    trainings = trainings_of(ablation)
    side_by_side = min(default_jobs(jobs, places.device), len(trainings))
    threads = max(1, (os.cpu_count() or 1) // side_by_side)
    for point, run in trainings:
        found = found_checkpoint(point.preset, run, places)
        done = 0 if found is None else found.step
        folder = run_folder(places.runs, point.preset.name, run)
        state = _State(ablation.label(point), run.seed, str(folder), run.steps, done)
        states.append(state)
        if done < run.steps:
            name = f"train/{state.folder}/{state.point}/seed{run.seed}"
            rest = replace(run, steps=run.steps - done)
            waiting[name] = Job(name, run.as_dict(), threads=threads, runs=(rest,))
    stamps = stamps_folder(places.runs, ablation.preset)
    estimates = Estimates(waiting, stamps, places.results, places.device)
    seconds = estimates.makespan(list(waiting), side_by_side * threads)
    whole = "" if not waiting else f", about {in_words(seconds)}" if seconds is not None else ""
    return (
        f"{_table(states)}\n{len(waiting)} of {len(states)} trainings to do{whole}, {side_by_side} "
        "side by side; measuring comes on top."
    )


def _table(states: Sequence[_State]) -> str:
    rows = [("point", "seed", "state", "folder")]
    rows += [(s.point, str(s.seed), s.words, s.folder) for s in states]
    return "\n".join("  ".join(cells).rstrip() for cells in aligned(rows, range(4)))
