"""What ``python -m reproduce table`` does."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.metrics.diversity_protocols import get_protocol
from models.errors import UserError
from models.zoo import nearest
from reproduce.analysis.preference_evidence import write_evidence
from reproduce.analysis.table import fill_readme
from reproduce.analysis.table_files import table_of
from reproduce.commands.arguments import by_task, places_of, train_all
from reproduce.experiments.places import Places
from reproduce.experiments.preset import TABLES, Preset, fitting, load_preset
from reproduce.experiments.run import RunConfig, parse_settings
from reproduce.measuring.kinds import check_scores, measure_runs, measure_task
from reproduce.measuring.modes import check_measurable
from reproduce.measuring.people import take_in
from reproduce.report.figures import comparison
from reproduce.report.mode_figure import mode_grid
from reproduce.tasks.registry import TASKS
from reproduce.training.pipeline import check_runs


def table(arguments: argparse.Namespace) -> int:
    """Train and measure what is missing, or take what is stored; write and print the table."""
    if arguments.number not in TABLES:
        raise UserError(f"no table {arguments.number} here: known: {', '.join(map(str, TABLES))}")
    overrides = parse_settings(arguments.settings)
    preset = _preset(arguments, overrides).of_tasks(arguments.number, _tasks(arguments))
    tasks = preset.tables.get(arguments.number, [])
    seeds = _seeds(arguments)
    sources = by_task("source", arguments.source, tasks)
    runs = {s: preset.table_runs(arguments.number, s, overrides, sources) for s in seeds}
    studies = {t: Path(path) for t, path in by_task("human", arguments.human, tasks).items()}
    places = replace(
        places_of(arguments),
        lpips_path=arguments.lpips_weights,
        inception_path=arguments.inception_weights, inception_sha256=arguments.inception_sha256,
    )  # fmt: skip
    if studies and arguments.number != 1:
        raise UserError("--human fills the Quality of table 1: leave it out")
    if studies and len(seeds) > 1:
        raise UserError("--human is about the translations of one training: give its --seed alone")
    if not arguments.stored:
        _make(preset, runs, places, arguments, overrides)
    for task, path in studies.items():
        take_in(preset, task, path, seeds[0], places)
    write = bool(studies) or not arguments.stored
    text, _ = table_of(arguments.number, preset, places.results, seeds, write)
    if arguments.readme is not None:
        fill_readme(arguments.readme, f"table{arguments.number}-{preset.name}", text)
    print(text)
    if write:
        print(f"Tables and figures: {places.results / preset.name}")
    return 0


def _seeds(arguments: argparse.Namespace) -> list[int]:
    """Those of --seeds, or the one of --seed."""
    seeds: list[int] = arguments.seeds or [arguments.seed]
    if arguments.seed not in (0, seeds[0]):
        raise UserError(f"--seed {arguments.seed} and --seeds: give one of them")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {' '.join(map(str, seeds))}: give each once")
    return seeds


def _preset(arguments: argparse.Namespace, overrides: dict[str, str]) -> Preset:
    measuring = {key: getattr(arguments, key) for key in ("inputs", "protocol")}
    measuring = {key: value for key, value in measuring.items() if value is not None}
    if "protocol" in measuring:  # at its own number of samples
        measuring["samples"] = get_protocol(measuring["protocol"]).samples
    preset = load_preset(arguments.preset).changed(overrides, measuring)
    if arguments.scores is None:
        return preset
    # More or fewer columns change no number, so the name stays.
    return replace(preset, measure=replace(preset.measure, scores=arguments.scores))


def _tasks(arguments: argparse.Namespace) -> list[str]:
    """The tasks of --task, each once; those that the table cannot hold are refused."""
    for task in arguments.tasks:
        if task not in TASKS:
            raise UserError(f"--task {task}: {nearest(task, TASKS)}")
        if task not in fitting(arguments.number):
            use = ", ".join(fitting(arguments.number))
            raise UserError(f"--task {task} is none of table {arguments.number}: use {use}")
    return list(dict.fromkeys(arguments.tasks))


def _make(
    preset: Preset, runs: Mapping[int, Sequence[RunConfig]], places: Places,
    arguments: argparse.Namespace, overrides: dict[str, str],
) -> None:  # fmt: skip
    """Train and measure what is missing of the runs, seed by seed."""
    number, folder = arguments.number, places.results / preset.name
    every = [run for of_seed in runs.values() for run in of_seed]
    check_runs(preset, every)
    # Missing weights are told before hours of training.
    if number == 1:
        check_scores(preset, every, places)
    else:
        check_measurable(every, places)
    first = next(iter(runs))
    for seed, of_seed in runs.items():
        train_all(preset, of_seed, places, arguments, overrides)
        for task in preset.tables[number]:
            of_task = [run for run in of_seed if run.task == task]
            if number == 1:
                measure_task(preset, of_task, places)
            else:
                measure_runs(["modes"], preset, of_task, places)
            if seed == first:  # one training is shown
                draw, kind = (comparison, "figure4") if number == 1 else (mode_grid, "modes")
                draw(preset, of_task, places, folder / f"{kind}-{task}.png")
                if number == 1 and preset.measure.scores == "all":
                    for by in preset.measure.preferring(of_task[0]):
                        write_evidence(preset, of_task, places, by)
