"""Records of several trainings in one table: means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import benchmarks.metrics.diversity_result  # noqa: F401  declares the limits of diversity
from benchmarks.metric import METRICS
from models.method import DIRECTIONS
from reproduce.analysis.estimate import Estimate, over_trainings
from reproduce.analysis.tables import ONE_TRAINING, Cells, Found, Record
from reproduce.experiments.preset import Preset
from reproduce.records.current import QUALITY, REAL, Current, Quantity, newest, submitted
from reproduce.records.store import Records


class OverSeeds:
    """A table's cells over the trainings of ``seeds``: means with their 95 % intervals."""

    def __init__(self, evidence: Current, seeds: Sequence[int]) -> None:
        self.seeds = tuple(sorted(seeds))
        self._evidence = evidence

    def by_seed(self, *records: Record) -> dict[int, float]:
        """The mean of what ``records`` are about at each seed at which all of it was measured; none
        where one of them is not measured in the way that counts."""
        known = []
        for record in records:
            values = self._evidence.of(quantity_of(record))
            own = values.get(int(record["seed"]))
            if own is None or abs(own - record["value"]) > 1e-6:
                return {}
            known.append(values)
        common = set(self.seeds).intersection(*known)
        found = {seed: float(np.mean([of[seed] for of in known])) for seed in sorted(common)}
        if found and _of_pictures(records):
            # Real pictures are the same at every seed, which only draws other pairs of them.
            found = dict.fromkeys(self.seeds, float(np.mean(list(found.values())))) | found
        return found

    def cell(self, *records: Record | None) -> Estimate | None:
        """The mean of what ``records`` are about, each over all its trainings; None where one
        is None, or is not measured in the way that counts."""
        given = [record for record in records if record is not None]
        if len(given) < len(records):
            return None
        if any("submission" in record for record in given):  # of no training of ours
            one = ONE_TRAINING.cell(*given)
            return one and replace(one, seeds=len(self.seeds))
        values = self.by_seed(*given)
        if not values:
            return None
        if _of_pictures(given):
            return self._of_real(given)
        if len(values) == 1:  # what that training's records say
            return ONE_TRAINING.cell(*self._at(next(iter(values)), given))
        metric = METRICS.get(given[0]["metric"])
        return over_trainings(list(values.values()), metric.limits if metric else (None, None))

    def _of_real(self, records: Sequence[Record]) -> Estimate | None:
        """The mean over seeds, with the interval of one measurement, over pictures, around it."""
        one = ONE_TRAINING.cell(*records)
        if one is None:
            return None
        by_seed = [self._evidence.of(quantity_of(record)) for record in records]
        measured = set(self.seeds).intersection(*by_seed)
        values = [float(np.mean([of[seed] for of in by_seed])) for seed in sorted(measured)]
        shift = float(np.mean(values)) - one.value
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return replace(
            one, value=one.value + shift, low=one.low + shift, high=one.high + shift,
            seeds=len(self.seeds), deviation=deviation,
        )  # fmt: skip

    def _at(self, seed: int, records: Sequence[Record]) -> list[Record | None]:
        return [self._evidence.records(quantity_of(record)).get(seed) for record in records]


def _of_pictures(records: Sequence[Record]) -> bool:
    """Whether numbers are about real pictures alone; a preference is about a trained reference too."""
    return all(r["method"] == REAL and r["metric"] not in QUALITY for r in records)


def quantity_of(record: Record) -> Quantity:
    """What a record is about, in the claims' words."""
    family = record["metric"]
    if family.startswith("diversity-"):
        family = "diversity"
    return Quantity(family, record["method"], record["task"], record.get("translation"))


def latest(founds: Iterable[Found]) -> Found:
    """Rows of several seeds in one: of each metric the record that was measured last."""
    merged: dict[tuple[str, str], dict[str, Record]] = {}
    for found in founds:
        for row, records in found.items():
            own = merged.setdefault(row, {})
            for metric, record in records.items():
                if metric not in own or _time(record) >= _time(own[metric]):
                    own[metric] = record
    return merged


def _time(record: Record) -> str:
    return str(record.get("time", ""))


def stored(
    preset: Preset, results: Path, number: int, seeds: Sequence[int]
) -> tuple[dict[str | None, Found], Cells]:
    """What the records say of a table: its rows, by translation (table 1: None), and what gives
    them their numbers. Only those of ``seeds`` count that have records of the table's methods;
    where that is one, its records stand as they are. Among the rows are those of outputs that were
    not made here."""
    everything = Records(results, preset.name).all()
    translations: Sequence[str | None] = (None,) if number == 1 else DIRECTIONS
    by_seed: dict[int, dict[str | None, Found]] = {
        s: {t: newest(everything, s, t) for t in translations} for s in seeds
    }
    tasks = preset.tables.get(number, [])
    known = [
        s for s, found in by_seed.items()
        if any(task in tasks and method != REAL for rows in found.values() for task, method in rows)
    ]  # fmt: skip
    known = known or list(seeds[:1])
    rows: dict[str | None, Found] = {
        t: {**latest(by_seed[s][t] for s in known), **submitted(everything, known, t)}
        for t in translations
    }
    if len(known) < 2:
        return rows, ONE_TRAINING
    return rows, OverSeeds(Current(results, preset.name, known), known)
