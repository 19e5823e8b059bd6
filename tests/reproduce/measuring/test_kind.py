"""Kinds of measurements that share one pass over a network's translations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_methods import make
from torch import Tensor

from benchmarks.pictures import as_saved
from models.errors import UserError
from models.method import Method
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted, measure_one
from reproduce.measuring.subject import Pictures, Subject
from reproduce.records.store import Records
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains
from reproduce.training.single_pictures import LazySource
from reproduce.training.translate import stream

PRESET = load_preset("quick")
FIXED = Preparation(32)


def greys(count: int, broken: int = -1) -> LazySource:
    """Plain pictures, each of one grey; ``broken``: which cannot be read."""

    def draw(index: int) -> NDArray[np.uint8]:
        if index == broken:
            raise UserError("000 is damaged")
        return np.full((32, 32, 3), (10 * index, 100, 200 - 10 * index), np.uint8)

    return LazySource(Path("greys"), count, draw)


class Keeps(OneByOne):
    """Keeps what it is given; its record says how much that was."""

    name = "keeps"

    def __init__(self, pictures: Pictures, places: Places, inputs: int, samples: int) -> None:
        super().__init__(pictures, places, PRESET.measure)
        self.inputs, self.samples, self.seen = inputs, samples, dict[tuple[str, int], Tensor]()
        self.metric = f"kept-{inputs}x{samples}"

    def records(self, subject: Subject) -> Records:
        return self.places.records(PRESET)

    def wanted(self, subject: Subject) -> Wanted:
        return {self.metric: {"protocol__N": self.inputs}}

    def look(self, subject: Subject) -> Looking:
        def finish() -> Sequence[Made]:
            told = {"metric": self.metric, "value": len(self.seen), "protocol": {"N": self.inputs}}
            return [Made(told)]

        return Looking(finish, self.update, self.inputs, self.samples)

    def update(self, name: str, k: int, picture: Tensor) -> None:
        assert (name, k) not in self.seen
        self.seen[name, k] = picture.clone()


def subject_of(method: Method, source: LazySource, places: Places) -> Subject:
    run = PRESET.make_run("munit", "drawn-shoes", 3)
    domains = Domains("greys", places.data, source, source, source, source)
    subject = Subject(PRESET, run, places, Pictures(run, domains, "0" * 64))
    # A frozen subject keeps what it found out once; here it is told.
    subject.__dict__.update(method=method, sha256="1" * 64)
    return subject


def test_each_kind_is_given_what_a_stream_of_its_own_would_give_and_nothing_is_made_twice(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def counted(*args: Any, **kinds: Any) -> Any:
        for item in stream(*args, **kinds):
            seen.append(item[:2])
            yield item

    monkeypatch.setattr("reproduce.measuring.subject.stream", counted)
    method, source = make("munit").eval(), greys(7)
    subject = subject_of(method, source, places)
    kinds = [Keeps(subject.pictures, places, *size) for size in ((3, 4), (5, 2), (7, 1))]
    found = measure_one(kinds, subject)
    assert {r["value"] for r in found.values()} == {12, 10, 7}
    assert len(seen) == len(set(seen)) == 3 * 4 + 2 * 2 + 2 * 1
    for kind in kinds:
        asked = {"samples": kind.samples, "inputs": kind.inputs, "seed": subject.run.seed}
        own = stream(method, source, FIXED, **asked)
        for (key, given), (name, k, picture) in zip(kind.seen.items(), own, strict=True):
            assert key == (name, k), "and in the same order"
            torch.testing.assert_close(given, picture, rtol=0, atol=0.5 / 127.5 + 1e-5)
            assert torch.equal(given, as_saved(given[None])[0]), "and as a PNG file holds it"


@pytest.fixture
def subject(places: Places) -> Subject:
    return subject_of(make("unit").eval(), greys(4), places)


def test_what_is_on_record_is_not_measured_again(subject: Subject, places: Places) -> None:
    first = measure_one([Keeps(subject.pictures, places, 4, 2)], subject)
    other = Keeps(subject.pictures, places, 3, 1)
    again = Keeps(subject.pictures, places, 4, 2)
    found = measure_one([again, other], subject)
    assert not again.seen and len(other.seen) == 3
    assert found["kept-4x2"] == first["kept-4x2"]


def test_a_kind_that_fails_ends_all_and_records_nothing(subject: Subject, places: Places) -> None:
    kinds = [Keeps(subject.pictures, places, 4, 2), Keeps(subject.pictures, places, 3, 2)]

    def fails(name: str, k: int, picture: Tensor) -> None:
        raise UserError("out of range")

    kinds[1].update = fails  # type: ignore[method-assign]
    with pytest.raises(UserError, match="out of range"):
        measure_one(kinds, subject)
    assert not places.results.exists()


@pytest.mark.parametrize(
    ("source", "inputs", "said"),
    [(greys(4, broken=2), 4, "000 is damaged"), (greys(4), 9, "9 test inputs are asked for, 4")],
)
def test_pictures_that_fail_are_said(source, inputs, said, places):
    subject = subject_of(make("unit").eval(), source, places)
    with pytest.raises(UserError, match=said):
        measure_one([Keeps(subject.pictures, places, inputs, 2)], subject)


def test_a_diverged_network_is_refused(subject: Subject, places: Places) -> None:
    with torch.no_grad():
        for parameter in subject.method.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(UserError, match="is not finite: the checkpoint's training diverged"):
        measure_one([Keeps(subject.pictures, places, 2, 1)], subject)
