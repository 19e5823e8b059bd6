"""What a kind of measurement is, and the one loop in which all kinds look at translations.

A kind knows its metrics, opens its instruments once for all subjects of a task, and says which
translations of a subject it wants to see. Kinds that want the same ones share a pass over them.
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
Wanted = Mapping[str, Mapping[str, Any]]  # metric -> what its record must say beside its subject


@dataclass(frozen=True)
class Made:
    """One number: what its record tells, and its raw values: a file's name and what writes it."""

    told: Mapping[str, Any]
    raw: tuple[str, Callable[[Path], object]] | None = None


@dataclass(frozen=True)
class Looking:
    """A measurement of one subject under way: it is given translations 0 to ``samples`` - 1 of the
    first ``inputs`` test pictures, or the ``pictures`` that it names."""

    finish: Callable[[], Sequence[Made]]
    update: Callable[[str, int, Tensor], object] = lambda name, k, picture: None
    inputs: int = 0
    samples: int = 0
    pictures: Iterable[Translation] | None = None


def key_of(record: Mapping[str, Any]) -> str:
    """A record's metric, with the direction where it tells one."""
    return " ".join(filter(None, (record["metric"], record.get("translation"))))


class Kind(ABC):
    """A kind of measurement of one task's subjects."""

    name: ClassVar[str]
    metrics: ClassVar[frozenset[str]]  # by name, or families whose names go on with an extractor's
    of_runs: ClassVar[frozenset[str]] = frozenset()  # more, of trained runs alone
    of_real: ClassVar[frozenset[str]] = frozenset()  # more, of real pictures alone
    may_lack: ClassVar[frozenset[str]] = frozenset()  # not every measured subject has these
    batch_size: ClassVar[int] = 32  # of translations

    def __init__(
        self, pictures: Pictures, places: Places, measuring: Measuring,
        direction: Direction | None = None,
    ) -> None:  # fmt: skip
        self.pictures, self.places, self.measuring = pictures, places, measuring
        self.direction = direction
        self.where = {} if direction is None else {"translation": direction}  # told by its records

    @abstractmethod
    def wanted(self, subject: Subject) -> Wanted:
        """The records that a measured subject has; none where this kind says nothing of it."""

    @abstractmethod
    def measure(self, subjects: Sequence[Subject]) -> dict[str, Found]:
        """Of each subject, by name, the records."""

    @classmethod
    def makes(cls, metric: str, real: bool) -> bool:
        """Whether it measures a metric, of trained runs or of ``real`` pictures."""
        known = cls.metrics | (cls.of_real if real else cls.of_runs)
        return metric in known or metric.partition("-")[0] in known

    def records(self, subject: Subject) -> Records:
        """Those that this kind's code, as it is, made; new ones name it."""
        return self.places.records(subject.preset, type(self).__module__)

    def recorded(self, subject: Subject, wanted: Wanted) -> Found:
        """Of what is wanted, what is on record."""
        records, found = self.records(subject), Found()
        for metric, told in wanted.items():
            record = records.find(metric=metric, **subject.same, **self.where, **told)
            if record is not None:
                found[metric] = record
        return found

    def raw_name(self, kind: str, subject: Subject, protocol: str = "", tool: str = "") -> str:
        """A file's name that no other measurement takes; ``tool``: a sha256 of what it was
        measured by."""
        about = kind, Path(subject.run.task).name, self.direction, subject.name.replace(" ", "_")
        words = *about, protocol, subject.sha256[:12], tool[:8]
        return "-".join(filter(None, words)) + ".npz"


class OneByOne(Kind):
    """A kind that looks at each subject alone."""

    @abstractmethod
    def look(self, subject: Subject) -> Looking:
        """Begin to measure a subject."""

    def measure(self, subjects: Sequence[Subject]) -> dict[str, Found]:
        return {subject.name: measure_one([self], subject) for subject in subjects}


def measure(kinds: Sequence[Kind], subjects: Sequence[Subject]) -> dict[str, Found]:
    """The records of all ``kinds``, by ``key_of``, of each of the ``subjects``, by name; what has a
    record of this very subject, made by this code, is not measured again."""
    sharing = [kind for kind in kinds if isinstance(kind, OneByOne)]
    found = {subject.name: measure_one(sharing, subject) for subject in subjects}
    for kind in kinds:
        if kind not in sharing:
            for name, of_subject in kind.measure(subjects).items():
                found[name] |= of_subject
    return found


def measure_one(kinds: Sequence[OneByOne], subject: Subject) -> Found:
    """The same of one subject."""
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
    """What kinds that share a pass have in common."""
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
    """Record what was measured; the seconds where raw values are."""
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
    """Every translation that somebody wants, once, with a number below which those want its input
    who want more inputs than that."""
    first, (direction, batch_size) = 0, _pass(kind)
    for end in sorted({one.inputs for one in looking}):
        samples = max(one.samples for one in looking if one.inputs >= end)
        for item in subject.translations(samples, range(first, end), direction, batch_size):
            yield first, item
        first = end
