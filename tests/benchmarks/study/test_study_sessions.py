"""Who gets which question: balanced, never twice, handed on when a rater is gone."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from simulated import People, at
from study_case import hexed, selected, votes_of

from benchmarks.study.folder import Study
from benchmarks.study.guard import Limit, address_key
from benchmarks.study.server import Arrival
from benchmarks.study.sessions import Identity, vote
from benchmarks.study.store import Writer, transaction
from benchmarks.study.web import Refused


def given(people: People, session: int) -> list[tuple[str, str, str]]:
    return selected(
        people.study, "SELECT kind, method, input FROM seats JOIN questions ON questions.id = "
        "question WHERE session = ? ORDER BY turn", session,
    )  # fmt: skip


def votes(people: People) -> Counter[str]:
    return Counter(vote.question for vote in votes_of(people.study) if vote.kind == "real")


@pytest.fixture
def people(study: Study) -> People:
    return People(study)


def test_a_session_mixes_methods_inputs_and_catch_trials(people: People):
    mixed = given(people, people.join("a"))
    assert len(mixed) == 20
    kinds = [kind for kind, _, _ in mixed]
    assert kinds.count("catch") == 2
    # One early, so that whoever leaves has met one; one late.
    assert kinds[:10].count("catch") == kinds[10:].count("catch") == 1
    real = [(method, name) for kind, method, name in mixed if kind == "real"]
    assert Counter(method for method, _ in real) == {"unit": 9, "cyclegan": 9}
    assert len({name for _, name in real}) == 18


def test_everybody_together_answers_every_question_exactly_as_often_as_planned(people: People):
    for sessions in people.exhaust("rater{}".format):
        if sessions % 9 == 0:  # a session with no input twice reaches into the next round
            counts = votes(people).values()
            assert len(counts) == 80 and max(counts) - min(counts) <= 2
    with pytest.raises(Refused, match="no questions left") as refused:
        people.join("one more")
    assert refused.value.status == 409
    assert len(votes(people)) == 80 and set(votes(people).values()) == {5}
    assert sessions == pytest.approx(80 * 5 / 18, abs=2)
    ((lefts,),) = selected(people.study, "SELECT avg(first_left) FROM seats")
    assert 0.4 < lefts < 0.6


def test_a_rater_never_gets_a_question_twice(people: People):
    """The same worker in one assignment after another, until the study has nothing left."""
    assert [*people.exhaust(lambda k: Identity("mturk", "W", f"A{k}", several=True))]
    assert set(votes(people).values()) == {1} and len(votes(people)) == 80
    # Catch trials ran out before: none was shown twice either.
    shown = [question for question, *_ in selected(
        people.study, "SELECT question FROM seats WHERE rater IS NOT NULL"
    )]  # fmt: skip
    assert len({*shown}) == len(shown)


@pytest.mark.parametrize(
    ("link", "platform", "name", "visit", "several"),
    [
        ({"rater": "ada@example.org"}, "link", "ada@example.org", hexed(0), False),
        ({"workerId": "W", "assignmentId": "A", "hitId": "H"}, "mturk", "W", "A", True),
        ({"PROLIFIC_PID": "P", "STUDY_ID": "S", "SESSION_ID": "T"}, "prolific", "P", "T", True),
        ({"PROLIFIC_PID": "P"}, "prolific", "P", hexed(0), False),
    ],
)
def test_who_a_link_names(link, platform, name, visit, several):
    arrival = Arrival(consent=True, visit=hexed(0), **link)
    assert arrival.identity() == Identity(platform, name, visit, several)


def test_what_a_gone_rater_left_is_handed_on_when_nothing_else_is_free(people: People):
    gone = people.join("gone")
    people.answer(gone, 5)
    assert [*people.exhaust("r{}".format, hours=0.5)]  # within the hour nobody takes over
    left = 80 * 5 - sum(votes(people).values())
    assert left >= 18 - 5
    while left:
        left -= people.answer(people.join(f"late{left}", hours=2), hours=2) or pytest.fail("none")
        left = 80 * 5 - sum(votes(people).values())
    assert set(votes(people).values()) == {5}
    assert people.state(gone)["done"] == 5  # answers stay with who gave them
    # Back at last: what was handed on is gone, the votes before stay, and the code is given.
    assert people.join("gone", hours=3) == gone
    people.answer(gone, hours=3)
    assert people.state(gone)["question"] is None and people.state(gone)["code"]
    assert set(votes(people).values()) == {5}


def test_a_stale_page_cannot_vote_on_what_was_handed_on(people: People):
    gone = people.join("gone")
    stale = people.state(gone)["question"]["id"]
    others = people.exhaust("r{}".format, hours=2)
    while any(kind == "real" for kind, _, _ in given(people, gone)):
        next(others)
    kinds = selected(people.study, "SELECT kind FROM questions WHERE id = ?", stale)
    assert kinds == [("real",)]
    with pytest.raises(Refused) as refused, transaction(people.connection):
        vote(people.connection, gone, stale, "left", at(2))
    assert refused.value.status == 404


def test_the_database_itself_refuses_doubles(people: People):
    session = people.join("a")
    people.answer(session, 1)
    seat, question, rater = people.connection.execute(
        "SELECT seats.id, question, rater FROM votes JOIN seats ON seats.id = votes.seat"
    ).fetchone()
    with pytest.raises(sqlite3.IntegrityError):
        people.connection.execute("INSERT INTO votes VALUES (?, 'right', 0)", (seat,))
    with pytest.raises(sqlite3.IntegrityError):
        people.connection.execute(
            "UPDATE seats SET rater = ?, session = ?, turn = 99 WHERE question = ? AND rater IS NULL",
            (rater, session, question),
        )


# The writer


def insert(name: str) -> Callable[[sqlite3.Connection], object]:
    return lambda c: c.execute("INSERT INTO raters (platform, name) VALUES ('x', ?)", (name,))


def insert_and_fail(connection: sqlite3.Connection) -> None:
    insert("lost")(connection)
    raise Refused(409, "no")


def together(writer: Writer, *work: Callable[[sqlite3.Connection], object]) -> list[object]:
    """Results or exceptions of what waits while the writer is busy, in one transaction."""
    hold = threading.Event()

    async def all_of_it() -> list[object]:
        first = asyncio.ensure_future(writer.run(lambda _: hold.wait(10)))
        rest = [asyncio.ensure_future(writer.run(job)) for job in work]
        await asyncio.sleep(0)
        hold.set()
        return (await asyncio.gather(first, *rest, return_exceptions=True))[1:]

    return asyncio.run(all_of_it())


def test_what_is_committed_together_fails_alone(study: Study):
    writer = Writer(study.database)
    results = together(writer, insert("a"), insert_and_fail, insert("a"), insert("b"))
    assert isinstance(results[1], Refused) and isinstance(results[2], sqlite3.IntegrityError)
    with study.connect() as connection:
        assert connection.execute("SELECT name FROM raters").fetchall() == [("a",), ("b",)]
    writer.close()


def test_a_database_that_cannot_be_written_fails_all_that_wait(study: Study):
    writer = Writer(study.database)
    writer._connection.execute("PRAGMA query_only = ON")
    results = together(writer, lambda _: 1, insert("a"))
    assert [type(result) for result in results] == [sqlite3.OperationalError] * 2
    writer._connection.execute("PRAGMA query_only = OFF")
    assert together(writer, lambda c: c.execute("SELECT 1").fetchone()) == [(1,)]
    writer.close()


def test_durability_is_as_promised(study: Study):
    with study.connect() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


# Limits


def test_a_limit_lets_a_burst_through_then_its_rate():
    limit = Limit(rate=2, burst=10)
    assert [limit.wait("a", 0) for _ in range(11)] == [0] * 10 + [1]
    assert limit.wait("b", 0) == 0
    assert [limit.wait("a", 1) for _ in range(3)] == [0, 0, 1]
    assert Limit(rate=0.1, burst=0).wait("a", 0) == 10


def test_a_flood_of_keys_costs_no_memory():
    limit = Limit(rate=1, burst=1, keys=100)
    for k in range(1000):
        limit.wait(str(k), 0)
    assert len(limit._buckets) == 100


def test_addresses_of_one_connection_share_a_limit():
    assert address_key("2001:db8:1:2:3::4") == address_key("2001:db8:1:2:ffff::1")
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1") != address_key("10.0.0.2")
    assert address_key("testclient") == "testclient"
