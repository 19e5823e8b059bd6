"""An ablation's numbers as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.files import write_text
from models.zoo import METHODS
from reproduce.analysis.ablation_results import Curve, Mean
from reproduce.analysis.cells import estimate_of
from reproduce.analysis.estimate import few
from reproduce.analysis.table import DASH, ENDS, Row, Tables, fewer, in_words, of_texts
from reproduce.analysis.tables import scale
from reproduce.experiments.ablation import Ablation, as_word
from reproduce.records.store import REAL, record_id
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


def ablation_table(ablation: Ablation, curves: Sequence[Curve]) -> Tables:
    """One row a point, one column a metric and direction, and what it is all about. The CSV has of
    each of them the mean over seeds (``seed`` is ``mean``) and each seed's own number, with the id
    of its record."""
    keys = [axis.key for axis in ablation.axes]
    lines = [[*keys, *(heading(c, ablation.task) for c in curves)]]
    for i, point in enumerate(ablation.points):
        words = [
            as_word(value) + (" (default)" if value == axis.default else "")
            for axis, value in zip(ablation.axes, point.values, strict=True)
        ]
        lines.append([*words, *(_cell(c.means[i], len(ablation.seeds)) for c in curves)])
    if any(curve.real for curve in curves):
        blank = [""] * (len(keys) - 1)
        lines.append(["real data", *blank, *(_cell(c.real) for c in curves)])
    title = (
        f"{METHODS[ablation.method].title} by {' and '.join(keys)}, {TASKS[ablation.task].title}"
    )
    table = of_texts(title, lines, len(keys), caption(ablation, curves))
    data = tuple(row for curve in curves for row in _data(ablation, curve))
    return Tables((table,), data=data, names=(*keys, *CSV_COLUMNS))


def caption(ablation: Ablation, curves: Sequence[Curve]) -> str:
    """What was trained and measured, what the intervals cover, and what is missing."""
    preset = ablation.preset
    sentences = [f"{scale(preset)}; {_trainings(ablation)}."]
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


def write_ablation(ablation: Ablation, curves: Sequence[Curve], results: Path) -> list[Path]:
    """``TASK-METHOD-KEY.md``, ``.csv`` and, for the report, ``.json`` in the folder of ablations of
    the preset's results."""
    tables, folder = ablation_table(ablation, curves), results / ablation.preset.name / FOLDER
    path = folder / f"{ablation.name}.json"
    write_text(path, tables.parts[0].as_json())
    return [*tables.write(folder, ablation.name, "md csv"), path]


def _cell(mean: Mean | None, of: int = 0) -> str:
    """A mean, marked where it differs from the default's; one of fewer than ``of`` says so."""
    if mean is None:
        return DASH
    text, difference = in_words(mean.estimate, "", form=ENDS), mean.difference
    if difference and (difference.low > 0 or difference.high < 0):
        text += f" {DIFFERS}"
    few = fewer(len(mean.records), of)
    return f"{text} ({few})" if few else text


def _data(ablation: Ablation, curve: Curve) -> Iterator[Row]:
    keys = [axis.key for axis in ablation.axes]
    about = {"metric": curve.metric, "translation": curve.translation, "unit": curve.unit}
    of_real = {"preset": ablation.preset.name, "method": REAL, **dict.fromkeys(keys, REAL)}
    for point, mean in zip((*ablation.points, None), (*curve.means, curve.real), strict=True):
        if mean is None:
            continue
        where = of_real
        if point is not None:
            where = dict(zip(keys, map(as_word, point.values), strict=True))
            where |= {"default": str(point.default).lower()}
            where |= {"preset": point.preset.name, "method": point.method}
        own: Row = {"seed": "mean", "seeds": len(mean.records), "difference": mean.difference}
        yield {**where, **about, **own, "value": mean.estimate}
        for record in mean.records.values():
            told: Row = {"seed": record["seed"], "seeds": 1, "record": record_id(record)}
            yield {**where, **about, **told, "value": estimate_of(record)}


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
