"""The base classes of kinds of measurement, and the loop that feeds translations to them.

A kind defines its metrics, opens its networks once for all subjects of a task, and requests
translations of a subject. Kinds that request the same translations share one pass over them.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from models.method import Direction
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Measuring
from reproduce.measuring.subject import Pictures, Subject
from reproduce.records.store import Records
from reproduce.training.translate import Translation

Found = dict[str, dict[str, Any]]  # ``key_of`` a record -> the record
Wanted = Mapping[str, Mapping[str, Any]]  # metric -> fields that its record must have


@dataclass(frozen=True)
class Made:
    """One score: the fields of its record, and its raw values as (file name, writer)."""

    told: Mapping[str, Any]
    raw: tuple[str, Callable[[Path], object]] | None = None


@dataclass(frozen=True)
class Looking:
    """A running measurement of one subject. ``update`` receives translations 0 to ``samples`` - 1
    of the first ``inputs`` test pictures, or ``pictures`` if given."""

    finish: Callable[[], Sequence[Made]]
    update: Callable[[str, int, Tensor], object] = lambda name, k, picture: None
    inputs: int = 0
    samples: int = 0
    pictures: Iterable[Translation] | None = None


def key_of(record: Mapping[str, Any]) -> str:
    """Return a record's metric, followed by its direction if it has one."""
    return " ".join(filter(None, (record["metric"], record.get("translation"))))


class Kind(ABC):
    """A kind of measurement of one task's subjects."""

    name: ClassVar[str]
    metrics: ClassVar[frozenset[str]]  # names, or prefixes followed by an extractor's name
    of_runs: ClassVar[frozenset[str]] = frozenset()  # further metrics of trained runs only
    of_real: ClassVar[frozenset[str]] = frozenset()  # further metrics of real pictures only
    may_lack: ClassVar[frozenset[str]] = frozenset()  # metrics that some subjects lack
    batch_size: ClassVar[int] = 32  # of translations

    def __init__(
        self, pictures: Pictures, places: Places, measuring: Measuring,
        direction: Direction | None = None,
    ) -> None:  # fmt: skip
        self.pictures, self.places, self.measuring = pictures, places, measuring
        self.direction = direction
        self.where = {} if direction is None else {"translation": direction}  # fields of records

    @abstractmethod
    def wanted(self, subject: Subject) -> Wanted:
        """Return the records that a measured subject has; {} if this kind does not apply."""

    @abstractmethod
    def measure(self, subjects: Sequence[Subject]) -> dict[str, Found]:
        """Measure all subjects; return their records by name."""

    @classmethod
    def makes(cls, metric: str, real: bool) -> bool:
        """Return whether it measures a metric, of trained runs or of ``real`` pictures."""
        known = cls.metrics | (cls.of_real if real else cls.of_runs)
        return metric in known or metric.partition("-")[0] in known

    def records(self, subject: Subject) -> Records:
        """Return the records made by this kind's present code; new ones contain its digest."""
        return self.places.records(subject.preset, type(self).__module__)

    def recorded(self, subject: Subject, wanted: Wanted) -> Found:
        """Return those of the wanted records that exist."""
        records, found = self.records(subject), Found()
        for metric, told in wanted.items():
            record = records.find(metric=metric, **subject.same, **self.where, **told)
            if record is not None:
                found[metric] = record
        return found

    def raw_name(self, kind: str, subject: Subject, protocol: str = "", tool: str = "") -> str:
        """Return a file name that is unique to a measurement; ``tool``: sha256 of the network that
        measures."""
        about = kind, Path(subject.run.task).name, self.direction, subject.name.replace(" ", "_")
        words = *about, protocol, subject.sha256[:12], tool[:8]
        return "-".join(filter(None, words)) + ".npz"


class OneByOne(Kind):
    """A kind that measures each subject separately."""

    @abstractmethod
    def look(self, subject: Subject) -> Looking:
        """Start to measure a subject."""

    def measure(self, subjects: Sequence[Subject]) -> dict[str, Found]:
        return {subject.name: measure_one([self], subject) for subject in subjects}


def measure(kinds: Sequence[Kind], subjects: Sequence[Subject]) -> dict[str, Found]:
    """Measure ``subjects`` by all ``kinds``; return records by subject name and ``key_of``.
    Existing records of the same subject, made by the same code, are reused."""
    sharing = [kind for kind in kinds if isinstance(kind, OneByOne)]
    found = {subject.name: measure_one(sharing, subject) for subject in subjects}
    for kind in kinds:
        if kind not in sharing:
            for name, of_subject in kind.measure(subjects).items():
                found[name] |= of_subject
    return found


def measure_one(kinds: Sequence[OneByOne], subject: Subject) -> Found:
    """Measure one subject by all ``kinds``; return its records by ``key_of``."""
    found, missing = Found(), list[OneByOne]()
    for kind in kinds:
        wanted = kind.wanted(subject)
        known = kind.recorded(subject, wanted)
        if wanted.keys() - kind.may_lack <= known.keys():
            found |= {key_of(record): record for record in known.values()}
        else:
            missing.append(kind)
    for _, sharing in groupby(sorted(missing, key=_pass), key=_pass):
        found |= _one_pass(list(sharing), subject)
    return found


def _pass(kind: Kind) -> tuple[Direction, int]:
    """Return what kinds must have in common to share a pass."""
    return kind.direction or "a2b", kind.batch_size


def _one_pass(kinds: Sequence[OneByOne], subject: Subject) -> Found:
    begin = time.perf_counter()
    looking = [kind.look(subject) for kind in kinds]
    for one in looking:
        for item in one.pictures or ():
            one.update(*item)
    shared = [one for one in looking if one.pictures is None and one.inputs]
    for number, item in _translations(kinds[0], subject, shared):
        for one in shared:
            if number < one.inputs and item[1] < one.samples:
                one.update(*item)
    made = [one.finish() for one in looking]
    seconds = {"seconds": round((time.perf_counter() - begin) / len(kinds), 2)}
    return {
        key_of(record): record
        for kind, of_kind in zip(kinds, made, strict=True)
        for record in keep(kind, subject, of_kind, seconds)
    }


def keep(
    kind: Kind, subject: Subject, made: Iterable[Made], seconds: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Append records of ``made``; those with raw values include ``seconds``."""
    records, kept, found = kind.records(subject), dict[str, dict[str, str]](), []
    for one in made:
        told = {**subject.facts, **kind.where, **one.told}
        if one.raw is not None:
            name, save = one.raw
            if name not in kept:
                kept[name] = records.keep_raw(name, save)
            told |= {**kept[name], **seconds}
        found.append(records.append(told))
    return found


def _translations(
    kind: Kind, subject: Subject, looking: Sequence[Looking]
) -> Iterator[tuple[int, Translation]]:
    """Yield every requested translation once, with a number: only measurements of more inputs than
    that want it."""
    first, (direction, batch_size) = 0, _pass(kind)
    for end in sorted({one.inputs for one in looking}):
        samples = max(one.samples for one in looking if one.inputs >= end)
        for item in subject.translations(samples, range(first, end), direction, batch_size):
            yield first, item
        first = end
