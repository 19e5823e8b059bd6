"""The rule for which records count, for tables, claims, figures and reruns.

For one training (task, method, seed), only the records of its newest network count, and for each
metric the newest of them (the last line). Across trainings, only records with the same protocol and
instrument weights as the quantity's newest record count, so that values are comparable.

Records of outputs that were not made here have a ``submission``. They appear in tables only: they
affect no claim, no mean over trainings, and not the choice of protocol.
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
WHERE: tuple[str | None, ...] = (None, *DIRECTIONS)  # None: records without a translation
# The sha256 of what was measured: a network, outputs that were not made here, or real pictures.
MEASURED_ON = ("checkpoint_sha256", "outputs_sha256", "data_sha256")


@dataclass(frozen=True)
class Quantity:
    """A measured number of one method. ``family``: a metric of the records, or its name without the
    extractor (diversity, fid, ...); quality, the best available preference over MUNIT; or cis/is."""

    family: str
    method: str
    task: str
    translation: str | None = None
    domain: str | None = None  # "a" or "b", for a number of one domain

    @property
    def of_pictures(self) -> bool:
        """Whether it depends on real pictures only; a preference also depends on a network."""
        return self.method == REAL and self.family not in ("quality", *QUALITY)


def newest(records: Iterable[dict[str, Any]], seed: int, translation: str | None = None) -> Rows:
    """The newest record of each metric at ``seed``, for one ``translation`` (a2b or b2a; None: records
    without a translation).

    All numbers of a row are of one network (for real data: of the same pictures); measurements on
    earlier checkpoints are excluded.
    """
    fitting = (r for r in records if r["seed"] == seed and "submission" not in r)
    return _newest(fitting, translation)


def submitted(
    records: Sequence[dict[str, Any]], seeds: Iterable[int], translation: str | None = None
) -> Rows:
    """Like ``newest``, for outputs that were not made here, by the names of their rows and for any
    seed. A preference over MUNIT counts only if its reference is MUNIT's newest network at one of
    ``seeds``."""
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
            # Human preferences do not record a checkpoint.
            found[row] = {k: r for k, r in found[row].items() if k == "quality-human"}
        found.setdefault(row, {})[record["metric"]] = record
    return found


def counting(
    records: Sequence[dict[str, Any]], seeds: Iterable[int] | None = None
) -> list[dict[str, Any]]:
    """All records that count, by ``newest`` and ``submitted``, for ``seeds`` (None: all seeds)."""
    seeds = sorted({int(r["seed"]) for r in records}) if seeds is None else [*seeds]
    every = [newest(records, seed, where) for seed in seeds for where in WHERE]
    every += [submitted(records, seeds, where) for where in WHERE]
    return [record for rows in every for row in rows.values() for record in row.values()]


class Current:
    """The values of every quantity by seed, from records; ``seeds`` is None: all their seeds."""

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
        """From the stored records of a preset; UserError if there are none, or none of a seed."""
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
        """Whether a trained network on one of ``tasks`` has records at a seed."""
        rows = (row for (of, _), found in self._found.items() if of == seed for row in found)
        return any(task in tasks and method != REAL for task, method in rows)

    def submissions(self, tasks: Collection[str]) -> dict[str, Record]:
        """Row name -> one record of it, for the submitted rows of ``tasks`` (not trained here)."""
        return {
            label: record
            for rows in self._submitted.values()
            for (task, label), row in sorted(rows.items()) if task in tasks
            for record in row.values()
        }  # fmt: skip

    def submission(self, quantity: Quantity) -> Record | None:
        """The record of a submitted row, if it has the protocol that counts."""
        row = self._submitted[quantity.translation].get((quantity.task, quantity.method), {})
        if quantity.family == "quality":
            return next((row[metric] for metric in QUALITY if metric in row), None)
        way, every = self._way_that_counts(quantity), _candidates(row, quantity.family)
        return next((record for record in every if way in ((), _way(record))), None)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics that were requested and found."""
        return tuple(sorted(self._metrics))

    def records(self, quantity: Quantity) -> dict[int, Record]:
        """Seed -> record, for the trainings measured with the protocol that counts."""
        every = {seed: self._record(quantity, seed) for seed in self.seeds}
        found = {seed: record for seed, record in every.items() if record is not None}
        if quantity.family == "quality" and found:
            # If the best source exists for any training, others do not replace it elsewhere.
            best = min((r["metric"] for r in found.values()), key=QUALITY.index)
            found = {seed: r for seed, r in found.items() if r["metric"] == best}
        if quantity.family in ("quality", *QUALITY) and found:
            way = _way(max(found.values(), key=time_of))
            found = {seed: r for seed, r in found.items() if _way(r) == way}
        self._metrics |= {record["metric"] for record in found.values()}
        return found

    def values(self, quantity: Quantity) -> dict[int, float]:
        """Seed -> value of the quantity. Real pictures are the same at every seed (only their random
        pairs differ), so seeds without a measurement get the mean of the others."""
        told = {seed: self._value(r, quantity) for seed, r in self.records(quantity).items()}
        found = {seed: value for seed, value in told.items() if value is not None}
        if found and quantity.of_pictures:
            return dict.fromkeys(self.seeds, float(np.mean(list(found.values())))) | found
        return found

    def mean(self, metric: str, method: str, task: str) -> float | None:
        """A metric's mean over the seeds with a record, for texts; None without any."""
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
        """Whether a preference is valid: its reference must be MUNIT's newest network."""
        if quality["metric"] == QUALITY[0]:
            return True
        reference = self._row(quality["task"], REFERENCE, int(quality["seed"]), None).values()
        newest_network = {r["checkpoint_sha256"] for r in reference if "checkpoint_sha256" in r}
        return quality["protocol"].get("reference_sha256") in newest_network

    def _row(self, task: str, method: str, seed: int, where: str | None) -> dict[str, Any]:
        return self._found[seed, where].get((task, method), {})

    def _way_that_counts(self, quantity: Quantity) -> tuple[object, ...]:
        """What ``_way`` gives for the newest measurement; other records must agree with it.

        Diversity has one extractor for all tasks, classifiers one per domain. Real data has another
        protocol by nature, but must share the extractor.
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
        """A quantity's value in a record: one domain's part, the ratio CIS / IS, or the value."""
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
    """The seeds of our own trainings, without submissions."""
    return {int(record["seed"]) for record in records if "submission" not in record}


def _candidates(row: Mapping[str, Any], family: str) -> list[Record]:
    """The records of one network that can provide a family's value."""
    family = "cis" if family == "cis/is" else family
    return [record for metric, record in row.items() if is_of(metric, family)]


def is_of(metric: str, family: str) -> bool:
    """Whether a metric is ``family``, or ``family`` followed by an extractor's name."""
    return metric == family or metric.startswith(f"{family}-")


def time_of(record: Record) -> str:
    """The ISO time of a measurement; it sorts as text."""
    return str(record.get("time", ""))


def _way(record: Record) -> tuple[object, ...]:
    """What two records must share to be comparable."""
    protocol = record["protocol"]
    name = None if record["method"] == REAL else protocol.get("protocol")
    right = (protocol.get("right"), protocol.get("candidates"))  # pictures that decide a preference
    return record["metric"], protocol.get("sha256"), right, name
