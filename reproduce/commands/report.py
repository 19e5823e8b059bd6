"""What ``python -m reproduce report`` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from models.errors import UserError
from reproduce.commands.arguments import by_task, places_of
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig, parse_settings
from reproduce.records.current import REFERENCE
from reproduce.records.store import Records
from reproduce.report.curves import holds, make_curves
from reproduce.report.style_figures import draw_styles, style_paths
from reproduce.report.write import write_report
from reproduce.training.pipeline import checkpoint_of


def report(arguments: argparse.Namespace) -> int:
    """Draw what is missing and can be drawn from runs; write the report and print where it is."""
    overrides = parse_settings(arguments.settings)
    preset = load_preset(arguments.preset).changed(overrides, {})
    places = places_of(arguments)
    seeds = _seeds(arguments, preset, places)
    tasks = {task for tasks in preset.tables.values() for task in tasks}
    sources = by_task("source", arguments.source, sorted(tasks | set(preset.figures.values())))
    runs = runs_of(preset, seeds, overrides, sources)
    make_curves(preset, runs, places)
    for run in runs:
        if run.method == REFERENCE and run.task in tasks and run.seed == seeds[0]:
            _styles(preset, run, places)
    out = arguments.out or places.results / preset.name / "report"
    made, note = write_report(preset, runs, places, out)
    for path in made:
        if path.parent == out:
            print(path)
    if note:
        print(note, file=sys.stderr)
    return 0


def _seeds(arguments: argparse.Namespace, preset: Preset, places: Places) -> list[int]:
    """Those asked for, or all that have records."""
    asked: list[int] | None = arguments.seeds
    if asked is None:
        known = {int(record["seed"]) for record in Records(places.results, preset.name).all()}
        return sorted(known) or [0]
    if len(set(asked)) < len(asked):
        raise UserError(f"--seeds {' '.join(map(str, asked))}: give each once")
    return asked


def runs_of(
    preset: Preset, seeds: Sequence[int], overrides: dict[str, str], sources: dict[str, str]
) -> list[RunConfig]:
    """The runs behind everything of a preset, each once."""
    runs: dict[tuple[str, str, int], RunConfig] = {}
    for seed in seeds:
        tables, figures = preset.all_runs(seed, overrides, sources)
        for run in (*(r for of_table in tables.values() for r in of_table), *figures.values()):
            runs.setdefault((run.task, run.method, run.seed), run)
    return list(runs.values())


def _styles(preset: Preset, run: RunConfig, places: Places) -> None:
    """The figures of styles of a finished run, unless they are there."""
    checkpoint = checkpoint_of(preset, run, places)
    there = all(path.is_file() for path in style_paths(preset, run, places))
    if not there and checkpoint.is_file() and holds(checkpoint.parent, run):
        draw_styles(preset, run, places)
