"""An ablation's numbers as Markdown and CSV: generated, never typed."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.files import CsvWriter
from models.zoo import METHODS
from reproduce.analysis.ablation_results import Curve, Mean
from reproduce.analysis.estimate import few
from reproduce.analysis.table_text import DASH, grid, numbers, write_texts
from reproduce.experiments.ablation import Ablation, as_word
from reproduce.experiments.preset import Preset
from reproduce.records.current import REAL
from reproduce.records.query import number
from reproduce.records.store import record_id
from reproduce.tasks.registry import TASKS

FOLDER = "ablations"
DIFFERS = "*"
BETTER = {"higher": "Higher is better", "lower": "Lower is better"}
NAMES = {
    "is": "IS", "cis": "CIS", "silhouette-iou": "silhouette IoU", "style-mmd": "style MMD",
    "content-mmd": "content MMD",
}  # fmt: skip
NAMED_AFTER = ("", "1", "IoU", "MMD")  # units that a name tells already
CSV_COLUMNS = (
    "default", "preset", "method", "metric", "translation", "unit", "seed", "seeds", "value", "low",
    "high", "deviation", "difference", "difference_low", "difference_high", "record",
)  # fmt: skip


def heading(curve: Curve, task: str) -> str:
    """A curve in words: its metric, direction of translation and unit."""
    where = f", {TASKS[task].directions[curve.translation]}" if curve.translation else ""
    unit = f" ({curve.unit})" if curve.unit not in NAMED_AFTER else ""
    return f"{_name(curve)}{where}{unit}"


def markdown(ablation: Ablation, curves: Sequence[Curve]) -> str:
    """One row a point, one column a metric and direction, and what it is all about."""
    rows = [[*(axis.key for axis in ablation.axes), *(heading(c, ablation.task) for c in curves)]]
    for i, point in enumerate(ablation.points):
        words = [
            as_word(value) + (" (default)" if value == axis.default else "")
            for axis, value in zip(ablation.axes, point.values, strict=True)
        ]
        rows.append([*words, *(_cell(c.means[i], ablation) for c in curves)])
    if any(curve.real for curve in curves):
        blank = [""] * (len(ablation.axes) - 1)
        rows.append(["real data", *blank, *(_cell(c.real, ablation, real=True) for c in curves)])
    keys = " and ".join(axis.key for axis in ablation.axes)
    title = f"### {METHODS[ablation.method].title} by {keys}, {TASKS[ablation.task].title}"
    table = grid(rows, left=len(ablation.axes))
    return f"{title}\n\n{table}\n\n{caption(ablation, curves)}\n"


def caption(ablation: Ablation, curves: Sequence[Curve]) -> str:
    """What was trained and measured, what the intervals cover, and what is missing."""
    preset = ablation.preset
    sentences = [f"{_scale(preset)}; {_trainings(ablation)}."]
    if any(m and m.difference for c in curves for m in c.means):
        sentences.append(
            f"{DIFFERS}: the 95% interval of the difference from the default, taken seed by seed, "
            "leaves out 0; not corrected for the number of points."
        )
    for axis in ablation.axes:
        if axis.default not in axis.values:
            sentences.append(f"The default, {axis.key}={as_word(axis.default)}, is not among them.")
    sentences += _named_rows(ablation)
    for way in BETTER:
        of_way = dict.fromkeys(_name(c) for c in curves if c.direction == way)
        if of_way:
            sentences.append(f"{BETTER[way]}: {', '.join(of_way)}.")
    if any(c.metric.startswith("diversity-") and c.metric != "diversity-lpips" for c in curves):
        sentences.append("Diversity is not by the paper's LPIPS: compare the order, not values.")
    sentences += [text for text in [few(len(ablation.seeds)).strip()] if text]
    if any(curve.several_judges for curve in curves) and not ablation.one_set_of_pictures:
        sentences.append(
            "Pictures differ from point to point, and each kind is judged by networks of its own."
        )
    sentences.append("Quality is not measured: it compares the methods of a table.")
    return " ".join(sentences)


def comma_separated(ablation: Ablation, curves: Sequence[Curve]) -> str:
    """CSV: of each point, metric and direction the mean over seeds (``seed`` is
    ``mean``) and each seed's own number, with the id of its record."""
    out = io.StringIO()
    keys = [axis.key for axis in ablation.axes]
    writer = CsvWriter(out)
    writer.writerow([*keys, *CSV_COLUMNS])
    for curve in curves:
        for point, mean in zip(ablation.points, curve.means, strict=True):
            words = list(map(as_word, point.values))
            about = [str(point.default).lower(), point.preset.name, point.method]
            _write(writer, [*words, *about], curve, mean)
        real = [*([REAL] * len(keys)), "", ablation.preset.name, REAL]
        _write(writer, real, curve, curve.real)
    return out.getvalue()


def write_ablation(ablation: Ablation, curves: Sequence[Curve], results: Path) -> list[Path]:
    """``TASK-METHOD-KEY.md`` and ``.csv`` in the folder of ablations of the preset's results."""
    texts = {"md": markdown(ablation, curves), "csv": comma_separated(ablation, curves)}
    return write_texts(texts, results / ablation.preset.name / FOLDER, ablation.name)


def _cell(mean: Mean | None, ablation: Ablation, real: bool = False) -> str:
    if mean is None:
        return DASH
    of, difference = mean.estimate, mean.difference
    text = number(of.value)
    if math.isfinite(of.half):
        told = (number(v, of.low, of.high) for v in (of.value, of.low, of.high))
        text = "{} [{}, {}]".format(*told)
    if difference and (difference.low > 0 or difference.high < 0):
        text += f" {DIFFERS}"
    lacking = not real and len(mean.records) < len(ablation.seeds)
    return f"{text} ({_count(len(mean.records), 'seed')})" if lacking else text


def _write(writer: Any, words: list[str], curve: Curve, mean: Mean | None) -> None:
    if mean is None:
        return
    about = [curve.metric, curve.translation or "", curve.unit]
    of = mean.estimate
    deviation = "" if of.deviation is None else of.deviation
    difference = numbers(mean.difference)
    writer.writerow(
        [*words, *about, "mean", len(mean.records), *numbers(of), deviation, *difference, ""]
    )
    for record in mean.records.values():
        interval = record["interval"] or {"low": "", "high": ""}
        own = [record["seed"], 1, record["value"], interval["low"], interval["high"]]
        writer.writerow([*words, *about, *own, "", "", "", "", record_id(record)])


def _scale(preset: Preset) -> str:
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return f"Preset {preset.title}" + (f" with {changes}" if changes else "")


def _trainings(ablation: Ablation) -> str:
    seeds = ablation.seeds
    if len(seeds) == 1:
        return (
            f"one training each (seed {seeds[0]}), so the 95% intervals are over inputs and not "
            "over seeds"
        )
    return (
        f"means of {len(seeds)} trainings each (seeds {', '.join(map(str, seeds))}) with 95% "
        f"intervals over other trainings on the same pictures (Student's t)"
    )


def _named_rows(ablation: Ablation) -> list[str]:
    """Points that are rows of the tables."""
    named = dict.fromkeys(p.method for p in ablation.points if p.method != ablation.method)
    return [f"{'=0, '.join(METHODS[m].ablates)}=0 is {METHODS[m].title}." for m in named]


def _name(curve: Curve) -> str:
    name = "diversity" if curve.metric.startswith("diversity-") else curve.metric
    return NAMES.get(name) or name.replace("-", " ")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
