"""Which questions are asked: drawn by seed from the names of inputs and samples alone.

Every draw has an address (seed, role, name), so adding a method changes no other's questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import UserError

Samples = Mapping[str, Sequence[str]]  # input id -> ids of its translations by one method


@dataclass(frozen=True)
class Drawn:
    """One question: an input, a translation of it by ``method``, and one by the reference."""

    method: str
    input: str
    first: str
    second: str


def counted(seed: int, *address: str | int) -> np.random.Generator:
    """A fresh generator for ``address``; distinct addresses give unrelated draws."""
    text = "/".join(map(repr, (seed, *address)))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def draw_questions(
    method: str, samples: Samples, reference: Samples, count: int, seed: int
) -> list[Drawn]:
    """``count`` different questions on ``method`` against the reference.

    Inputs are used equally often; a further question on an input takes another pair of samples.
    Raises UserError where there are not so many.
    """
    inputs = sorted(reference)
    pairs = {name: len(samples[name]) * len(reference[name]) for name in inputs}
    if count > sum(pairs.values()):
        raise UserError(
            f"{count} questions on {method} cannot be drawn: its translations and the "
            f"reference's make {sum(pairs.values())} pairs; ask fewer --questions, or translate "
            "more inputs or samples"
        )
    draws = counted(seed, "questions", method)
    orders = {name: draws.permutation(pairs[name]).tolist() for name in inputs}
    drawn: list[Drawn] = []
    while len(drawn) < count:
        for k in draws.permutation(len(inputs)).tolist():
            name = inputs[k]
            if orders[name] and len(drawn) < count:
                one, other = divmod(orders[name].pop(), len(reference[name]))
                drawn.append(Drawn(method, name, samples[name][one], reference[name][other]))
    return drawn


def seat_order(counts: Mapping[str, int], raters: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """The order in which seats are given out: (method, index of its question, seat).

    Round by round; within a round the methods take turns, so that a session meets all of them.
    """
    for seat in range(raters):
        orders = {
            method: counted(seed, "order", method, seat).permutation(count).tolist()
            for method, count in sorted(counts.items())
        }
        turns = counted(seed, "turns", seat)
        while orders:
            methods = sorted(orders)
            for k in turns.permutation(len(methods)).tolist():
                yield methods[k], orders[methods[k]].pop(), seat
            orders = {method: order for method, order in orders.items() if order}
