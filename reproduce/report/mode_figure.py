"""A picture of many-moded translation, like MUNIT's animal grid: an input a row, samples beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from models.method import DIRECTIONS, Direction
from models.zoo import METHODS
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import TABLE2_METHODS, Preset
from reproduce.experiments.run import RunConfig
from reproduce.report.figures import evenly, save, show
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource, Subset
from reproduce.training.checkpoints import load_method
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import stream

SAMPLES = {"cyclegan": 1, "cyclegan-noise": 2, "unit": 1, "munit": 6}  # of each input
INPUTS = 5
CELL = 0.72  # inches


def mode_grid(preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path) -> Path:
    """One task, both directions."""
    by_method = {run.method: run for run in runs}
    methods = [method for method in TABLE2_METHODS if method in by_method]
    blocks = {
        direction: translated_rows(
            preset, [by_method[m] for m in methods], places, direction, SAMPLES, INPUTS
        )
        for direction in DIRECTIONS
    }
    heights = [len(rows) for rows in blocks.values()]
    width = 1 + sum(SAMPLES[method] for method in methods)
    figure, axes = plt.subplots(
        sum(heights) + 1, width, figsize=(CELL * width, CELL * (sum(heights) + 1) + 0.5),
        squeeze=False, height_ratios=[1] * heights[0] + [0.6] + [1] * heights[1],
    )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    first = 0
    for direction, rows in blocks.items():
        _head(axes[first], preset.spec(runs[0].task).directions[direction], methods)
        for i, row in enumerate(rows):
            for axis, picture in zip(axes[first + i], row, strict=True):
                show(axis, picture)
        first += len(rows) + 1
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.94, 0.03, 0.03)
    return save(figure, path)


def _head(axes: Sequence[Axes], direction: str, methods: Sequence[str]) -> None:
    axes[0].set_title(direction.replace(" -> ", "\nto "), fontsize=7)
    column = 1
    for method in methods:
        axes[column].set_title(METHODS[method].title.replace(" w", "\nw"), fontsize=7, loc="left")
        column += SAMPLES[method]


def translated_rows(
    preset: Preset, runs: Sequence[RunConfig], places: Places, direction: Direction,
    samples: Mapping[str, int], inputs: int,
) -> list[list[Tensor]]:  # fmt: skip
    """A row of pictures, each (3, H, W) in [-1, 1], for every input of one task: the input and the
    translations by each run, as many as ``samples`` says of its method. The inputs are spread
    evenly over the test set, not chosen."""
    domains = open_run_task(runs[0], places)
    every: PictureSource = domains.test_a if direction == "a2b" else domains.test_b
    fixed = Preparation(runs[0].size).at_test()
    source = Subset(every, evenly(len(every), inputs))
    rows = [[fixed(source.read(i))] for i in range(len(source))]
    place = {name: i for i, name in enumerate(source.ids)}
    for run in runs:
        network, _ = load_method(checkpoint_of(preset, run, places), places.device)
        for name, _, picture in stream(
            network, source, Preparation(run.size), samples=samples[run.method],
            direction=direction, seed=run.seed,
        ):  # fmt: skip
            rows[place[name]].append(picture)
    return rows
