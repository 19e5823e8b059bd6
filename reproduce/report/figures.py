"""Grids of pictures: methods side by side like MUNIT's Fig. 4, its animals, and UNIT's Figs. 4 to 6.

Inputs are evenly spaced in the test set, not hand-picked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
CELL = 1.15  # inches; more in UNIT's figures if a picture has more pixels
SPACE = 0.12  # of a cell, between UNIT's pairs; three times as much between the directions
HEAD, GAP = 0.36, 0.1  # inches: above each block of pictures, and below
LINE = 0.0312  # inches between pictures


class Block(NamedTuple):
    """Rows of pictures (3, H, W) in [-1, 1] (None: an empty cell), and titles by column."""

    rows: Sequence[Sequence[Tensor | None]]
    titles: Mapping[int, str]


def draw(
    blocks: Sequence[Block], path: Path, cell: float = CELL, ratios: Sequence[float] = ()
) -> Path:
    """Draw blocks one below the other, in cells of ``cell`` inches, and save them. ``ratios``: the
    widths of the columns, in cells (default: 1)."""
    ratios = ratios or [1.0] * max(len(row) for block in blocks for row in block.rows)
    height = sum(cell * len(block.rows) + HEAD + GAP for block in blocks)
    figure = plt.figure(figsize=(cell * sum(ratios), height))
    top = height
    for block in blocks:
        top, bottom = top - HEAD, top - HEAD - cell * len(block.rows)
        grid = figure.add_gridspec(
            len(block.rows), len(ratios), left=0.004, right=0.996, top=top / height,
            bottom=bottom / height, wspace=LINE / cell, hspace=LINE / cell,
            width_ratios=ratios,
        )  # fmt: skip
        for i, row in enumerate(block.rows):
            for k, picture in enumerate(row):
                axis = figure.add_subplot(grid[i, k])
                axis.set_axis_off()
                if i == 0 and k in block.titles:
                    axis.set_title(block.titles[k], fontsize=7.5, loc="left", pad=3)
                if picture is not None:
                    show(axis, picture)
        top = bottom - GAP
    return save(figure, path)


def comparison(preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path) -> Path:
    """Draw one task: per input a block of rows with input, ground truth, three outputs per method."""
    own = _of_methods(TABLE1_METHODS, runs)
    domains, fixed = open_run_task(runs[0], places), Preparation(runs[0].size).at_test()
    chosen = evenly(len(domains.test_a), INPUTS)
    samples = dict.fromkeys(TABLE1_METHODS, SAMPLES)
    # Test pictures with equal names need not be pairs.
    truth = domains.test_b if domains.pairs and domains.paired_test else None
    rows = list[list[Tensor | None]]()
    for i, (picture, *translated) in zip(
        chosen,
        translated_rows(preset, own, places, "a2b", samples, INPUTS, batch_size=SAMPLES),
        strict=True,
    ):
        left = picture, fixed(truth.read(i)) if truth else None, None
        rows += [[left[k], *translated[k::SAMPLES]] for k in range(SAMPLES)]
    titles = {k: title(run.method).replace(" w", "\nw") for k, run in enumerate(own, 1)}
    titles[0] = "input &\nground truth" if truth else "input"
    return draw([Block(rows, titles)], path)


def mode_grid(preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path) -> Path:
    """Draw both directions of one task: one input per row, with samples of each method."""
    own = _of_methods(TABLE2_METHODS, runs)
    titles, column = dict[int, str](), 1
    for run in own:
        titles[column] = METHODS[run.method].title.replace(" w", "\nw")
        column += MODE_SAMPLES[run.method]
    blocks = [
        Block(
            translated_rows(preset, own, places, direction, MODE_SAMPLES, MODE_INPUTS),
            {0: direction_title(preset, runs[0].task, direction), **titles},
        )
        for direction in DIRECTIONS
    ]
    return draw(blocks, path, MODE_CELL)


def both_directions(preset: Preset, run: RunConfig, places: Places, path: Path) -> Path:
    """Draw one run of UNIT as pairs of an input and its translation: on the left a to b, on the right
    b to a."""
    a, b = domain_titles(preset, run, places)
    half = [1.0, 1.0, *([SPACE, 1.0, 1.0] * (PAIRS - 1))]
    rows: list[list[Tensor | None]] = [[None] * (2 * len(half) + 1) for _ in range(ROWS)]
    titles = dict[int, str]()
    for first, direction, (source, target) in zip(
        (0, len(half) + 1), DIRECTIONS, ((a, b), (b, a)), strict=True
    ):
        pairs = translated_rows(preset, [run], places, direction, {run.method: 1}, ROWS * PAIRS)
        for i, pair in enumerate(pairs):
            column = first + 3 * (i % PAIRS)
            rows[i // PAIRS][column : column + 2] = pair
            titles |= {column: source, column + 1: f"to {target}"}
    ratios = [*half, 3 * SPACE, *half]
    return draw([Block(rows, titles)], path, max(CELL, run.size / DPI), ratios)


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
