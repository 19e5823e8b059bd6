"""The experimenter's view: how far the study is, and who fails the catch trials.

Counts alone: whoever sees preferences while votes come in is tempted to stop at a good moment.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from benchmarks.study.export import pseudonym
from benchmarks.study.folder import Study
from benchmarks.study.votes import by_rater, read_votes


def overview(connection: sqlite3.Connection, study: Study, gone_before: int) -> dict[str, Any]:
    """Progress by method, raters and sessions, as plain values. Times: milliseconds."""
    votes = read_votes(connection)
    wanted = study.design.questions * study.design.raters
    done = {method: 0 for method in study.design.methods}
    for vote in votes:
        if vote.kind == "real":
            done[vote.method] += 1
    records = {record.rater: record for record in by_rater(votes, study.design)}
    sessions = []
    for row in connection.execute(
        "SELECT sessions.id, raters.id, platform, name, visit, begun, seen, finished, count(votes.seat), "
        "count(seats.id) FROM sessions JOIN raters ON raters.id = sessions.rater "
        "LEFT JOIN seats ON seats.session = sessions.id LEFT JOIN votes ON votes.seat = seats.id "
        "GROUP BY sessions.id ORDER BY seen DESC"
    ):
        number, rater, platform, name, visit, begun, seen, finished, answered, given = row
        record = records.get(rater)
        state = "finished" if finished else "gone" if seen < gone_before else "answering"
        sessions.append(
            {
                "session": number,
                "rater": pseudonym(rater),
                "platform": platform,
                "name": name,
                "state": state,
                "answered": answered,
                "given": given,
                "minutes": round((seen - begun) / 60000, 1),
                "catch_right": record.catch_right if record else 0,
                "catch_answered": record.catch_answered if record else 0,
                "excluded": record.excluded if record else False,
                "code": study.code(platform, name, visit) if finished else None,
            }
        )
    return {
        "title": study.settings.title,
        "rule": study.design.rule,
        "reference": study.design.reference,
        "methods": [{"method": m, "votes": n, "wanted": wanted} for m, n in done.items()],
        "left": sum(vote.choice == "left" for vote in votes),
        "votes": len(votes),
        "sessions": sessions,
    }
