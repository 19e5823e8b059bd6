"""Votes as they are read back: by question and rater, with what was preferred."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.study.folder import Design


@dataclass(frozen=True)
class StoredVote:
    """One vote. ``won``: 1 if ``first`` was chosen: the method over the reference, or the right
    answer of a catch trial."""

    question: str
    number: int
    kind: str
    method: str
    input: str
    first: str
    second: str
    rater: int
    first_left: int
    choice: str
    at: int

    @property
    def won(self) -> int:
        return int((self.choice == "left") == bool(self.first_left))


def read_votes(connection: sqlite3.Connection) -> list[StoredVote]:
    """Every vote, by question and rater."""
    rows = connection.execute(
        "SELECT questions.id, number, kind, method, input, first, second, rater, first_left, "
        "choice, at FROM votes JOIN seats ON seats.id = votes.seat "
        "JOIN questions ON questions.id = question ORDER BY number, rater"
    )
    return [StoredVote(*row) for row in rows]


@dataclass(frozen=True)
class RaterRecord:
    """How a rater did on the catch trials, and what the rule says of them."""

    rater: int
    answered: int
    catch_answered: int
    catch_right: int
    excluded: bool


def by_rater(votes: Iterable[StoredVote], design: Design) -> list[RaterRecord]:
    """Every rater who voted, with the exclusion rule applied."""
    counted: dict[int, list[int]] = {}
    for vote in votes:
        counts = counted.setdefault(vote.rater, [0, 0, 0])
        counts[0] += 1
        if vote.kind == "catch":
            counts[1] += 1
            counts[2] += vote.won
    return [
        RaterRecord(rater, answered, catches, right, _fails(catches, right, design))
        for rater, (answered, catches, right) in sorted(counted.items())
    ]


def _fails(answered: int, right: int, design: Design) -> bool:
    if not design.catch:
        return False
    return answered == 0 or right < design.exclude_below * answered - 1e-9
