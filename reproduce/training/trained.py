"""Runs by the files that they leave: where weights are, and which runs cannot be made at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.metrics.diversity_protocols import get_protocol
from models.errors import UserError
from models.zoo import recipe
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.training.loop import LAST

OUTSIDE_DIGESTS = "a trained network is named by its run and its file"


def checkpoint_of(preset: Preset, run: RunConfig, places: Places) -> Path:
    """Where the trained weights of a run are, or will be."""
    return run_folder(places.runs, preset.name, run) / LAST


def check_runs(preset: Preset, runs: Sequence[RunConfig]) -> None:
    """Refuse before hours of training what could not be trained or measured after them."""
    measure = preset.measure
    get_protocol(measure.protocol, measure.inputs, measure.samples)
    for run in runs:
        spec = TASKS.get(run.task)
        if spec is not None and spec.kind == "drawn" and run.test < measure.inputs:
            raise UserError(
                f"{measure.inputs} inputs are to be measured and test={run.test} are drawn: "
                "set test higher, or --inputs lower"
            )
        Preparation(run.size, run.resize or None, run.crop, run.flip)  # type: ignore[arg-type]
        with torch.device("meta"):
            network = recipe(run.method).method(run.method_config, None)  # type: ignore[call-arg]
        network.check_size(run.size, run.size)
