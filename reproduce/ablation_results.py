"""From records to an ablation's numbers: a mean over seeds with its interval, point by point.

The statistics are those of the tables and claims (``over_seeds``): inputs are drawn again for all
trainings together, trainings from Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diversity_protocols import get_protocol
from models.errors import UserError
from reproduce.ablation import Ablation, Value
from reproduce.ablation_measure import translations_of
from reproduce.claims.evidence import Evidence, sample_of
from reproduce.claims.samples import Sample
from reproduce.claims.statements import Quantity
from reproduce.claims.statistics import Draws, interval
from reproduce.experiments import Preset
from reproduce.over_seeds import TAIL, Means
from reproduce.places import REAL
from reproduce.results import Records
from reproduce.runs import RunConfig

Record = dict[str, Any]


@dataclass(frozen=True)
class Estimate:
    """A mean over trainings with its 95 % interval over trainings and inputs; infinite ends where
    nothing bounds it. ``records``: by seed; ``difference``: from the preset's own values, with
    its interval, where there is something to compare."""

    value: float
    low: float
    high: float
    seeds: tuple[int, ...]
    deviation: float | None  # standard deviation between trainings
    records: tuple[Record, ...]
    difference: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Curve:
    """One metric at all points, in one direction; None where no record tells. ``real``: of real
    pictures."""

    metric: str  # as the records call it
    translation: str | None
    unit: str
    direction: str  # which is better: higher, lower, none
    protocol: str
    estimates: tuple[Estimate | None, ...]  # in the order of the points
    real: Estimate | None

    @property
    def several_judges(self) -> bool:
        """Whether classifiers, or what else measured, differ from point to point."""
        told = {r["protocol"].get("sha256") for e in self.estimates if e for r in e.records}
        return len(told) > 1


def curves_of(ablation: Ablation, metrics: Sequence[str], results: Path) -> list[Curve]:
    """A curve for each metric and direction. Raises UserError where not one point has a record."""
    stored = _Stored(results)
    curves = [
        _curve(ablation, metric, translation, stored)
        for metric in metrics
        for translation in translations_of(metric, ablation.method)
    ]
    if not any(estimate for curve in curves for estimate in curve.estimates):
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


class _AtPoint(Quantity):
    """A number of a point, whose label stands for a method."""

    def __str__(self) -> str:
        return f"{self.family} at {self.method}, {self.task}"


class _Points(Evidence):
    """What records say of points, which take the places of methods."""

    def __init__(
        self, results: Path, seeds: Sequence[int], records: Mapping[str, Mapping[int, Record]],
        family: str,
    ) -> None:  # fmt: skip
        self.seeds = tuple(sorted(seeds))
        self._samples = {
            name: {s: sample_of(results, record, family) for s, record in by_seed.items()}
            for name, by_seed in records.items()
        }

    def of(self, quantity: Quantity) -> dict[int, Sample]:
        return self._samples[quantity.method]


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
    names = list(chosen)
    if newest is not None and alike:
        chosen[REAL] = _of_real_pictures(ablation, newest, translation, stored)
    family = "diversity" if metric.startswith("diversity") else metric
    evidence = _Points(stored.results, ablation.seeds, chosen, family)
    quantities = {
        name: _AtPoint(family, name, ablation.task, translation) for name in (*names, REAL)
    }
    means = Means(evidence, [quantities[name] for name in names if chosen[name]], Draws())
    own = next((ablation.label(p) for p in ablation.points if p.default), None)

    def estimate(name: str) -> Estimate | None:
        by_seed = chosen.get(name, {})
        if not by_seed:
            return None
        seeds = tuple(sorted(by_seed))
        value, draws = means.drawn(quantities[name], seeds)
        difference = None
        if own is not None and name not in (own, REAL):
            both = tuple(sorted(set(seeds) & set(chosen[own])))
            if both:
                (ours, drawn), (theirs, others) = (
                    means.drawn(quantities[n], both) for n in (name, own)
                )
                difference = (float((ours - theirs)[0]), *interval(drawn - others, TAIL, TAIL))
        each = [float(by_seed[s]["value"]) for s in seeds]
        deviation = float(np.std(each, ddof=1)) if len(seeds) > 1 else None
        over_inputs = all(by_seed[s]["interval"] for s in seeds)
        bounded = over_inputs or (len(seeds) > 1 and name != REAL)
        low, high = interval(draws, TAIL, TAIL) if bounded else (-math.inf, math.inf)
        return Estimate(
            float(value[0]), low, high, seeds, deviation, tuple(by_seed[s] for s in seeds),
            difference,
        )  # fmt: skip

    about = newest or {}
    return Curve(
        about.get("metric", metric), translation, about.get("unit", ""),
        about.get("direction", "none"), about.get("protocol", {}).get("protocol", ""),
        tuple(map(estimate, names)), estimate(REAL),
    )  # fmt: skip


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
        and _is(record["metric"], metric) and _same_run(record, run)
        and (metric != "diversity" or record["protocol"].get("protocol") == protocol)
    ]  # fmt: skip


def _is(name: str, metric: str) -> bool:
    return name == metric or name.startswith(f"{metric}-")


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
