"""Which record counts: the one rule, for tables, claims, figures and reruns.

Of one training (a task, a method, a seed) count the records of its newest network, and of one metric
the newest of them, which is the last line. Across trainings a quantity is compared only with its like: with what was measured
in the same way (protocol, weights of the instrument) as the newest record of that quantity.

Records of outputs that were not made here name their ``submission``. They are rows of tables and
nothing else: no claim, mean over trainings or way of measuring follows from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import UserError
from models.method import DIRECTIONS
from reproduce.records.store import QUALITY, REAL, REFERENCE, Records

Record = Mapping[str, Any]
Rows = dict[tuple[str, str], dict[str, dict[str, Any]]]  # (task, method) -> metric -> record
WHERE: tuple[str | None, ...] = (None, *DIRECTIONS)  # None: of records that name no translation
# What a record is about, by its sha256: a network, outputs that were not made here, real pictures.
MEASURED_ON = ("checkpoint_sha256", "outputs_sha256", "data_sha256")


@dataclass(frozen=True)
class Quantity:
    """A measured number of one method: ``family`` is a metric of the records, or what is before its
    extractor's name (diversity, fid, ...); quality, the best preference over MUNIT; or cis/is."""

    family: str
    method: str
    task: str
    translation: str | None = None
    domain: str | None = None  # "a" or "b", where a number is one domain's

    @property
    def of_pictures(self) -> bool:
        """Whether it is about real pictures alone; a preference is about a trained network too."""
        return self.method == REAL and self.family not in ("quality", *QUALITY)


def newest(records: Iterable[dict[str, Any]], seed: int, translation: str | None = None) -> Rows:
    """Of each metric the newest record of ``seed``: of those that are about one ``translation``
    (a2b or b2a), or with None of those that name none.

    All numbers of a row are of one network (real data's: of the same pictures): what was measured
    on a checkpoint before the last one that was measured is left out.
    """
    fitting = (r for r in records if r["seed"] == seed and "submission" not in r)
    return _newest(fitting, translation)


def submitted(
    records: Sequence[dict[str, Any]], seeds: Iterable[int], translation: str | None = None
) -> Rows:
    """The same of outputs that were not made here, under the names of their rows, whatever the seed:
    they are no training of ours. A preference over MUNIT counts where its newest network at one of
    ``seeds`` is the reference."""
    references = {
        record.get("checkpoint_sha256")
        for seed in seeds
        for (_, method), row in newest(records, seed).items() if method == REFERENCE
        for record in row.values()
    }  # fmt: skip
    fitting = (
        r for r in records
        if "submission" in r and r["protocol"].get("reference_sha256") in {None, *references}
    )  # fmt: skip
    return _newest(fitting, translation)


def _newest(records: Iterable[dict[str, Any]], translation: str | None) -> Rows:
    found, subject = Rows(), dict[tuple[str, str], object]()
    for record in records:
        if record.get("translation") != translation:
            continue
        row = record["task"], record["method"]
        measured_on = next(filter(None, map(record.get, MEASURED_ON)), None)
        if measured_on is not None and subject.setdefault(row, measured_on) != measured_on:
            subject[row] = measured_on
            # People were asked about no checkpoint that we know of.
            found[row] = {k: r for k, r in found[row].items() if k == "quality-human"}
        found.setdefault(row, {})[record["metric"]] = record
    return found


def counting(
    records: Sequence[dict[str, Any]], seeds: Iterable[int] | None = None
) -> list[dict[str, Any]]:
    """The records that count, of ``seeds`` or of all that there are: what ``newest`` leaves, and
    ``submitted``."""
    seeds = sorted({int(r["seed"]) for r in records}) if seeds is None else [*seeds]
    every = [newest(records, seed, where) for seed in seeds for where in WHERE]
    every += [submitted(records, seeds, where) for where in WHERE]
    return [record for rows in every for row in rows.values() for record in row.values()]


class Current:
    """What records say of every quantity, by seed; ``seeds``: of all that they tell of."""

    def __init__(
        self, records: Sequence[dict[str, Any]], seeds: Iterable[int] | None = None
    ) -> None:
        self.seeds = tuple(sorted(_seeds(records) if seeds is None else set(seeds)))
        self._submitted = {where: submitted(records, self.seeds, where) for where in WHERE}
        self._found: dict[tuple[int, str | None], Rows] = {
            (seed, where): newest(records, seed, where) for seed in self.seeds for where in WHERE
        }
        self._ways: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._metrics: set[str] = set()

    @classmethod
    def stored(cls, results: Path, preset: str, seeds: Sequence[int] | None = None) -> Current:
        """Of the records of a preset; UserError for none, and for a seed that has none."""
        records = Records(results, preset)
        known = records.all()
        if not (measured := _seeds(known)):
            named, changed, _ = preset.partition("+")
            same = " with the same --task and --set" if changed else ""
            raise UserError(
                f"{records.path} holds no records: measure first, e.g. python -m reproduce table 1 "
                f"--preset {named}{same}"
            )
        for seed in {*(seeds or ())} - measured:
            raise UserError(
                f"{records.path} holds no record of seed {seed}: measure it first, or leave it "
                f"out (there are {', '.join(map(str, sorted(measured)))})"
            )
        return cls(known, seeds or measured)

    def has(self, seed: int, tasks: Collection[str]) -> bool:
        """Whether a trained network on one of ``tasks`` was measured at a seed."""
        rows = (row for (of, _), found in self._found.items() if of == seed for row in found)
        return any(task in tasks and method != REAL for task, method in rows)

    def submissions(self, tasks: Collection[str]) -> dict[str, Record]:
        """Rows that were not trained here, by name, with a record of each that says whose it is."""
        return {
            label: record
            for rows in self._submitted.values()
            for (task, label), row in sorted(rows.items()) if task in tasks
            for record in row.values()
        }  # fmt: skip

    def submission(self, quantity: Quantity) -> Record | None:
        """The record of such a row, if it was measured in the way that counts."""
        row = self._submitted[quantity.translation].get((quantity.task, quantity.method), {})
        if quantity.family == "quality":
            return next((row[metric] for metric in QUALITY if metric in row), None)
        way, every = self._way_that_counts(quantity), _candidates(row, quantity.family)
        return next((record for record in every if way in ((), _way(record))), None)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that were asked for and found."""
        return tuple(sorted(self._metrics))

    def records(self, quantity: Quantity) -> dict[int, Record]:
        """By seed, the record of each training that was measured in the way that counts."""
        every = {seed: self._record(quantity, seed) for seed in self.seeds}
        found = {seed: record for seed, record in every.items() if record is not None}
        if quantity.family == "quality" and found:
            # Where the better were asked about any training, the others do not stand in for them.
            best = min((r["metric"] for r in found.values()), key=QUALITY.index)
            found = {seed: r for seed, r in found.items() if r["metric"] == best}
        if quantity.family in ("quality", *QUALITY) and found:
            way = _way(max(found.values(), key=time_of))
            found = {seed: r for seed, r in found.items() if _way(r) == way}
        self._metrics |= {record["metric"] for record in found.values()}
        return found

    def values(self, quantity: Quantity) -> dict[int, float]:
        """By seed, the quantity's value. Real pictures are the same at every seed, which only draws
        other pairs of them: where they were not measured, their mean counts."""
        told = {seed: self._value(r, quantity) for seed, r in self.records(quantity).items()}
        found = {seed: value for seed, value in told.items() if value is not None}
        if found and quantity.of_pictures:
            return dict.fromkeys(self.seeds, float(np.mean(list(found.values())))) | found
        return found

    def mean(self, metric: str, method: str, task: str) -> float | None:
        """A metric's mean over the seeds at which it is on record, for texts."""
        rows = (self._row(task, method, seed, None) for seed in self.seeds)
        found = [float(row[metric]["value"]) for row in rows if metric in row]
        return sum(found) / len(found) if found else None

    def _record(self, quantity: Quantity, seed: int) -> Record | None:
        row = self._row(quantity.task, quantity.method, seed, quantity.translation)
        if quantity.family in ("quality", *QUALITY):
            asked = QUALITY if quantity.family == "quality" else (quantity.family,)
            return next((row[m] for m in asked if m in row and self._counts(row[m])), None)
        way, every = self._way_that_counts(quantity), _candidates(row, quantity.family)
        return next((record for record in every if _way(record) == way), None)

    def _counts(self, quality: Record) -> bool:
        """Whether a preference is about a row: over a network that has been trained anew since,
        it is not."""
        if quality["metric"] == QUALITY[0]:
            return True
        reference = self._row(quality["task"], REFERENCE, int(quality["seed"]), None).values()
        newest_network = {r["checkpoint_sha256"] for r in reference if "checkpoint_sha256" in r}
        return quality["protocol"].get("reference_sha256") in newest_network

    def _row(self, task: str, method: str, seed: int, where: str | None) -> dict[str, Any]:
        return self._found[seed, where].get((task, method), {})

    def _way_that_counts(self, quantity: Quantity) -> tuple[object, ...]:
        """How the newest network was measured: one number is compared only with its like.

        Diversity's extractor serves all tasks, classifiers one domain. Real data, whose protocol is
        another one by nature, must share the extractor.
        """
        of_all = quantity.family == "diversity"
        scope = () if of_all else (quantity.task, quantity.translation)
        key = (quantity.family, *scope, quantity.method == REAL)
        if key not in self._ways:
            of_scope = [
                record
                for (_, where), rows in self._found.items()
                for (task, method), row in rows.items()
                if method != REAL and scope in ((), (task, where))
                for record in _candidates(row, quantity.family)
            ]
            last = max(of_scope, key=time_of, default=None)
            way = _way(last) if last else ()
            self._ways[key] = (*way[:-1], None) if way and quantity.method == REAL else way
        return self._ways[key]

    def _value(self, record: Record, quantity: Quantity) -> float | None:
        """What a record says of a quantity: one domain's part, the ratio CIS / IS, or its value."""
        if quantity.domain:
            told = record.get("theory", {}).get("domains", {}).get(quantity.domain)
            return None if told is None else float(told)
        if quantity.family == "cis/is":
            where = record["seed"], record.get("translation")
            row = self._row(record["task"], record["method"], *where)
            inception = float(row["is"]["value"]) if "is" in row else 0.0
            return float(record["value"]) / inception if inception else None
        return float(record["value"])


def _seeds(records: Iterable[Record]) -> set[int]:
    """Of our own trainings."""
    return {int(record["seed"]) for record in records if "submission" not in record}


def _candidates(row: Mapping[str, Any], family: str) -> list[Record]:
    """The records of one network that a family of numbers may be taken from."""
    family = "cis" if family == "cis/is" else family
    return [record for metric, record in row.items() if is_of(metric, family)]


def is_of(metric: str, family: str) -> bool:
    """Whether a metric is a ``family``, or goes on with an extractor's name."""
    return metric == family or metric.startswith(f"{family}-")


def time_of(record: Record) -> str:
    """When it was measured; of two, the later text is of the newer record."""
    return str(record.get("time", ""))


def _way(record: Record) -> tuple[object, ...]:
    """What two records must share to be compared."""
    protocol = record["protocol"]
    name = None if record["method"] == REAL else protocol.get("protocol")
    right = (protocol.get("right"), protocol.get("candidates"))  # pictures that decide a preference
    return record["metric"], protocol.get("sha256"), right, name
