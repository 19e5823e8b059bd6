"""Raters' sessions: assignment of questions, progress, and votes.

All functions take a database connection within a transaction; times are milliseconds since 1970.
Seats are assigned round by round, so every question gets its first vote before any gets a second. A
session holds no input twice if enough inputs are free.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from benchmarks.study.folder import Design, Study, counted, hashed
from benchmarks.study.store import rater_of
from benchmarks.study.web import Refused

Side = Literal["left", "right"]
T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """The current time; a rater last seen before ``gone_before`` counts as gone."""

    now: int
    gone_before: int


@dataclass(frozen=True)
class Identity:
    """A rater as identified by the recruiting platform. ``visit`` is the part that outsiders cannot
    guess: MTurk's assignment, Prolific's session, or a random number stored by the rater's browser.
    ``several``: a rater may have several visits."""

    platform: Literal["mturk", "prolific", "link"]
    name: str
    visit: str
    several: bool


def open_session(connection: sqlite3.Connection, study: Study, who: Identity, when: Moment) -> int:
    """Open or resume the session of ``who``; returns its id. Questions that gone raters left
    unanswered are reassigned, but only if no other seat is free. Raises Refused if the name is
    taken or no question is left."""
    rater = rater_of(connection, who.platform, who.name)
    sessions = dict(
        connection.execute("SELECT visit, id FROM sessions WHERE rater = ?", (rater,)).fetchall()
    )
    if who.visit in sessions:
        session = int(sessions[who.visit])
        resume(connection, session, when)
        return session
    if sessions and not who.several:
        raise Refused(403, "This name is in use in another browser. Please continue there.")

    design = study.design
    seats = _claim(connection, rater, design.real_per_session, [], when)
    if not seats:
        raise Refused(409, "There are no questions left for you right now. Thank you!")
    session = connection.execute(
        "INSERT INTO sessions (rater, visit, planned, begun, seen) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (rater, who.visit, len(seats), when.now, when.now),
    ).fetchone()[0]
    connection.execute(
        "UPDATE sessions SET token = ? WHERE id = ?",
        (hashed(study.session_token(session)), session),
    )
    draws = counted(design.seed, "session", session)
    catches = _catch_seats(connection, design, rater, len(seats))
    _give(connection, _interleaved(seats, catches, draws), rater, session, 0)
    return session


def find_session(connection: sqlite3.Connection, token: str) -> int:
    """Return the session with ``token``; raises Refused if there is none."""
    row = connection.execute("SELECT id FROM sessions WHERE token = ?", (hashed(token),)).fetchone()
    if row is None:
        raise Refused(401, "Your session was not found. Please open your link again.")
    return int(row[0])


def resume(connection: sqlite3.Connection, session: int, when: Moment) -> None:
    """Record that the rater is active, and replace questions that were reassigned meanwhile. A
    session with no question left is finished permanently."""
    connection.execute("UPDATE sessions SET seen = ? WHERE id = ?", (when.now, session))
    rater, planned, finished = connection.execute(
        "SELECT rater, planned, finished FROM sessions WHERE id = ?", (session,)
    ).fetchone()
    if finished is not None:
        return
    kept = connection.execute(
        "SELECT input, turn, kind FROM seats JOIN questions ON questions.id = question "
        "WHERE session = ?",
        (session,),
    ).fetchall()
    inputs = [name for name, _, kind in kept if kind == "real"]
    if planned > len(inputs):
        seats = _claim(connection, rater, planned - len(inputs), inputs, when)
        turn = 1 + max((turn for _, turn, _ in kept), default=-1)
        _give(connection, seats, rater, session, turn)
    if not _open(connection, session):
        connection.execute("UPDATE sessions SET finished = ? WHERE id = ?", (when.now, session))


def vote(
    connection: sqlite3.Connection, session: int, question: str, choice: Side, when: Moment
) -> None:
    """Store a vote. Repeating it changes nothing. Raises Refused for a different choice, and for
    any question that is not the session's."""
    row = connection.execute(
        "SELECT seats.id, votes.choice FROM seats LEFT JOIN votes ON votes.seat = seats.id "
        "WHERE seats.session = ? AND seats.question = ?",
        (session, question),
    ).fetchone()
    if row is None:
        raise Refused(404, "This question is not one of yours.")
    seat, before = row
    if before is None:
        connection.execute("INSERT INTO votes VALUES (?, ?, ?)", (seat, choice, when.now))
        if _open(connection, session):
            connection.execute("UPDATE sessions SET seen = ? WHERE id = ?", (when.now, session))
        else:
            resume(connection, session, when)
    elif before != choice:
        raise Refused(409, "You have already answered this question.")


def state(connection: sqlite3.Connection, study: Study, session: int) -> dict[str, Any]:
    """Return the state that the rater's page shows: progress, questions, and finally the code.
    ``question`` and ``next`` hold picture ids, nothing that reveals a method."""
    total, done = connection.execute(
        "SELECT count(*), count(votes.seat) FROM seats LEFT JOIN votes ON votes.seat = seats.id "
        "WHERE session = ?",
        (session,),
    ).fetchone()
    coming = connection.execute(
        "SELECT questions.id, input_picture, first_picture, second_picture, first_left "
        "FROM seats JOIN questions ON questions.id = seats.question "
        "LEFT JOIN votes ON votes.seat = seats.id "
        "WHERE session = ? AND votes.seat IS NULL ORDER BY turn LIMIT 2",
        (session,),
    ).fetchall()
    shown = [
        {"id": name, "input": above, "left": first if on_left else second,
         "right": second if on_left else first}
        for name, above, first, second, on_left in coming
    ]  # fmt: skip
    code = None
    if not shown:
        identity = connection.execute(
            "SELECT platform, name, visit FROM sessions JOIN raters ON raters.id = rater "
            "WHERE sessions.id = ?",
            (session,),
        ).fetchone()
        code = study.code(*identity)
    return {
        "done": done,
        "total": total,
        "question": shown[0] if shown else None,
        "next": shown[1] if len(shown) > 1 else None,
        "code": code,
    }


def _open(connection: sqlite3.Connection, session: int) -> bool:
    """Return whether any question is unanswered."""
    found = connection.execute(
        "SELECT 1 FROM seats WHERE session = ? AND id NOT IN (SELECT seat FROM votes) LIMIT 1",
        (session,),
    ).fetchone()
    return found is not None


def _claim(
    connection: sqlite3.Connection, rater: int, wanted: int, inputs: list[str], when: Moment
) -> list[int]:
    """Return up to ``wanted`` free seats, in order, on questions new to the rater."""
    chosen = _choose(connection, rater, wanted, inputs)
    if len(chosen) == wanted:
        return chosen
    connection.execute(
        "UPDATE seats SET session = NULL, rater = NULL, turn = NULL WHERE position IS NOT NULL "
        "AND session IN (SELECT id FROM sessions WHERE finished IS NULL AND seen < ?) "
        "AND NOT EXISTS (SELECT 1 FROM votes WHERE votes.seat = seats.id)",
        (when.gone_before,),
    )
    return _choose(connection, rater, wanted, inputs)


def _choose(
    connection: sqlite3.Connection, rater: int, wanted: int, inputs: list[str]
) -> list[int]:
    free = connection.execute(
        # The index provides the order; by default, SQLite would sort all free seats.
        "SELECT seats.id, question, input FROM seats INDEXED BY free_seats "
        "JOIN questions ON questions.id = question "
        "WHERE session IS NULL AND position IS NOT NULL AND question NOT IN "
        "(SELECT question FROM seats WHERE rater = ?) ORDER BY position",
        (rater,),
    )
    chosen = different_inputs(free, wanted, inputs)
    free.close()
    return chosen


def different_inputs(
    free: Iterable[tuple[T, str, str]], wanted: int, seen: Iterable[str] = ()
) -> list[T]:
    """Return the first ``wanted`` of the ``free`` seats, given with their questions and inputs, on
    different inputs that were not ``seen``; if these are too few, also others, on different
    questions. Reads no further than is needed."""
    chosen, met, later = dict[str, T](), set(seen), list[tuple[str, T]]()
    for seat, question, name in free:
        if name in met:
            later.append((question, seat))
        else:
            met.add(name)
            chosen[question] = seat
        if len(chosen) == wanted:
            break
    for question, seat in later:  # repeating an input is better than leaving a question unasked
        if len(chosen) < wanted:
            chosen.setdefault(question, seat)
    return list(chosen.values())


def _catch_seats(
    connection: sqlite3.Connection, design: Design, rater: int, real: int
) -> list[int]:
    """Create seats on the least used catch trials, in proportion to ``real`` questions."""
    share = design.catches_per_session / design.real_per_session
    wanted = min(design.catches_per_session, max(1, round(real * share))) if share else 0
    used = connection.execute(
        "SELECT questions.id, number, count(seats.id) FROM questions "
        "LEFT JOIN seats ON seats.question = questions.id WHERE kind = 'catch' "
        "AND questions.id NOT IN (SELECT question FROM seats WHERE rater = ?) "
        "GROUP BY questions.id ORDER BY count(seats.id), number LIMIT ?",
        (rater, wanted),
    ).fetchall()
    insert = "INSERT INTO seats (question, seat, first_left) VALUES (?, ?, ?) RETURNING id"
    # The side alternates over the seats of a trial; the first is random.
    sided = [(q, seat, (first_side(design.seed, number) + seat) % 2) for q, number, seat in used]
    return [connection.execute(insert, row).fetchone()[0] for row in sided]


def first_side(seed: int, number: int) -> int:
    """Return 1 if seat 0 of question ``number`` shows ``first`` on the left; seats alternate."""
    return int(counted(seed, "side", number).integers(2))


def _interleaved(seats: list[int], catches: list[int], draws: np.random.Generator) -> list[int]:
    """Return real questions in random order, with one catch trial in each equal part."""
    order = [seats[k] for k in draws.permutation(len(seats))]
    parts = np.array_split(np.array(order), max(1, len(catches)))
    mixed: list[int] = []
    for k, part in enumerate(parts):
        row = part.tolist()
        for catch in catches[k : k + 1]:
            row.insert(int(draws.integers(len(row) + 1)), catch)
        mixed += row
    return mixed


def _give(
    connection: sqlite3.Connection, seats: Iterable[int], rater: int, session: int, turn: int
) -> None:
    connection.executemany(
        "UPDATE seats SET rater = ?, session = ?, turn = ? WHERE id = ?",
        [(rater, session, turn + k, seat) for k, seat in enumerate(seats)],
    )
