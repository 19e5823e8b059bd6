"""Means over trainings with their intervals: what the tables show, and what the claims test.

Both ask ``Means``, so that a number is the same in a table and in a claim. Inputs are drawn again
for all trainings together, trainings from Student's t (``claims.statistics`` says why).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.intervals import FloatArray
from models.method import DIRECTIONS
from reproduce.claims.evidence import HUMAN, JUDGED, Evidence
from reproduce.claims.samples import Sample
from reproduce.claims.statements import Quantity, claims
from reproduce.claims.statistics import Draws, Prior, interval, prior_of, spread_of
from reproduce.experiments import Preset
from reproduce.places import REAL
from reproduce.results import Records, newest
from reproduce.tables import ONE_TRAINING, Cell, Cells, Found, Record
from reproduce.tasks.registry import TASKS

# Seeds multiply a diversity, whose values span two orders of magnitude between methods, rather than
# add to it; shares and nats have one scale for all.
MULTIPLIED = ("diversity",)
SMALLEST = 1e-4  # LPIPS: below this there is no difference to see, and a logarithm needs an end
TAIL = 0.025  # on either side of a table's intervals


class Means:
    """Means of quantities over trainings, and draws of them under other inputs and trainings.

    ``quantities``: what tells, family by family, how much trainings differ.
    """

    def __init__(self, evidence: Evidence, quantities: Iterable[Quantity], draws: Draws) -> None:
        self._evidence, self._draws = evidence, draws
        self._families: dict[str, dict[Quantity, None]] = {}
        for quantity in quantities:
            if quantity.method != REAL:
                self._families.setdefault(quantity.family, {})[quantity] = None
        self._samples: dict[Quantity, dict[int, Sample]] = {}
        self._priors: dict[str, Prior] = {}
        self._drawn: dict[tuple[Quantity, tuple[int, ...]], tuple[FloatArray, FloatArray]] = {}

    def samples(self, quantity: Quantity) -> dict[int, Sample]:
        """What each training showed, by seed."""
        if quantity not in self._samples:
            self._samples[quantity] = self._evidence.of(quantity)
        return self._samples[quantity]

    def prior(self, family: str) -> Prior:
        """What all methods of a family tell of the spread between seeds."""
        if family not in self._priors:
            groups = [
                _scaled(family, [sample.value for sample in self.samples(quantity).values()])
                for quantity in self._families.get(family, ())
            ]
            self._priors[family] = prior_of(groups)
        return self._priors[family]

    def seeds(self, quantities: Iterable[Quantity]) -> tuple[int, ...]:
        """Those at which all ``quantities`` were measured. Real pictures are the same whatever
        the seed."""
        common = set(self._evidence.seeds)
        for quantity in quantities:
            known = self.samples(quantity)
            common &= set(known) if quantity.method != REAL or not known else common
        return tuple(sorted(common))

    def drawn(self, quantity: Quantity, seeds: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        """A quantity's mean (1,) over ``seeds`` (real pictures': over all), and its draws (B,)."""
        known = self.samples(quantity)
        if quantity.method == REAL:
            seeds = tuple(known)
        if (quantity, seeds) not in self._drawn:
            values = np.array([known[seed].value for seed in seeds])
            # Without raw values the inputs are taken for the same at all seeds: the cautious way.
            place = _inputs_of(quantity)
            over = [
                self._draws.over_inputs(known[s], place if known[s].ids else str(quantity))
                for s in seeds
            ]
            draws: FloatArray = np.mean(over, axis=0)
            if quantity.method != REAL:
                draws = self._with_seeds(quantity, values, draws)
            self._drawn[quantity, seeds] = values.mean(keepdims=True), draws
        return self._drawn[quantity, seeds]

    def _with_seeds(self, quantity: Quantity, values: FloatArray, draws: FloatArray) -> FloatArray:
        spread = spread_of(_scaled(quantity.family, values), self.prior(quantity.family))
        deviations = self._draws.over_seeds(spread, f"{quantity.task} {quantity.method}")
        if quantity.family not in MULTIPLIED:
            return draws + deviations
        with np.errstate(over="ignore", invalid="ignore"):  # far in the tails of two seeds
            return draws * np.exp(deviations)


def _inputs_of(quantity: Quantity) -> str:
    """Whose inputs a quantity is about: tasks between the same domains translate the same test
    pictures of a domain."""
    spec = TASKS.get(quantity.task)
    if spec is None or not spec.domains or quantity.translation is None:
        return f"{quantity.task} {quantity.translation}"
    return spec.directions[quantity.translation].split(" -> ")[0]


def _scaled(family: str, values: Sequence[float] | FloatArray) -> FloatArray:
    """Values on the scale on which seeds of all methods spread alike."""
    found = np.asarray(values, dtype=np.float64)
    return np.log(np.maximum(found, SMALLEST)) if family in MULTIPLIED else found


class OverSeeds:
    """A table's cells over the trainings of ``seeds``: means with 95 % intervals over trainings
    and inputs, and the standard deviation between trainings."""

    def __init__(self, means: Means, seeds: Sequence[int]) -> None:
        self.seeds = tuple(sorted(seeds))
        self._means = means
        self._cells: dict[tuple[tuple[Quantity, int], ...], Cell | None] = {}

    def cell(self, *records: Record | None) -> Cell | None:
        """The mean of what ``records`` are about, each over all its trainings; None where one
        is None, or is not measured in the way that counts."""
        about = []
        for record in records:
            if record is None:
                return None
            quantity, seed = quantity_of(record), int(record["seed"])
            sample = self._means.samples(quantity).get(seed)
            if sample is None or abs(sample.value - record["value"]) > 1e-6:
                return None
            about.append((quantity, seed))
        key = tuple(about)
        if key not in self._cells:
            quantities = [quantity for quantity, _ in about]
            if not self._means.seeds(quantities):
                self._cells[key] = None
            elif all(map(self._stands, quantities)):
                self._cells[key] = self._again(records, quantities)
            else:
                self._cells[key] = self._mean(quantities)
        return self._cells[key]

    def _stands(self, quantity: Quantity) -> bool:
        """Whether a record says all that is known: of one training, or of the same pictures
        measured with each seed."""
        values = [sample.value for sample in self._means.samples(quantity).values()]
        return len(values) == 1 or (quantity.method == REAL and np.ptp(values) < 1e-9)

    def _again(
        self, records: Sequence[Record | None], quantities: Sequence[Quantity]
    ) -> Cell | None:
        """Records as they are."""
        cell = ONE_TRAINING.cell(*records)
        seeds = min(len(self._means.samples(quantity)) for quantity in quantities)
        return replace(cell, seeds=seeds, deviation=0.0) if cell and seeds > 1 else cell

    def _mean(self, quantities: Sequence[Quantity]) -> Cell:
        real = all(quantity.method == REAL for quantity in quantities)
        known = [self._means.samples(quantity) for quantity in quantities]
        seeds = tuple(known[0]) if real else self._means.seeds(quantities)
        value, draws = (
            np.mean(of_all, axis=0)
            for of_all in zip(*(self._means.drawn(q, seeds) for q in quantities), strict=True)
        )
        each = [np.mean([samples[s].value for samples in known if s in samples]) for s in seeds]
        deviation = float(np.std(each, ddof=1)) if len(seeds) > 1 else None
        return Cell(float(value[0]), *interval(draws, TAIL, TAIL), len(seeds), deviation)


def quantity_of(record: Record) -> Quantity:
    """What a record is about, in the claims' words."""
    family = record["metric"]
    if family.startswith("diversity-"):
        family = "diversity"
    elif family in (JUDGED, HUMAN):
        family = "quality"
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
    where that is one, its records stand as they are."""
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
    if len(known) < 2:
        return by_seed[known[0] if known else seeds[0]], ONE_TRAINING
    rows: dict[str | None, Found] = {t: latest(by_seed[s][t] for s in known) for t in translations}
    means = Means(Evidence(results, preset.name, known), _telling(preset, tasks, rows), Draws())
    return rows, OverSeeds(means, known)


def _telling(
    preset: Preset, tasks: Sequence[str], rows: Mapping[str | None, Found]
) -> list[Quantity]:
    """What tells how much trainings differ: of families that claims are about, what these ask for;
    of others, what the table's methods were measured on."""
    asked = [q for claim in claims(preset) for part in claim.parts for q in part.quantities]
    families = {quantity.family for quantity in asked}
    shown = [
        quantity_of(record)
        for found in rows.values()
        for (task, _), records in found.items()
        if task in tasks
        for record in records.values()
    ]
    return asked + [quantity for quantity in shown if quantity.family not in families]
