"""Find the checkpoints of runs, and check before training that runs are possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.metrics.diversity_protocols import get_protocol
from models.errors import UserError
from models.zoo import recipe
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, PictureSource
from reproduce.training.loop import LAST

OUTSIDE_DIGESTS = "a trained network is named by its run and its file"


def checkpoint_of(preset: Preset, run: RunConfig, places: Places) -> Path:
    """Return the path of a run's final checkpoint, existing or not."""
    return run_folder(places.runs, preset.name, run) / LAST


def check_runs(preset: Preset, runs: Sequence[RunConfig]) -> None:
    """Raise an error, before hours of training, for runs that cannot be trained or measured."""
    measure = preset.measure
    get_protocol(measure.protocol, measure.inputs, measure.samples)
    for run in runs:
        Preparation(run.size, run.resize or None, run.crop, run.flip)  # type: ignore[arg-type]
        with torch.device("meta"):
            network = recipe(run.method).method(run.method_config, None)  # type: ignore[call-arg]
        network.check_size(run.size, run.size)


def check_pictures(runs: Sequence[RunConfig], places: Places) -> None:
    """Raise UserError for folders of pictures that ``runs`` cannot be trained on."""
    opened: dict[str, Domains] = {}
    for run in runs:
        if run.source and Path(run.source).is_dir():  # unpacking an archive would take too long
            if run.source not in opened:
                opened[run.source] = open_run_task(run, places)
            learned_from(opened[run.source], run)


def learned_from(domains: Domains, run: RunConfig) -> tuple[PictureSource, PictureSource]:
    """Return the training pictures of domains a and b, or both halves of the training pairs;
    UserError for missing pairs or fewer pictures than a batch."""
    sources = (domains.train_a, domains.train_b)
    if recipe(run.method).method.paired:
        if domains.pairs is None:
            raise UserError(
                f"{run.method} needs training pairs and {run.task} has none: add a folder "
                "trainPairs of side-by-side pictures (input left, output right)"
            )
        sources = domains.pairs
    if run.batch > (fewest := min(map(len, sources))):
        raise UserError(
            f"batch={run.batch} is more than the {fewest} training pictures of a domain: set a "
            "smaller batch"
        )
    return sources
