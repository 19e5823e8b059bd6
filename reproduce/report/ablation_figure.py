"""An ablation's plots: one panel per metric and direction, a second setting as separate lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.zoo import METHODS
from reproduce.analysis.ablation import FOLDER, Curve, heading
from reproduce.analysis.tables import scale
from reproduce.experiments.ablation import Ablation, Axis, Value, as_word
from reproduce.report.figures import plain, save

WIDTH, PANEL, AROUND = 4.8, 2.2, 0.9  # inches: readable on a page of 390 px
SPANS = 10.0  # the axis is logarithmic from this ratio of largest to smallest positive number on
GAP = 0.7  # decades between 0 and the smallest positive number on that axis
# Distinct for all kinds of colour vision (Okabe and Ito, 2008), and by their markers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"
SPREAD = 0.02  # of the axis: offset between the lines' points at one value


def ablation_figure(ablation: Ablation, curves: Sequence[Curve], results: Path) -> Path:
    """Write ``TASK-METHOD-KEY.png`` next to the table. Returns its path."""
    path = results / ablation.preset.name / FOLDER / f"{ablation.name}.png"
    return save(drawn(ablation, curves), path)


def drawn(ablation: Ablation, curves: Sequence[Curve]) -> Figure:
    """The figure; the caller closes it."""
    axis = ablation.axes[0]
    places = positions(axis)
    figure, panels = plt.subplots(
        len(curves), 1, sharex=True, squeeze=False,
        figsize=(WIDTH, PANEL * len(curves) + AROUND), layout="constrained",
    )  # fmt: skip
    for panel, curve in zip(panels[:, 0], curves, strict=True):
        _panel(panel, ablation, curve, places)
    last = panels[-1, 0]
    last.set_xticks(list(places.values()), [_tick(v, axis) for v in places])
    last.set_xlabel(axis.key, fontsize=9)
    for panel in panels[:, 0] if _zero_apart(axis) else ():
        panel.axvline(places[0.0] + GAP / 2, color="#AAAAAA", ls=":", lw=0.9)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    if len(labels) > 1:
        panels[0, 0].legend(
            handles, labels, fontsize=7.5, loc="lower center", bbox_to_anchor=(0.5, 1.13), ncols=3,
            frameon=False,
        )  # fmt: skip
    title = f"{METHODS[ablation.method].title}, {ablation.spec.title}"
    seeds = len(ablation.seeds)
    bars = "95% intervals over " + (
        f"trainings ({seeds} each)" if seeds > 1 else "inputs, one training each"
    )
    figure.suptitle(f"{title}\npreset {scale(ablation.preset)}, {bars}", fontsize=9)
    return figure


def positions(axis: Axis) -> dict[Value, float]:
    """The x position of each value: numbers on a linear or logarithmic scale (with 0 apart, on the
    left), words side by side."""
    if not axis.numeric:
        return {value: float(i) for i, value in enumerate(axis.values)}
    numbers: dict[Value, float] = {v: float(v) for v in axis.values if v is not None}
    if not _logarithmic(axis):
        return numbers
    least = min(math.log10(x) for x in numbers.values() if x > 0)
    return {v: math.log10(x) if x > 0 else least - GAP for v, x in numbers.items()}


def _panel(panel: Axes, ablation: Ablation, curve: Curve, places: dict[Value, float]) -> None:
    first, second = ablation.axes[0], ablation.axes[1] if len(ablation.axes) > 1 else None
    lines: tuple[Value, ...] = second.values if second else ("",)
    width = max(places.values()) - min(places.values())
    for i, line in enumerate(lines):
        shift = (i - (len(lines) - 1) / 2) * SPREAD * width
        known = [
            (places[point.values[0]] + shift, mean.estimate, point)
            for point, mean in zip(ablation.points, curve.means, strict=True)
            if mean is not None and point.values[1:] == ((line,) if second else ())
        ]
        if not known:
            continue
        x, y = np.array([place for place, _, _ in known]), np.array([e.value for _, e, _ in known])
        ends = np.array([[e.value - e.low, e.high - e.value] for _, e, _ in known]).T
        ends = np.clip(np.where(np.isfinite(ends), ends, 0.0), 0.0, None)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        name = f"{second.key}={as_word(line)}" if second else ""
        begin = int(_zero_apart(first) and known[0][2].values[0] == 0)
        if first.numeric:  # words are not connected by lines
            panel.plot(x[begin:], y[begin:], color=colour, lw=1.2)
        panel.errorbar(
            x, y, yerr=ends, ls="none", color=colour, marker=marker, capsize=3, ms=5, lw=1.2,
            label=name or None,
        )  # fmt: skip
        for place, estimate, point in known:
            if point.default:
                panel.plot(
                    [place], [estimate.value], "o", ms=12, mfc="none", mec="#555555", ls="none",
                    label="default",
                )  # fmt: skip
    if curve.real is not None:
        panel.axhline(curve.real.estimate.value, color="#555555", ls="--", lw=1, label="real data")
    panel.set_title(heading(curve, ablation.spec), fontsize=8.5, loc="left")
    panel.grid(axis="y", color="#DDDDDD", lw=0.6)
    panel.margins(x=0.06, y=0.12)
    plain(panel)


def _logarithmic(axis: Axis) -> bool:
    above = [float(v) for v in axis.values if isinstance(v, int | float) and v > 0]
    return axis.numeric and len(above) > 1 and max(above) / min(above) >= SPANS


def _zero_apart(axis: Axis) -> bool:
    return _logarithmic(axis) and axis.values[0] == 0


def _tick(value: Value, axis: Axis) -> str:
    word = as_word(value)
    return f"{value:g}" if axis.numeric and len(word) > 7 else word
