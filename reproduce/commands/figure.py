"""What ``python -m reproduce figure`` does."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from reproduce.commands.arguments import by_task, places_of, train_all
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig, parse_settings
from reproduce.report.unit_figures import both_directions
from reproduce.tasks.registry import TASKS, open_task
from reproduce.tasks.sorting import Sorting, refuse_unread
from reproduce.training.pipeline import check_runs


def figure(arguments: argparse.Namespace) -> int:
    """Train what is missing for figures of the UNIT paper; draw them and print where they are."""
    overrides = parse_settings(arguments.settings)
    # Faces by an attribute that was asked for are other pictures, so all of it has another name.
    attribute = {} if arguments.attribute is None else {"attribute": arguments.attribute}
    preset = load_preset(arguments.preset).changed(overrides | attribute, {})
    tasks = preset.figure_tasks(arguments.numbers)
    sources = by_task("source", arguments.source, list(tasks.values()))
    runs = preset.figure_runs(arguments.numbers, arguments.seed, overrides, sources)
    places = places_of(arguments)
    check_runs(preset, list(runs.values()))
    if arguments.attribute is not None:
        runs = _divided(runs, Sorting(attribute=arguments.attribute), places)
    train_all(preset, list(runs.values()), places, arguments, overrides)
    for number, run in runs.items():
        path = places.results / preset.name / f"unit-figure{number}.png"
        print(both_directions(preset, run, places, path))
    return 0


def _divided(runs: dict[int, RunConfig], sorting: Sorting, places: Places) -> dict[int, RunConfig]:
    """The runs with the pictures that are sorted by what ``sorting`` says; UserError where it says
    nothing of one's task, before anything is sorted."""
    sources = {number: Path(run.source) if run.source else None for number, run in runs.items()}
    for number, run in runs.items():
        refuse_unread(run.task, TASKS[run.task], sources[number], sorting)
    divided = {}
    for number, run in runs.items():
        domains = open_task(
            run.task, data_dir=places.data, size=run.size, source=sources[number],
            sorting=sorting, progress=places.progress,
        )  # fmt: skip
        divided[number] = replace(run, source=str(domains.folder.resolve()))
    return divided
