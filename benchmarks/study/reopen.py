"""Ask anew what excluded raters had answered, so that every question keeps its raters."""

from __future__ import annotations

from collections import Counter

from benchmarks.study.folder import Study
from benchmarks.study.store import transaction
from benchmarks.study.votes import by_rater, read_votes


def reopen(study: Study) -> int:
    """Add a seat for every vote that the exclusion rule discards; returns how many were added.

    Doing it again adds what was discarded since. The study may be served meanwhile: new seats go
    to the next raters. Raters who are not finished are not judged yet.
    """
    added = 0
    with study.connect() as connection, transaction(connection):
        votes = read_votes(connection)
        open_raters = {row[0] for row in connection.execute(
            "SELECT rater FROM sessions WHERE finished IS NULL"
        )}  # fmt: skip
        excluded = {record.rater for record in by_rater(votes, study.design) if record.excluded}
        excluded -= open_raters
        discarded = Counter(
            vote.question for vote in votes if vote.kind == "real" and vote.rater in excluded
        )
        last = connection.execute("SELECT max(position) FROM seats").fetchone()[0]
        for question, count in sorted(discarded.items()):
            # Seats without a position were made for imported votes or catch trials.
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
