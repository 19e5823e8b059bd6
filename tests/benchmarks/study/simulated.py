"""Raters of known preference, without a server between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from study_client import hexed

from benchmarks.study.folder import Study
from benchmarks.study.sessions import Identity, Moment, open_session, state, vote
from benchmarks.study.store import transaction
from benchmarks.study.web import Refused

NOW = Moment(1_700_000_000_000, 1_699_999_000_000)
Taste = Callable[[str, str, np.random.Generator], bool]
"""Kind and method of a question, and draws: whether ``first`` is chosen."""


def honest(shares: dict[str, float]) -> Taste:
    """Prefers each method with its share, and is never wrong on a catch trial."""
    return lambda kind, method, draws: kind == "catch" or draws.random() < shares[method]


def simulate(study: Study, tastes: dict[str, Taste], *, only: int | None = None) -> None:
    """Let each rater (a name and a taste) answer a session, or ``only`` its first questions."""
    with study.connect() as connection, transaction(connection):
        for name, taste in tastes.items():
            draws = np.random.default_rng(list(name.encode()))
            try:
                who = Identity("link", name, hexed(name), several=False)
                session = open_session(connection, study, who, NOW)
            except Refused:
                return
            answered = 0
            while (question := state(connection, study, session)["question"]) and answered != only:
                kind, method, first = connection.execute(
                    "SELECT kind, method, first_picture FROM questions WHERE id = ?",
                    (question["id"],),
                ).fetchone()
                on_left = question["left"] == first
                side = "left" if taste(kind, method, draws) == on_left else "right"
                vote(connection, session, question["id"], side, NOW)
                answered += 1
