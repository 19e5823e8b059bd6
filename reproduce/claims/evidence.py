"""From records to samples: which record counts, and its raw values, checked against their digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diversity_result import DiversityResult
from benchmarks.intervals import wilson_share
from benchmarks.judges import Verdict
from benchmarks.mode_scores import ModeScores, load_mode_scores
from benchmarks.theory.contents import DOMAIN_ACCURACY
from benchmarks.theory.styles import number_of_styles
from models.errors import UserError
from models.method import DIRECTIONS
from reproduce.claims.samples import Sample, of_diversity, of_modes, of_value, of_votes
from reproduce.claims.statements import Quantity
from reproduce.places import REAL
from reproduce.results import Records, newest, raw_of
from reproduce.tables import REFERENCE

Z95 = 1.959964  # half a 95 % interval in standard errors
Record = Mapping[str, Any]
Rows = Mapping[tuple[str, str], dict[str, dict[str, Any]]]  # as ``newest`` gives them
JUDGED, HUMAN = "quality-judged", "quality-human"


class Evidence:
    """What the records of a preset say of every quantity, by seed."""

    def __init__(self, results: Path, preset: str, seeds: Sequence[int] | None = None) -> None:
        records = Records(results, preset)
        known = records.all()
        if not known:
            raise UserError(
                f"{records.path} holds no records: measure first, e.g. python -m reproduce table 1 "
                f"--preset {preset}"
            )
        self.results = results
        measured = {int(record["seed"]) for record in known}
        self.seeds = tuple(sorted(set(seeds or measured)))
        for seed in self.seeds:
            if seed not in measured:
                raise UserError(
                    f"{records.path} holds no record of seed {seed}: measure it first, or leave it "
                    f"out (there are {', '.join(map(str, sorted(measured)))})"
                )
        self._found: dict[tuple[int, str | None], Rows] = {
            (seed, direction): newest(known, seed, direction)
            for seed in self.seeds
            for direction in (None, *DIRECTIONS)
        }
        self._ways: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._raw: dict[Path, ModeScores] = {}
        self._metrics: set[str] = set()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that were asked for and found."""
        return tuple(sorted(self._metrics))

    def of(self, quantity: Quantity) -> dict[int, Sample]:
        """A sample for each seed at which the quantity was measured in the way that counts."""
        records = {seed: self._record(quantity, seed) for seed in self.seeds}
        kinds = {record["metric"] for record in records.values() if record is not None}
        found = {
            seed: self._sample(record, quantity)
            for seed, record in records.items()
            # Where people were asked about any training, networks do not stand in for them.
            if record is not None and (record["metric"] != JUDGED or HUMAN not in kinds)
        }
        return {seed: sample for seed, sample in found.items() if sample is not None}

    def mean(self, metric: str, method: str, task: str) -> float | None:
        """A metric's mean over the seeds at which it is on record, for texts."""
        rows = (self._row(task, method, seed, None) for seed in self.seeds)
        found = [float(row[metric]["value"]) for row in rows if metric in row]
        return sum(found) / len(found) if found else None

    def _record(self, quantity: Quantity, seed: int) -> Record | None:
        row = self._row(quantity.task, quantity.method, seed, quantity.translation)
        if quantity.family == "quality":
            record = row.get(HUMAN) or row.get(JUDGED)
            if record is None or record["metric"] == HUMAN:
                return record
            # A preference over a network that has been trained anew since is about no row.
            reference = self._row(quantity.task, REFERENCE, seed, None).values()
            newest_network = {r["checkpoint_sha256"] for r in reference if "checkpoint_sha256" in r}
            return record if record["protocol"]["reference_sha256"] in newest_network else None
        for record in _candidates(row, quantity.family):
            if _way(record) == self._way_that_counts(quantity):
                return record
        return None

    def _row(self, task: str, method: str, seed: int, direction: str | None) -> dict[str, Any]:
        return self._found[seed, direction].get((task, method), {})

    def _way_that_counts(self, quantity: Quantity) -> tuple[object, ...]:
        """How the newest network was measured: one number is compared only with its like.

        Real data, whose protocol is another one by nature, must share the extractor.
        """
        scope = _scope(quantity)
        key = (quantity.family, *scope, quantity.method == REAL)
        if key not in self._ways:
            of_scope = [
                record
                for (_, direction), rows in self._found.items()
                for (task, method), row in rows.items()
                if method != REAL and scope in ((), (task, direction))
                for record in _candidates(row, quantity.family)
            ]
            last = max(of_scope, key=lambda r: str(r.get("time", "")), default=None)
            way = _way(last) if last else ()
            self._ways[key] = (*way[:-1], None) if way and quantity.method == REAL else way
        return self._ways[key]

    def _sample(self, record: Record, quantity: Quantity) -> Sample | None:
        self._metrics.add(record["metric"])
        if quantity.domain:
            return of_domain(self.results, record, quantity.domain)
        return sample_of(self.results, record, quantity.family, self._raw)


def of_domain(results: Path, record: Record, domain: str) -> Sample | None:
    """One domain's part of a number of styles that is a mean over domains; None where the record
    tells no such part. Raises UserError for raw values that are gone, changed or give another
    number."""
    path = raw_of(results, record)
    told = record.get("theory", {}).get("domains", {}).get(domain)
    if path is None or told is None:
        return None
    with np.load(path, allow_pickle=False) as file:
        value, error = number_of_styles(file[domain], record["metric"], int(record["seed"]))
    if abs(value - told) > 1e-6:
        raise UserError(
            f"{path} gives {record['metric']} {value:.6g} of domain {domain}, its record "
            f"{told:.6g}: restore both from version control, or measure again"
        )
    return of_value(value, error)


def sample_of(
    results: Path, record: Record, family: str, known: dict[Path, ModeScores] | None = None
) -> Sample:
    """What a record's number is the statistic of, from its raw values where these are resampled.

    ``family``: as a ``Quantity``'s. ``known`` keeps probabilities of modes, which several numbers
    are made of. Raises UserError for raw values that are gone, changed or give another number.
    """
    metric = record["metric"]
    path = raw_of(results, record)
    if path is None or (metric not in (JUDGED, "is", "cis") and family != "diversity"):
        return of_value(float(record["value"]), _error(record))
    sample = _made(path, metric, family, {} if known is None else known)
    if family != "cis/is" and abs(sample.value - record["value"]) > 1e-6:
        raise UserError(
            f"{path} gives {metric} {sample.value:.6g}, its record {record['value']:.6g}: "
            "restore both from version control, or measure again"
        )
    return sample


def _made(path: Path, metric: str, family: str, known: dict[Path, ModeScores]) -> Sample:
    if metric == JUDGED:
        return of_votes(Verdict.load(path))
    if metric in ("is", "cis"):
        if path not in known:
            known[path] = load_mode_scores(path)
        return of_modes(known[path], family)
    return of_diversity(DiversityResult.load(path))


def _error(record: Record) -> float:
    """A record's standard error, of the longer side of its interval: one may be cut at a limit."""
    interval, value = record["interval"], float(record["value"])
    if not interval:
        return 0.0
    low, high = float(interval["low"]), float(interval["high"])
    if low == high and record["metric"] == DOMAIN_ACCURACY.name:
        # Records of earlier versions took the bootstrap, which has no width where all are right.
        of_all = wilson_share(value, int(record["protocol"]["N"]))
        low, high = of_all.low, of_all.high
    return max(value - low, high - value) / Z95


def _candidates(row: Mapping[str, Any], family: str) -> list[Record]:
    """The records of one network that a family of numbers may be taken from."""
    if family == "diversity":
        return [record for metric, record in row.items() if metric.startswith("diversity-")]
    metric = "cis" if family == "cis/is" else family
    return [row[metric]] if metric in row else []


def _scope(quantity: Quantity) -> tuple[object, ...]:
    """Among which records one way of measuring counts: diversity's extractor serves all tasks,
    classifiers one domain."""
    return () if quantity.family == "diversity" else (quantity.task, quantity.translation)


def _way(record: Record) -> tuple[object, ...]:
    """What two records must share to be compared."""
    protocol = record["protocol"]
    name = None if record["method"] == REAL else protocol.get("protocol")
    return record["metric"], protocol.get("sha256"), name
