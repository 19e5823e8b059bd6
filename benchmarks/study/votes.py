"""Reading votes: exclusion of raters, CSV files, and the study's progress.

Votes name raters by pseudonyms. Their ids on the recruiting platform are only in the file of
raters, which is personal data and must not be published.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.files import comma_separated, write_text
from benchmarks.study.folder import Design, Study
from benchmarks.study.store import transaction

VOTE_COLUMNS = (
    "question", "kind", "method", "reference", "input", "method_sample", "reference_sample",
    "rater", "method_side", "choice", "preferred", "excluded", "time",
)  # fmt: skip
RATER_COLUMNS = (
    "rater", "platform", "name", "visit", "votes", "catch_right", "catch_answered", "excluded",
    "finished", "code",
)  # fmt: skip


@dataclass(frozen=True)
class StoredVote:
    """One vote. ``won``: 1 if ``first`` was chosen, i.e. the method over the reference, or the
    right answer of a catch trial."""

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
    """Return all votes, sorted by question and rater."""
    rows = connection.execute(
        "SELECT questions.id, number, kind, method, input, first, second, rater, first_left, "
        "choice, at FROM votes JOIN seats ON seats.id = votes.seat "
        "JOIN questions ON questions.id = question ORDER BY number, rater"
    )
    return [StoredVote(*row) for row in rows]


@dataclass
class RaterRecord:
    """A rater's results in catch trials."""

    rater: int
    design: Design
    answered: int = 0
    catch_answered: int = 0
    catch_right: int = 0

    @property
    def name(self) -> str:
        """The rater's pseudonym in files and tables."""
        return f"r{self.rater:04d}"

    @property
    def excluded(self) -> bool:
        """Whether the study's rule excludes the rater; False before the first vote."""
        if not self.design.catch or not self.answered:
            return False
        least = self.design.exclude_below * self.catch_answered - 1e-9
        return self.catch_answered == 0 or self.catch_right < least


def by_rater(votes: Iterable[StoredVote], design: Design) -> dict[int, RaterRecord]:
    """Return the records of all raters who voted, by id."""
    found: dict[int, RaterRecord] = {}
    for vote in votes:
        record = found.setdefault(vote.rater, RaterRecord(vote.rater, design))
        record.answered += 1
        if vote.kind == "catch":
            record.catch_answered += 1
            record.catch_right += vote.won
    return dict(sorted(found.items()))


def export_votes(study: Study, path: Path) -> int:
    """Write one row per vote, sorted by question and rater; returns the number of votes. For a
    catch trial, the method and its sample are "catch" and "right", the reference's sample states
    how the wrong answer was made, and ``preferred`` is "right" or "wrong"."""
    with study.connect() as connection:
        votes = read_votes(connection)
    raters = by_rater(votes, study.design)
    rows = []
    for vote in votes:
        real, rater = vote.kind == "real", raters[vote.rater]
        names = ("reference", "method") if real else ("wrong", "right")
        rows.append(
            (
                vote.question, vote.kind, vote.method, study.design.reference if real else "",
                vote.input, vote.first, vote.second, rater.name,
                "left" if vote.first_left else "right", vote.choice, names[vote.won],
                int(rater.excluded), _iso(vote.at),
            )
        )  # fmt: skip
    write_text(path, comma_separated(VOTE_COLUMNS, rows))
    return len(rows)


def sessions_of(connection: sqlite3.Connection, study: Study) -> list[dict[str, Any]]:
    """Return every session with its rater and their ``record``. Times are in milliseconds."""
    records = by_rater(read_votes(connection), study.design)
    rows = connection.execute(
        "SELECT sessions.id AS session, raters.id AS rater, platform, name, visit, begun, seen, "
        "finished, count(votes.seat) AS answered, count(seats.id) AS given "
        "FROM sessions JOIN raters ON raters.id = sessions.rater LEFT JOIN seats ON seats.session = sessions.id LEFT JOIN votes ON votes.seat = seats.id "
        "GROUP BY sessions.id ORDER BY sessions.id"
    )
    columns = [told[0] for told in rows.description]
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    for one in found:
        one["record"] = records.get(one["rater"]) or RaterRecord(one["rater"], study.design)
        words = one["platform"], one["name"], one["visit"]
        one["code"] = study.code(*words) if one["finished"] else None
    return found


def export_raters(study: Study, path: Path) -> int:
    """Write one row per session, with the completion code for payment; returns their number."""
    with study.connect() as connection:
        sessions = sessions_of(connection, study)
    rows = [
        (
            one["record"].name, one["platform"], one["name"], one["visit"], one["answered"],
            one["record"].catch_right, one["record"].catch_answered, int(one["record"].excluded),
            _iso(one["finished"]) if one["finished"] else "", one["code"] or "",
        )
        for one in sessions
    ]  # fmt: skip
    write_text(path, comma_separated(RATER_COLUMNS, rows))
    return len(rows)


def overview(connection: sqlite3.Connection, study: Study, gone_before: int) -> dict[str, Any]:
    """Return the study's progress and the catch trials as JSON values. Only counts: seeing
    preferences while votes come in would tempt experimenters to stop at a good moment."""
    votes, design = read_votes(connection), study.design
    done = Counter(vote.method for vote in votes if vote.kind == "real")
    sessions = []
    for one in sorted(sessions_of(connection, study), key=lambda one: -one["seen"]):
        gone = "gone" if one["seen"] < gone_before else "answering"
        record = one["record"]
        sessions.append(
            {key: one[key] for key in ("session", "platform", "name", "answered", "given", "code")}
            | {
                "rater": record.name,
                "state": "finished" if one["finished"] else gone,
                "minutes": round((one["seen"] - one["begun"]) / 60000, 1),
                "catch_right": record.catch_right,
                "catch_answered": record.catch_answered,
                "excluded": record.excluded,
            }
        )
    wanted = design.questions * design.raters
    return {
        "title": study.settings.title,
        "rule": design.rule,
        "reference": design.reference,
        "methods": [{"method": m, "votes": done[m], "wanted": wanted} for m in design.methods],
        "left": sum(vote.choice == "left" for vote in votes),
        "votes": len(votes),
        "sessions": sessions,
    }


def reopen(study: Study) -> int:
    """Add a seat for every vote that the exclusion rule discards, so that every question reaches
    its number of raters; returns the number added. Repeated calls replace newly discarded votes.
    The study may be served meanwhile; the next raters get the new seats. Unfinished raters are
    skipped."""
    added = 0
    with study.connect() as connection, transaction(connection):
        votes = read_votes(connection)
        unfinished = connection.execute("SELECT rater FROM sessions WHERE finished IS NULL")
        raters = by_rater(votes, study.design).values()
        out = {of.rater for of in raters if of.excluded} - {row[0] for row in unfinished}
        discarded = Counter(v.question for v in votes if v.kind == "real" and v.rater in out)
        last = connection.execute("SELECT max(position) FROM seats").fetchone()[0]
        for question, count in sorted(discarded.items()):
            # Seats without a position belong to imported votes or catch trials.
            have, highest, side = connection.execute(
                "SELECT count(position), max(seat), max(CASE WHEN seat = 0 THEN first_left END) "
                "FROM seats WHERE question = ?",
                (question,),
            ).fetchone()
            for _ in range(study.design.raters + count - have):
                highest, last, added = highest + 1, last + 1, added + 1
                connection.execute(
                    "INSERT INTO seats (question, seat, position, first_left) VALUES (?, ?, ?, ?)",
                    (question, highest, last, (side + highest) % 2),
                )
    return added


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
