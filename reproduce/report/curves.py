"""Learning curves: read from training logs, thinned into small CSV files, and plotted."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from benchmarks.files import comma_separated, foreign, write_text
from benchmarks.intervals import FloatArray
from models.errors import UserError
from models.zoo import METHODS
from reproduce.experiments.places import Places
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.report.figures import plain, save

FOLDER = "curves"  # next to the records
POINTS = 200  # at most, of a stored curve
# The loss term in a tag of the event files, without domain or network number: ``loss/recon_x_a`` is
# recon_x, ``loss/gan2`` is gan. Totals and other tags do not match.
TAG = re.compile(r"loss/(?!total_)(.+?)2?(_[ab])?")
PAUSE = 10  # a gap of this many times the median time between logged steps is an interruption
# Loss terms of all methods: label, colour and line style.
TERMS = {
    "gan": ("adversarial", "#0072b2", "-"),
    "dis": ("discriminator", "#56b4e9", "-"),
    "recon_x": ("image reconstruction", "#d55e00", "-"),
    "recon_c": ("content reconstruction", "#009e73", "-"),
    "recon_s": ("style reconstruction", "#cc79a7", "-"),
    "cycle": ("cycle consistency", "#e69f00", "-"),
    "identity": ("identity", "#7f7f7f", "-"),
    "l1": ("distance to the truth", "#d55e00", "--"),
    "latent": ("latent reconstruction", "#cc79a7", "--"),
    "kl": ("KL", "#000000", "-"),
    "cycle_kl": ("KL of the cycle", "#000000", ":"),
    "perceptual": ("perceptual", "#7f7f7f", "--"),
}


@dataclass(frozen=True)
class Curve:
    """The unweighted loss terms of one training, each a mean over both domains.

    ``steps`` (T,): updates done; ``seconds`` (T,): of training so far, without interruptions;
    ``terms``: name -> values (T,).
    """

    steps: FloatArray
    seconds: FloatArray
    terms: Mapping[str, FloatArray]


def read_curve(folder: Path) -> Curve | None:
    """The curve in the TensorBoard event files of ``folder``; None if there are none."""
    # Imported here, because tables and pages do not need it.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not any(folder.glob("events.*")):
        return None
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1})
    events.Reload()
    found: dict[str, list[str]] = {}
    for tag in sorted(events.Tags()["scalars"]):
        if match := TAG.fullmatch(tag):
            found.setdefault(match[1], []).append(tag)
    if not found:
        return None
    points = _in_order(events.Scalars(next(iter(found.values()))[0]))
    steps = np.array([point.step for point in points], np.float64)
    times = np.array([point.wall_time for point in points], np.float64)
    terms = {}
    for term, tags in found.items():
        values = [[point.value for point in _in_order(events.Scalars(tag))] for tag in tags]
        if any(len(row) != len(steps) for row in values):
            raise UserError(f"{folder}: {term} was logged at different steps: train this run again")
        terms[term] = np.mean(np.array(values, np.float64), axis=0)
    return Curve(steps, _seconds(steps, times), terms)


def _in_order(points: Sequence[Any]) -> list[Any]:
    """Points in the order of logging (files begun in the same second are read in any order). If a
    resumed run repeated steps, the points logged last replace the earlier ones."""
    kept: list[Any] = []
    for point in sorted(points, key=lambda p: float(p.wall_time), reverse=True):
        if not kept or point.step < kept[-1].step:
            kept.append(point)
    return kept[::-1]


def _seconds(steps: FloatArray, times: FloatArray) -> FloatArray:
    """Seconds of training at each step, without interruptions. Steps before the first logged one
    are assumed to take the median time per step."""
    passed, done = np.diff(times), np.diff(steps)
    if not len(done):
        return np.zeros(len(steps))
    usual = float(np.median(passed / done))
    passed = np.where(passed > PAUSE * usual * done, usual * done, passed)
    return steps[0] * usual + np.concatenate(([0.0], np.cumsum(passed)))


def thinned(curve: Curve) -> Curve:
    """At most ``POINTS`` points, each the mean of equally many logged ones, at the last one's step."""
    size = math.ceil(len(curve.steps) / POINTS)
    parts = np.split(np.arange(len(curve.steps)), range(size, len(curve.steps), size))
    last = [part[-1] for part in parts]
    terms = {k: np.array([v[part].mean() for part in parts]) for k, v in curve.terms.items()}
    return Curve(curve.steps[last], curve.seconds[last], terms)


def curve_path(folder: Path, task: str, method: str, seed: int) -> Path:
    """The path of a run's stored curve, in the results ``folder`` of its preset."""
    return folder / FOLDER / f"{task}-{method}-seed{seed}.csv"


def write_curve(curve: Curve, path: Path) -> Path:
    """Write a curve as CSV with columns step, seconds, and one per term. Returns the path."""
    columns = (map("{:.5g}".format, values) for values in curve.terms.values())
    steps, seconds = map(int, curve.steps), map("{:.1f}".format, curve.seconds)
    rows = zip(steps, seconds, *columns, strict=True)
    write_text(path, comma_separated(["step", "seconds", *curve.terms], rows))
    return path


def load_curve(path: Path) -> Curve | None:
    """Read a curve that ``write_curve`` wrote; None if there is no file, UserError for other files."""
    if not path.is_file():
        return None
    with foreign(f"{path} is no learning curve", "delete it; it is written again from its run"):
        names, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
        values = np.array(rows, np.float64)
        if names[:2] != ["step", "seconds"] or values.shape[1:] != (len(names),):
            raise ValueError("it has other columns")
    return Curve(values[:, 0], values[:, 1], dict(zip(names[2:], values[:, 2:].T, strict=True)))


def make_curves(preset: Preset, runs: Sequence[RunConfig], places: Places) -> list[Path]:
    """Store the thinned curve of each finished run that logged one, and plot one figure per task.
    Returns the files."""
    made, results = list[Path](), places.results / preset.name
    for run in runs:
        folder = run_folder(places.runs, preset.name, run)
        curve = read_curve(folder / "tensorboard") if holds(folder, run) else None
        if curve is not None and curve.steps[-1] == run.steps:
            path = curve_path(results, run.task, run.method, run.seed)
            made.append(write_curve(thinned(curve), path))
    seeds = list(dict.fromkeys(run.seed for run in runs))
    for task in dict.fromkeys(run.task for run in runs):
        if curves := stored_curves(results, task, seeds):
            made.append(curve_figure(curves, results / f"curves-{task}.png"))
    return made


def holds(folder: Path, run: RunConfig) -> bool:
    """Whether a folder holds exactly this run, with the same settings."""
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return bool(told["config_sha256"] == run.digest())
    except (OSError, ValueError, LookupError, TypeError):
        return False


def stored_curves(folder: Path, task: str, seeds: Sequence[int]) -> dict[str, dict[int, Curve]]:
    """Method -> seed -> curve, of the curves stored in ``folder`` for a task; methods in the order
    of Table 1."""
    found: dict[str, dict[int, Curve]] = {}
    for method in dict.fromkeys((*TABLE1_METHODS, *METHODS)):
        for seed in seeds:
            curve = load_curve(curve_path(folder, task, method, seed))
            if curve is not None:
                found.setdefault(method, {})[seed] = curve
    return found


def last_values(curves: Mapping[int, Curve]) -> dict[str, float]:
    """Term -> its mean over the last 5 % of a training's points and over trainings."""
    ends: dict[str, list[float]] = {}
    for curve in curves.values():
        count = math.ceil(len(curve.steps) / 20)
        for term, values in curve.terms.items():
            ends.setdefault(term, []).append(float(values[-count:].mean()))
    return {term: float(np.mean(values)) for term, values in ends.items()}


def curve_figure(curves: Mapping[str, Mapping[int, Curve]], path: Path) -> Path:
    """Plot one panel per method of a task, with one line per term and seed. Panels share their axes,
    which exclude extreme values, because one spike would flatten all lines."""
    columns = min(2, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.3 * columns, 2.0 * rows + 0.9), squeeze=False, sharex=True,
        sharey=True, layout="constrained",
    )  # fmt: skip
    for axis in axes.flat[len(curves) :]:
        axis.set_axis_off()
    terms: dict[str, None] = {}
    for axis, (method, by_seed) in zip(axes.flat, curves.items(), strict=False):
        axis.set_title(METHODS[method].title.replace(" reconstruction", ""), fontsize=9)
        for curve in by_seed.values():
            terms |= dict.fromkeys(curve.terms)
            for term, values in curve.terms.items():
                shown = np.where(values > 0, values, np.nan)  # for the logarithmic axis
                alpha = 1 / math.sqrt(len(by_seed))
                axis.plot(curve.steps, shown, **_look(term), alpha=alpha, linewidth=1.1)
        axis.set_yscale("log")
        axis.grid(alpha=0.25, linewidth=0.5)
        plain(axis)
    axes[0][0].set_ylim(*_limits(curves))
    for axis in axes.flat[max(0, len(curves) - columns) : len(curves)]:
        axis.set_xlabel("step", fontsize=9)
        axis.tick_params(labelbottom=True)
    named = in_order(terms)
    figure.legend(
        [Line2D([], [], **_look(term)) for term in named], list(map(title_of, named)),
        loc="outside lower center", ncols=3, fontsize=8, frameon=False,
    )  # fmt: skip
    figure.supylabel("loss term, without its weight", fontsize=9)
    return save(figure, path)


def _limits(curves: Mapping[str, Mapping[int, Curve]]) -> tuple[float, float]:
    """The limits of the value axis: nearly all points, with a margin of a factor of 2."""
    every = [v for by_seed in curves.values() for c in by_seed.values() for v in c.terms.values()]
    values = np.concatenate(every)
    low, high = np.percentile(values[values > 0], (0.5, 99.5)) if (values > 0).any() else (1, 1)
    return float(low / 2), float(high * 2)


def in_order(terms: Iterable[str]) -> list[str]:
    """The distinct terms, in display order."""
    found = dict.fromkeys(terms)
    return [term for term in TERMS if term in found] + [t for t in found if t not in TERMS]


def title_of(term: str) -> str:
    """A term's label."""
    return TERMS[term][0] if term in TERMS else term


def _look(term: str) -> dict[str, Any]:
    _, colour, line = TERMS.get(term, ("", "#7f7f7f", "-."))
    return {"color": colour, "linestyle": line}
