"""From records to an ablation's numbers: a mean over seeds with its interval, point by point.

The statistics are those of the tables and claims (``estimate``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metric import METRICS
from benchmarks.metrics.diversity_protocols import get_protocol
from models.errors import UserError
from reproduce.analysis.cells import estimate_of
from reproduce.analysis.estimate import Estimate, over_trainings
from reproduce.experiments.ablation import Ablation, Value
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.ablation import translations_of
from reproduce.records.current import is_of
from reproduce.records.store import REAL, Records

Record = dict[str, Any]


@dataclass(frozen=True)
class Mean:
    """A mean over trainings. ``records``: by seed; ``difference``: from the preset's own values,
    where there is something to compare, paired by seed."""

    estimate: Estimate
    records: Mapping[int, Record]
    difference: Estimate | None = None


@dataclass(frozen=True)
class Curve:
    """One metric at all points, in one direction; None where no record tells. ``real``: of real
    pictures."""

    metric: str  # as the records call it
    translation: str | None
    unit: str
    direction: str  # which is better: higher, lower, none
    protocol: str
    means: tuple[Mean | None, ...]  # in the order of the points
    real: Mean | None

    @property
    def several_judges(self) -> bool:
        """Whether classifiers, or what else measured, differ from point to point."""
        told = {r["protocol"].get("sha256") for m in self.means if m for r in m.records.values()}
        return len(told) > 1


def curves_of(ablation: Ablation, metrics: Sequence[str], results: Path) -> list[Curve]:
    """A curve for each metric and direction. Raises UserError where not one point has a record."""
    stored = _Stored(results)
    curves = [
        _curve(ablation, metric, translation, stored)
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


class _Stored:
    """Records of presets, read once."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self._known: dict[str, list[Record]] = {}

    def of(self, preset: Preset) -> list[Record]:
        if preset.name not in self._known:
            self._known[preset.name] = Records(self.results, preset.name).all()
        return self._known[preset.name]


def _curve(ablation: Ablation, metric: str, translation: str | None, stored: _Stored) -> Curve:
    found: dict[str, dict[int, list[Record]]] = {}
    for point in ablation.points:
        found[ablation.label(point)] = {
            run.seed: _about(run, metric, translation, point.preset, stored) for run in point.runs
        }
    every = [r for by_seed in found.values() for records in by_seed.values() for r in records]
    newest = max(every, key=lambda r: str(r.get("time", "")), default=None)
    alike = ablation.one_set_of_pictures
    chosen: dict[str, dict[int, Record]] = {}
    for name, by_seed in found.items():
        fitting = {s: [r for r in records if newest and _way(r, alike) == _way(newest, alike)]
                   for s, records in by_seed.items()}  # fmt: skip
        chosen[name] = {seed: records[-1] for seed, records in fitting.items() if records}
    own = next((ablation.label(p) for p in ablation.points if p.default), None)
    default = chosen.get(own, {}) if own is not None else {}
    about = newest or {}
    limits = METRICS[about["metric"]].limits if about.get("metric") in METRICS else (None, None)
    real = _of_real_pictures(ablation, newest, translation, stored) if newest and alike else {}
    means = [
        _mean(by_seed, limits, default if name != own else {}) for name, by_seed in chosen.items()
    ]
    # Real pictures are the same at every seed.
    of_real = _mean({seed: real[seed] for seed in sorted(real)[-1:]}, limits, {})
    return Curve(
        about.get("metric", metric), translation, about.get("unit", ""),
        about.get("direction", "none"), about.get("protocol", {}).get("protocol", ""),
        tuple(means), of_real,
    )  # fmt: skip


def _mean(
    by_seed: Mapping[int, Record], limits: tuple[float | None, float | None],
    default: Mapping[int, Record],
) -> Mean | None:  # fmt: skip
    """The mean of records; of one the interval that it has."""
    if not by_seed:
        return None
    estimate = over_trainings([r["value"] for r in by_seed.values()], limits)
    if len(by_seed) == 1:
        (estimate,) = map(estimate_of, by_seed.values())
    both = sorted(set(by_seed) & set(default))
    differences = [by_seed[s]["value"] - default[s]["value"] for s in both]
    return Mean(estimate, by_seed, over_trainings(differences) if differences else None)


def _about(
    run: RunConfig, metric: str, translation: str | None, preset: Preset, stored: _Stored
) -> list[Record]:
    """The records of a metric of this very run, oldest first, measured as the preset says."""
    measure = preset.measure
    protocol = get_protocol(measure.protocol, measure.inputs, measure.samples).name
    return [
        record for record in stored.of(preset)
        if record["task"] == run.task and record["method"] == run.method
        and record["seed"] == run.seed and record.get("translation") == translation
        and is_of(record["metric"], metric) and _same_run(record, run)
        and (metric != "diversity" or record["protocol"].get("protocol") == protocol)
    ]  # fmt: skip


def _same_run(record: Record, run: RunConfig) -> bool:
    try:
        return not run.differences(RunConfig.from_dict(record.get("config") or {}))
    except UserError:  # of a version with other settings
        return False


def _of_real_pictures(
    ablation: Ablation, like: Record, translation: str | None, stored: _Stored
) -> dict[int, Record]:
    """By seed, the newest record of the real pictures that ``like`` was measured on. They are the
    same at all seeds, so any counts."""
    found = {}
    for record in stored.of(ablation.preset):
        same = ("task", "metric", "data_sha256", "size")
        if (
            record["method"] == REAL and record.get("translation") == translation
            and all(record.get(key) == like.get(key) for key in same)
            and record["protocol"].get("sha256") == like["protocol"].get("sha256")
        ):  # fmt: skip
            found[int(record["seed"])] = record
    return found


def _way(record: Record, alike: bool) -> tuple[Value, ...]:
    """What two records must share to be compared: on other pictures, the metric alone."""
    if not alike:
        return (record["metric"],)
    protocol = record["protocol"]
    return record["metric"], protocol.get("sha256"), protocol.get("protocol")
