"""Raters of one study, without a server between."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator

import numpy as np
from study_case import hexed

from benchmarks.study.folder import Study
from benchmarks.study.sessions import Identity, Moment, open_session, state, vote
from benchmarks.study.store import transaction
from benchmarks.study.web import Refused

HOUR = 3_600_000
Taste = Callable[[str, str], bool]
"""Kind and method of a question: whether ``first`` is chosen."""


def at(hours: float) -> Moment:
    """A time, with raters gone after one hour of silence."""
    now = 1_000 * HOUR + round(hours * HOUR)
    return Moment(now, now - HOUR)


class People:
    """Raters, by their sessions."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.connection = sqlite3.connect(study.database, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here

    def join(self, who: Identity | str, hours: float = 0) -> int:
        who = Identity("link", who, hexed(who), several=False) if isinstance(who, str) else who
        with transaction(self.connection):
            return open_session(self.connection, self.study, who, at(hours))

    def exhaust(self, name: Callable[[int], Identity | str], hours: float = 0) -> Iterator[int]:
        """Answer session after session, of raters called ``name(0)``, ``name(1)``, ..., until the
        study refuses; how many there were, after each."""
        for k in itertools.count():
            try:
                session = self.join(name(k), hours)
            except Refused:
                return
            self.answer(session, hours=hours)
            yield k + 1

    def state(self, session: int) -> dict:
        return state(self.connection, self.study, session)

    def answer(
        self, session: int, count: int = 1000, hours: float = 0, taste: Taste | None = None
    ) -> int:
        """Answer up to ``count`` questions, by default with "left"; how many there were."""
        for done in range(count):
            question = self.state(session)["question"]
            if question is None:
                return done
            side = "left"
            if taste is not None:
                ((kind, method, first),) = self.connection.execute(
                    "SELECT kind, method, first_picture FROM questions WHERE id = ?",
                    (question["id"],),
                )
                side = "left" if taste(kind, method) == (question["left"] == first) else "right"
            with transaction(self.connection):
                vote(self.connection, session, question["id"], side, at(hours))
        return count


def honest(shares: dict[str, float]) -> Taste:
    """Prefers each method with its share, and is never wrong on a catch trial."""
    draws = np.random.default_rng(0)
    return lambda kind, method: kind == "catch" or draws.random() < shares[method]


def simulate(study: Study, names: list[str], taste: Taste, count: int = 1000) -> None:
    """Let each rater answer a session, or its first ``count`` questions, while there are any."""
    people = People(study)
    for name in names:
        try:
            session = people.join(name)
        except Refused:
            return
        people.answer(session, count, taste=taste)
