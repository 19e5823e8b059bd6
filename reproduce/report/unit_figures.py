"""Translations by UNIT as in its Figs. 4 to 6: inputs with their translations, both directions."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from models.method import DIRECTIONS
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.report.figures import DPI, save, show
from reproduce.report.mode_figure import translated_rows
from reproduce.tasks.modes import open_modes, truth_folder

ROWS = 4
PAIRS = 2  # of input and translation, in a row of one direction
CELL = 1.15  # inches, unless a picture has more pixels
GAP = 0.12  # of a cell, between pairs; three of them between the directions
HEAD = 0.3  # inches


def both_directions(preset: Preset, run: RunConfig, places: Places, path: Path) -> Path:
    """The figure of one run: on the left a to b, on the right b to a; pairs of an input and its
    translation, row by row. The inputs are spread evenly over the test set, not chosen."""
    cell = max(CELL, run.size / DPI)
    block = [1.0, 1.0, *([GAP, 1.0, 1.0] * (PAIRS - 1))]
    ratios = [*block, 3 * GAP, *block]
    width, height = cell * sum(ratios), cell * ROWS + HEAD
    figure, axes = plt.subplots(
        ROWS, len(ratios), figsize=(width, height), squeeze=False, width_ratios=ratios
    )
    for axis in axes.flat:
        axis.set_axis_off()
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
    """What the two domains of a run's task show, in words. Photographs may be of other breeds or
    attributes than the task's: then it is what they were sorted by."""
    spec = preset.spec(run.task)
    if run.source or not spec.drawn:
        folder = open_run_task(run, places).folder
        if truth_folder(folder).is_dir():
            titles = open_modes(folder).titles
            return titles["a"].replace("_", " "), titles["b"].replace("_", " ")
    a, _, b = spec.directions["a2b"].partition(" -> ")
    return a, b
