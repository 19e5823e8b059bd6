"""The results of an ablation: at each point the mean over seeds with its interval, and their table.

The statistics are those of the tables and claims (``estimate``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.files import write_text
from benchmarks.metric import METRICS
from benchmarks.metrics.diversity_protocols import get_protocol
from models.errors import UserError
from models.zoo import METHODS
from reproduce.analysis.estimate import Estimate, estimate_of, few, over_trainings
from reproduce.analysis.table import DASH, ENDS, Row, Tables, fewer, in_words, of_texts
from reproduce.analysis.tables import scale
from reproduce.experiments.ablation import Ablation, Point, Value, as_word
from reproduce.experiments.run import RunConfig
from reproduce.measuring.ablation import translations_of
from reproduce.records.current import is_of
from reproduce.records.store import REAL, Records, record_id
from reproduce.tasks.specs import TaskSpec

Record = dict[str, Any]
Limits = tuple[float | None, float | None]
FOLDER = "ablations"
DIFFERS = "*"
BETTER = {"higher": "Higher is better", "lower": "Lower is better"}
NAMES = {
    "is": "IS", "cis": "CIS", "silhouette-iou": "silhouette IoU", "style-mmd": "style MMD",
    "content-mmd": "content MMD",
}  # fmt: skip
NAMED_AFTER = ("", "1", "IoU", "MMD")  # units that the metric's name already contains
CSV_COLUMNS = (
    "default", "preset", "method", "metric", "translation", "unit", "seed", "seeds", "value", "low",
    "high", "deviation", "difference", "difference_low", "difference_high", "record",
)  # fmt: skip


class Mean(NamedTuple):
    """A mean over trainings. ``records``: by seed; ``difference``: from the point with the preset's
    own values, paired by seed; None without such a point."""

    estimate: Estimate
    records: Mapping[int, Record]
    difference: Estimate | None = None


@dataclass(frozen=True)
class Curve:
    """One metric at all points, in one direction. ``means``: in the order of the points, None
    without a record; ``real``: of real pictures."""

    metric: str  # its name in the records
    translation: str | None
    unit: str
    direction: str  # what is better: higher, lower, none
    means: tuple[Mean | None, ...]
    real: Mean | None

    @property
    def several_judges(self) -> bool:
        """Whether the measuring networks (classifiers, ...) differ between points."""
        told = {r["protocol"].get("sha256") for m in self.means if m for r in m.records.values()}
        return len(told) > 1

    @property
    def name(self) -> str:
        """The metric's name in words."""
        name = "diversity" if self.metric.startswith("diversity-") else self.metric
        return NAMES.get(name) or name.replace("-", " ")


def curves_of(ablation: Ablation, metrics: Sequence[str], results: Path) -> list[Curve]:
    """A curve for each metric and direction. Raises UserError if no point has a record."""
    curves = [
        _curve(ablation, metric, translation, results)
        for metric in metrics
        for translation in translations_of(metric, ablation.method)
    ]
    if not any(mean for curve in curves for mean in curve.means):
        folders = ", ".join(dict.fromkeys(str(results / p.preset.name) for p in ablation.points))
        raise UserError(
            f"no record of {' or '.join(metrics)} at any of these points in {folders}: measure "
            "first, without --stored"
        )
    return curves


def _curve(ablation: Ablation, metric: str, translation: str | None, results: Path) -> Curve:
    found = [
        {run.seed: [*_about(run, metric, translation, point, results)] for run in point.runs}
        for point in ablation.points
    ]
    every = [record for by_seed in found for records in by_seed.values() for record in records]
    newest = max(every, key=lambda r: str(r.get("time", "")), default=Record())
    alike = ablation.one_set_of_pictures
    chosen = list[dict[int, Record]]()
    for by_seed in found:
        fitting = {seed: [r for r in records if _way(r, alike) == _way(newest, alike)]
                   for seed, records in by_seed.items()}  # fmt: skip
        chosen.append({seed: records[-1] for seed, records in fitting.items() if records})
    points = list(zip(ablation.points, chosen, strict=True))
    default = next((by_seed for point, by_seed in points if point.default), {})
    limits: Limits = (None, None)
    if newest and newest["metric"] in METRICS:
        limits = METRICS[newest["metric"]].limits
    means = [_mean(by_seed, limits, {} if p.default else default) for p, by_seed in points]
    real = _of_real_pictures(ablation, newest, translation, results) if newest and alike else []
    of_real = _mean({record["seed"]: record for record in real[-1:]}, limits, {})
    return Curve(
        newest.get("metric", metric), translation, newest.get("unit", ""),
        newest.get("direction", "none"), tuple(means), of_real,
    )  # fmt: skip


def _mean(
    by_seed: Mapping[int, Record], limits: Limits, default: Mapping[int, Record]
) -> Mean | None:
    """The mean of records; a single record keeps its own interval."""
    if not by_seed:
        return None
    estimate = over_trainings([r["value"] for r in by_seed.values()], limits)
    if len(by_seed) == 1:
        (estimate,) = map(estimate_of, by_seed.values())
    both = sorted(set(by_seed) & set(default))
    differences = [by_seed[s]["value"] - default[s]["value"] for s in both]
    return Mean(estimate, by_seed, over_trainings(differences) if differences else None)


def _about(
    run: RunConfig, metric: str, translation: str | None, point: Point, results: Path
) -> Iterable[Record]:
    """The records of a metric of exactly this run under the preset's protocol, oldest first."""
    measure = point.preset.measure
    protocol = get_protocol(measure.protocol, measure.inputs, measure.samples).name
    same = {"task": run.task, "method": run.method, "seed": run.seed}
    for record in Records(results, point.preset.name).all():
        if (
            same.items() <= record.items() and record.get("translation") == translation
            and is_of(record["metric"], metric) and _same_run(record, run)
            and (metric != "diversity" or record["protocol"].get("protocol") == protocol)
        ):  # fmt: skip
            yield record


def _same_run(record: Record, run: RunConfig) -> bool:
    try:
        return not run.differences(RunConfig.from_dict(record.get("config") or {}))
    except UserError:  # a record of a version with other settings
        return False


def _of_real_pictures(
    ablation: Ablation, like: Record, translation: str | None, results: Path
) -> list[Record]:
    """The records of the real pictures that ``like`` was measured on, oldest first. Real pictures are
    the same at all seeds, so any seed will do."""
    same = {key: like.get(key) for key in ("task", "metric", "data_sha256", "size")}
    return [
        record
        for record in Records(results, ablation.preset.name).all()
        if record["method"] == REAL and record.get("translation") == translation
        and all(record.get(key) == value for key, value in same.items())
        and record["protocol"].get("sha256") == like["protocol"].get("sha256")
    ]  # fmt: skip


def _way(record: Record, alike: bool) -> tuple[Value, ...]:
    """What two records must share to be comparable; on different pictures, only the metric."""
    if not alike:
        return (record["metric"],)
    protocol = record["protocol"]
    return record["metric"], protocol.get("sha256"), protocol.get("protocol")


def heading(curve: Curve, task: TaskSpec) -> str:
    """A curve's title: its metric, direction of translation and unit."""
    where = f", {task.directions[curve.translation]}" if curve.translation else ""
    unit = f" ({curve.unit})" if curve.unit not in NAMED_AFTER else ""
    return f"{curve.name}{where}{unit}"


def ablation_table(ablation: Ablation, curves: Sequence[Curve]) -> Tables:
    """A table with one row per point and one column per metric and direction. The CSV has, for each
    cell, the mean over seeds (``seed`` is ``mean``) and every seed's number with the id of its
    record."""
    keys = [axis.key for axis in ablation.axes]
    lines = [[*keys, *(heading(c, ablation.spec) for c in curves)]]
    for i, point in enumerate(ablation.points):
        words = [
            as_word(value) + (" (default)" if value == axis.default else "")
            for axis, value in zip(ablation.axes, point.values, strict=True)
        ]
        lines.append([*words, *(_cell(c.means[i], len(ablation.seeds)) for c in curves)])
    if any(curve.real for curve in curves):
        blank = [""] * (len(keys) - 1)
        lines.append(["real data", *blank, *(_cell(c.real) for c in curves)])
    title = f"{METHODS[ablation.method].title} by {' and '.join(keys)}, {ablation.spec.title}"
    if ablation.preset.changes:  # else the report has tables with equal titles
        title += f", {scale(ablation.preset)}"
    table = of_texts(title, lines, len(keys), caption(ablation, curves))
    data = tuple(row for curve in curves for row in _data(ablation, curve))
    return Tables((table,), data=data, names=(*keys, *CSV_COLUMNS))


def caption(ablation: Ablation, curves: Sequence[Curve]) -> str:
    """The caption: what was trained and measured, what the intervals cover, what is missing."""
    sentences = [f"Preset {scale(ablation.preset)}; {_trainings(ablation.seeds)}."]
    if any(m and m.difference for c in curves for m in c.means):
        sentences.append(
            f"{DIFFERS}: the 95% interval of the difference from the default (paired by seed) "
            "excludes 0; not corrected for multiple points."
        )
    for axis in ablation.axes:
        if axis.default not in axis.values:
            default = f"{axis.key}={as_word(axis.default)}"
            sentences.append(f"The default, {default}, is not one of the points.")
    # Points that are rows of the papers' tables.
    named = dict.fromkeys(p.method for p in ablation.points if p.method != ablation.method)
    sentences += [f"{'=0, '.join(METHODS[m].ablates)}=0 is {METHODS[m].title}." for m in named]
    for way in BETTER:
        of_way = dict.fromkeys(c.name for c in curves if c.direction == way)
        if of_way:
            sentences.append(f"{BETTER[way]}: {', '.join(of_way)}.")
    if any(c.metric.startswith("diversity-") and c.metric != "diversity-lpips" for c in curves):
        sentences.append("Diversity does not use the paper's LPIPS: compare the order, not values.")
    sentences += filter(None, [few(len(ablation.seeds)).strip()])
    if any(curve.several_judges for curve in curves) and not ablation.one_set_of_pictures:
        sentences.append(
            "Pictures differ between points, and each set of pictures has its own measuring networks."
        )
    sentences.append("Quality is not measured: it compares the methods of a table.")
    return " ".join(sentences)


def write_ablation(ablation: Ablation, curves: Sequence[Curve], results: Path) -> list[Path]:
    """Write ``TASK-METHOD-KEY.md``, ``.csv`` and, for the report, ``.json`` to the ablations folder
    of the preset's results. Returns their paths."""
    tables, folder = ablation_table(ablation, curves), results / ablation.preset.name / FOLDER
    path = folder / f"{ablation.name}.json"
    write_text(path, tables.parts[0].as_json())
    return [*tables.write(folder, ablation.name, "md csv"), path]


def _cell(mean: Mean | None, of: int = 0) -> str:
    """A mean, marked if it differs from the default's, or is over fewer than ``of`` trainings."""
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


def _trainings(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return (
            f"one training per point (seed {seeds[0]}), so 95% intervals are over inputs, not seeds"
        )
    return (
        f"means over {len(seeds)} trainings per point (seeds {', '.join(map(str, seeds))}) with 95% "
        f"intervals over trainings on the same pictures (Student's t)"
    )
