"""What the arguments of ``table`` and ``figure`` mean: places, sources, trainings."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.errors import UserError
from reproduce.experiments.places import Places, set_threads
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.training.devices import check_device, default_jobs
from reproduce.training.pipeline import train_missing


def places_of(arguments: argparse.Namespace) -> Places:
    """The folders, and a device that exists."""
    return Places(
        arguments.data, arguments.runs, arguments.results, check_device(arguments.device),
        progress=not arguments.no_progress,
    )  # fmt: skip


def by_task(option: str, words: Sequence[str], tasks: Sequence[str]) -> dict[str, str]:
    """``TASK=PATH`` arguments: an absolute path for each of the ``tasks`` that has one."""
    paths = {}
    for word in words:
        task, equals, path = word.partition("=")
        if not equals or task not in tasks:
            raise UserError(f"--{option} {word}: write TASK=PATH with a task of {', '.join(tasks)}")
        paths[task] = str(Path(path).resolve())
    return paths


def train_all(
    preset: Preset, runs: Sequence[RunConfig], places: Places, arguments: argparse.Namespace,
    overrides: Mapping[str, str],
) -> None:  # fmt: skip
    """Train what is missing of ``runs``; set the threads of what comes after."""
    # One training alone has all cores.
    jobs = min(default_jobs(arguments.jobs, places.device), len(runs))
    train_missing(preset, runs, places, jobs=jobs, overrides=overrides)
    set_threads(arguments.threads)
