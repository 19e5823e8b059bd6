"""Raw votes and raters as CSV.

Votes name raters by pseudonyms; who they are on the recruiting platform is in the file of
raters, which is personal data and never part of what is published.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.files import comma_separated, write_text
from benchmarks.study.folder import Study
from benchmarks.study.votes import by_rater, read_votes

VOTE_COLUMNS = (
    "question", "kind", "method", "reference", "input", "method_sample", "reference_sample",
    "rater", "method_side", "choice", "preferred", "excluded", "time",
)  # fmt: skip
RATER_COLUMNS = (
    "rater", "platform", "name", "visit", "votes", "catch_right", "catch_answered", "excluded",
    "finished", "code",
)  # fmt: skip


def pseudonym(rater: int) -> str:
    """How files and tables name a rater."""
    return f"r{rater:04d}"


def export_votes(study: Study, path: Path) -> int:
    """One row a vote, by question and rater; returns how many.

    Of a catch trial, method and its sample are "catch" and "right", the reference's sample tells
    how the wrong answer was made, and ``preferred`` is "right" or "wrong".
    """
    with study.connect() as connection:
        votes = read_votes(connection)
    excluded = {record.rater for record in by_rater(votes, study.design) if record.excluded}
    rows = []
    for vote in votes:
        real = vote.kind == "real"
        names = ("reference", "method") if real else ("wrong", "right")
        rows.append(
            (
                vote.question,
                vote.kind,
                vote.method,
                study.design.reference if real else "",
                vote.input,
                vote.first,
                vote.second,
                pseudonym(vote.rater),
                "left" if vote.first_left else "right",
                vote.choice,
                names[vote.won],
                int(vote.rater in excluded),
                _iso(vote.at),
            )
        )
    write_text(path, comma_separated(VOTE_COLUMNS, rows))
    return len(rows)


def export_raters(study: Study, path: Path) -> int:
    """One row a session, with the completion code to pay by; returns how many."""
    with study.connect() as connection:
        records = {
            record.rater: record for record in by_rater(read_votes(connection), study.design)
        }
        sessions = connection.execute(
            "SELECT raters.id, platform, name, visit, finished, count(votes.seat) FROM sessions "
            "JOIN raters ON raters.id = sessions.rater "
            "LEFT JOIN seats ON seats.session = sessions.id "
            "LEFT JOIN votes ON votes.seat = seats.id GROUP BY sessions.id ORDER BY sessions.id"
        ).fetchall()
    rows = []
    for rater, platform, name, visit, finished, votes in sessions:
        record = records.get(rater)
        catch = (record.catch_right, record.catch_answered) if record else (0, 0)
        excluded = int(record.excluded) if record else 0
        code = study.code(platform, name, visit) if finished else ""
        done = _iso(finished) if finished else ""
        rows.append((pseudonym(rater), platform, name, visit, votes, *catch, excluded, done, code))
    write_text(path, comma_separated(RATER_COLUMNS, rows))
    return len(rows)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
