"""Pictures for people: a comparison of methods like MUNIT's Fig. 4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.files import whole
from models.zoo import METHODS
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.experiments.run import RunConfig
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource, Subset
from reproduce.training.checkpoints import load_method
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import stream

SAMPLES = 3
DPI = 110  # pixels an inch of every figure


def comparison(
    preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path, *, inputs: int = 4
) -> Path:
    """One task: per input a block of rows; input and ground truth, three outputs per method.

    The inputs are spread evenly over the test set, not chosen.
    """
    by_method = {run.method: run for run in runs}
    run = runs[0]
    domains = open_run_task(run, places)
    fixed = Preparation(run.size).at_test()
    chosen = evenly(len(domains.test_a), inputs)
    source = Subset(domains.test_a, chosen)
    columns: dict[str, dict[tuple[str, int], Tensor]] = {}
    for method in TABLE1_METHODS:
        if method not in by_method:
            continue
        network, _ = load_method(checkpoint_of(preset, by_method[method], places), places.device)
        columns[method] = {
            (name, k): picture
            for name, k, picture in stream(
                network, source, fixed, samples=SAMPLES, seed=run.seed, batch_size=SAMPLES
            )
        }
    # Equal names of test pictures alone do not say that they belong together.
    truth = domains.test_b if domains.pairs and domains.paired_test else None
    return _draw(source, truth, chosen, fixed, columns, path)


def _draw(
    source: PictureSource, truth: PictureSource | None, chosen: Sequence[int],
    fixed: Preparation, columns: dict[str, dict[tuple[str, int], Tensor]], path: Path,
) -> Path:  # fmt: skip
    rows, width = len(source) * SAMPLES, len(columns) + 1
    figure, axes = plt.subplots(
        rows, width, figsize=(1.15 * width, 1.12 * rows + 0.5), squeeze=False
    )
    for axis in axes.flat:
        axis.set_axis_off()
    axes[0][0].set_title("input &\nground truth" if truth else "input", fontsize=8)
    for column, method in enumerate(columns, 1):
        title = METHODS[method].title.replace(" (paired)", "†").replace(" reconstruction", "")
        axes[0][column].set_title(title.replace(" w", "\nw"), fontsize=8)
    for i, name in enumerate(source.ids):
        show(axes[i * SAMPLES][0], fixed(source.read(i)))
        if truth is not None:
            show(axes[i * SAMPLES + 1][0], fixed(truth.read(chosen[i])))
        for column, pictures in enumerate(columns.values(), 1):
            for k in range(SAMPLES):
                show(axes[i * SAMPLES + k][column], pictures[name, k])
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.5 / (1.12 * rows + 0.5), 0.03, 0.03)
    return save(figure, path)


def evenly(total: int, count: int) -> list[int]:
    """``count`` places spread evenly over ``total`` ones; all of them if there are no more."""
    count = min(count, total)
    return [i * total // count for i in range(count)]


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all, and close it."""
    with whole(path) as part:
        figure.savefig(part, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return path


def show(axis: Axes, picture: Tensor) -> None:
    """A picture (3, H, W) in [-1, 1], small ones with visible pixels."""
    pixels = np.clip(picture.permute(1, 2, 0).numpy() * 0.5 + 0.5, 0, 1)
    axis.imshow(pixels, interpolation="nearest" if len(pixels) < 128 else "antialiased")
