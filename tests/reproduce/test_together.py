"""Measurements that share one pass over a network's translations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_methods import make
from torch import Tensor

import reproduce.measuring.together
from models.errors import UserError
from models.method import Method
from reproduce.measuring.together import AHEAD, Found, Pending, complete
from reproduce.tasks.pictures import Preparation
from reproduce.training.translate import Translation, stream

FIXED = Preparation(32)


class Pictures:
    """Plain pictures, each of one grey; ``broken``: which cannot be read."""

    part = "whole"

    def __init__(self, count: int, broken: int = -1) -> None:
        self.ids, self._broken = [f"{i:03}" for i in range(count)], broken

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, index: int) -> Any:
        raise AssertionError

    def read(self, index: int) -> Image.Image:
        if index == self._broken:
            raise UserError("000 is damaged")
        return Image.new("RGB", (32, 32), (10 * index, 100, 200 - 10 * index))


def waiting(
    method: Method, inputs: int, samples: int, measure: Callable[[Iterable[Translation]], Any],
    name: str = "x",
) -> Pending:  # fmt: skip
    def record(result: Any, used: Method, seconds: float) -> Found:
        assert used is method and seconds >= 0
        return {name: {"result": result}}

    return Pending(lambda: method, inputs, samples, measure, record)


def kept(translations: Iterable[Translation]) -> dict[tuple[str, int], Tensor]:
    return {(name, k): picture.clone() for name, k, picture in translations}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Any:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_each_measurement_is_given_what_a_stream_of_its_own_would_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method, source, seen = make("munit").eval(), Pictures(7), []

    def counted(*args: Any, **kinds: Any) -> Iterable[Translation]:
        for item in stream(*args, **kinds):
            seen.append(item[:2])
            yield item

    monkeypatch.setattr(reproduce.measuring.together, "stream", counted)
    sizes = {"few": (3, 4), "many": (5, 2), "all": (7, 1)}
    pending = [waiting(method, *size, kept, name) for name, size in sizes.items()]
    found = complete([{"known": {}}, *pending], source, FIXED, seed=3)
    assert found[0] == {"known": {}}
    assert len(seen) == len(set(seen)) == 3 * 4 + 2 * 2 + 2 * 1, "none is translated twice"
    for (name, (inputs, samples)), made in zip(sizes.items(), found[1:], strict=True):
        own = kept(stream(method, source, FIXED, samples=samples, inputs=inputs, seed=3))
        given = made[name]["result"]
        assert list(given) == list(own), "and in the same order"
        for key, picture in own.items():
            torch.testing.assert_close(given[key], picture, rtol=0, atol=1e-5)


def test_what_is_known_needs_no_network() -> None:
    assert complete([{"a": {}}, {}], Pictures(1), FIXED, seed=0) == [{"a": {}}, {}]
    assert complete([], Pictures(1), FIXED, seed=0) == []


def test_more_translations_than_may_wait() -> None:
    method, count = make("unit").eval(), 3 * AHEAD
    (found,) = complete(
        [waiting(method, 1, count, lambda items: sum(1 for _ in items))], Pictures(1), FIXED, 0
    )
    assert found["x"]["result"] == count


@pytest.mark.parametrize("after", [0, 5])
def test_a_measurement_that_fails_ends_all(after: int) -> None:
    method = make("unit").eval()

    def fails(items: Iterable[Translation]) -> None:
        for number, _ in enumerate(items):
            if number == after:
                raise UserError("out of range")

    pending = [waiting(method, 4, 100, kept), waiting(method, 4, 100, fails)]
    with pytest.raises(UserError, match="out of range"):
        complete(pending, Pictures(4), FIXED, 0)


def test_a_measurement_that_has_enough_holds_no_other_up() -> None:
    method = make("unit").eval()
    pending = [waiting(method, 4, 100, lambda _: "nothing"), waiting(method, 4, 100, kept)]
    first, second = complete(pending, Pictures(4), FIXED, 0)
    assert first["x"]["result"] == "nothing" and len(second["x"]["result"]) == 400


def test_a_translation_that_fails_ends_all() -> None:
    method = make("unit").eval()
    pending = [waiting(method, 4, 2, kept), waiting(method, 3, 2, kept)]
    with pytest.raises(UserError, match="000 is damaged"):
        complete(pending, Pictures(4, broken=2), FIXED, 0)


def test_too_few_pictures_are_said() -> None:
    method = make("unit").eval()
    with pytest.raises(UserError, match="9 test inputs are asked for, 4 exist"):
        complete([waiting(method, 9, 2, kept)], Pictures(4), FIXED, 0)
