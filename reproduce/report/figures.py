"""Grids of pictures: methods side by side like MUNIT's Fig. 4, its animals, and UNIT's Figs. 4 to 6.

Inputs are evenly spaced in the test set, not hand-picked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from benchmarks.files import whole
from models.method import DIRECTIONS, Direction
from models.zoo import METHODS
from reproduce.analysis.theory import title
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import TABLE1_METHODS, TABLE2_METHODS, Preset
from reproduce.experiments.run import RunConfig
from reproduce.tasks.modes import open_modes, truth_folder
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, PictureSource, Subset
from reproduce.training.checkpoints import load_method
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import stream

DPI = 110  # pixels an inch of every figure
SAMPLES, INPUTS = 3, 4  # of Fig. 4
# The grid of modes: translations per input, number of inputs, inches per picture.
MODE_SAMPLES = {"cyclegan": 1, "cyclegan-noise": 2, "unit": 1, "munit": 6}
MODE_INPUTS, MODE_CELL = 5, 0.72
# UNIT's figures: rows, and pairs of input and translation per row and direction.
ROWS, PAIRS = 4, 2
CELL = 1.15  # inches; more if a picture has more pixels
GAP = 0.12  # of a cell, between pairs; three times as much between the directions
HEAD = 0.3  # inches


def comparison(preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path) -> Path:
    """Draw one task: per input a block of rows with input, ground truth, three outputs per method."""
    own = _of_methods(TABLE1_METHODS, runs)
    domains, fixed = open_run_task(runs[0], places), Preparation(runs[0].size).at_test()
    chosen = evenly(len(domains.test_a), INPUTS)
    samples = dict.fromkeys(TABLE1_METHODS, SAMPLES)
    rows = translated_rows(preset, own, places, "a2b", samples, INPUTS, batch_size=SAMPLES)
    tall, width = len(rows) * SAMPLES, len(own) + 1
    figure, axes = _axes(tall, width, (1.15 * width, 1.12 * tall + 0.5))
    # Test pictures with equal names need not be pairs.
    truth = domains.test_b if domains.pairs and domains.paired_test else None
    axes[0][0].set_title("input &\nground truth" if truth else "input", fontsize=8)
    for axis, run in zip(axes[0][1:], own, strict=True):
        axis.set_title(title(run.method).replace(" w", "\nw"), fontsize=8)
    for i, (picture, *translated) in enumerate(rows):
        block = axes[i * SAMPLES : (i + 1) * SAMPLES]
        show(block[0][0], picture)
        if truth:
            show(block[1][0], fixed(truth.read(chosen[i])))
        for place, picture in enumerate(translated):
            show(block[place % SAMPLES][1 + place // SAMPLES], picture)
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.5 / (1.12 * tall + 0.5), 0.03, 0.03)
    return save(figure, path)


def mode_grid(preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path) -> Path:
    """Draw both directions of one task: one input per row, with samples of each method."""
    own = _of_methods(TABLE2_METHODS, runs)
    blocks = [
        translated_rows(preset, own, places, direction, MODE_SAMPLES, MODE_INPUTS)
        for direction in DIRECTIONS
    ]
    first, second = map(len, blocks)
    tall, width = first + second + 1, 1 + sum(MODE_SAMPLES[run.method] for run in own)
    figure, axes = _axes(
        tall, width, (MODE_CELL * width, MODE_CELL * tall + 0.5),
        height_ratios=[1] * first + [0.6] + [1] * second,
    )  # fmt: skip
    for direction, rows, below in zip(DIRECTIONS, blocks, (0, first + 1), strict=True):
        axes[below][0].set_title(direction_title(preset, runs[0].task, direction), fontsize=7)
        column = 1
        for run in own:
            name = METHODS[run.method].title.replace(" w", "\nw")
            axes[below][column].set_title(name, fontsize=7, loc="left")
            column += MODE_SAMPLES[run.method]
        for line, row in zip(axes[below:], rows, strict=False):
            for axis, picture in zip(line, row, strict=True):
                show(axis, picture)
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.94, 0.03, 0.03)
    return save(figure, path)


def both_directions(preset: Preset, run: RunConfig, places: Places, path: Path) -> Path:
    """Draw one run of UNIT as pairs of an input and its translation: on the left a to b, on the right
    b to a."""
    cell = max(CELL, run.size / DPI)
    block = [1.0, 1.0, *([GAP, 1.0, 1.0] * (PAIRS - 1))]
    ratios = [*block, 3 * GAP, *block]
    width, height = cell * sum(ratios), cell * ROWS + HEAD
    figure, axes = _axes(ROWS, len(ratios), (width, height), width_ratios=ratios)
    titles = domain_titles(preset, run, places)
    for side, direction in enumerate(DIRECTIONS):
        first = side * (len(block) + 1)
        rows = translated_rows(preset, [run], places, direction, {run.method: 1}, ROWS * PAIRS)
        source, target = titles if direction == "a2b" else titles[::-1]
        for i, pair in enumerate(rows):
            row, column = i // PAIRS, first + 3 * (i % PAIRS)
            for axis, picture in zip(axes[row][column : column + 2], pair, strict=True):
                show(axis, picture)
            if row == 0:
                axes[0][column].set_title(source, fontsize=8)
                axes[0][column + 1].set_title(f"to {target}", fontsize=8)
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - HEAD / height, 0.03, 0.03)
    return save(figure, path)


def domain_titles(preset: Preset, run: RunConfig, places: Places) -> tuple[str, str]:
    """The names of the two domains of a run's task. Photographs sorted by other breeds or attributes
    than the task's have the names of those."""
    spec = preset.spec(run.task)
    if run.source or not spec.drawn:
        folder = open_run_task(run, places).folder
        if truth_folder(folder).is_dir():
            titles = open_modes(folder).titles
            return titles["a"].replace("_", " "), titles["b"].replace("_", " ")
    a, _, b = spec.directions["a2b"].partition(" -> ")
    return a, b


def direction_title(preset: Preset, task: str, direction: Direction) -> str:
    """The title of a direction, on two lines."""
    return preset.spec(task).directions[direction].replace(" -> ", "\nto ")


def translated_rows(
    preset: Preset, runs: Sequence[RunConfig], places: Places, direction: Direction,
    samples: Mapping[str, int], inputs: int, batch_size: int = 32,
) -> list[list[Tensor]]:  # fmt: skip
    """One row of pictures, each (3, H, W) in [-1, 1], per input of a task: the input, then each run's
    translations (``samples``: their number by method)."""
    every, _ = sides(open_run_task(runs[0], places), direction)
    fixed, source = Preparation(runs[0].size).at_test(), Subset(every, evenly(len(every), inputs))
    rows = [[fixed(source.read(i))] for i in range(len(source))]
    place = {name: i for i, name in enumerate(source.ids)}
    for run in runs:
        network, _ = load_method(checkpoint_of(preset, run, places), places.device)
        for name, _, picture in stream(
            network, source, fixed, samples=samples[run.method], direction=direction,
            seed=run.seed, batch_size=batch_size,
        ):  # fmt: skip
            rows[place[name]].append(picture)
    return rows


def sides(domains: Domains, direction: Direction) -> tuple[PictureSource, PictureSource]:
    """The test pictures of a direction's source and target domains."""
    a, b = domains.test_a, domains.test_b
    return (a, b) if direction == "a2b" else (b, a)


def _of_methods(methods: Iterable[str], runs: Sequence[RunConfig]) -> list[RunConfig]:
    by_method = {run.method: run for run in runs}
    return [by_method[method] for method in methods if method in by_method]


def _axes(rows: int, columns: int, size: tuple[float, float], **ratios: Any) -> tuple[Figure, Any]:
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **ratios)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def evenly(total: int, count: int) -> list[int]:
    """``count`` evenly spaced indices below ``total``; all indices if ``total`` is not larger."""
    count = min(count, total)
    return [i * total // count for i in range(count)]


def plain(axis: Axes) -> None:
    """Style an axis: small tick labels, grid behind the points, no top and right spines."""
    axis.tick_params(labelsize=8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, atomically, and close it. Charts are reduced to 256 colours, which takes
    a third of the bytes; figures with pictures are not."""
    with whole(path) as part:
        figure.savefig(part, format="png", dpi=DPI, metadata={"Software": None})
        if not any(axis.images for axis in figure.axes):
            with Image.open(part) as drawn:
                few = drawn.convert("RGB").quantize(256)
            few.save(part, format="png", optimize=True)
    plt.close(figure)
    return path


def show(axis: Axes, picture: Tensor) -> None:
    """Show a picture (3, H, W) in [-1, 1]; small ones with visible pixels."""
    pixels = np.clip(picture.permute(1, 2, 0).numpy() * 0.5 + 0.5, 0, 1)
    axis.imshow(pixels, interpolation="nearest" if len(pixels) < 128 else "antialiased")
