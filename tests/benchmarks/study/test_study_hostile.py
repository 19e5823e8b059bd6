"""Hostile requests, byte by byte to a real server: refused, and nothing in the database changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_cases import GROUPS
from hostile_world import Case, World, message, raw
from study_case import METHODS, copied, served

SECRETS = (b"SQLite format", b"root:", b"exclude_below", b"Traceback", b"sqlite3", b"import ")


@pytest.fixture(scope="module")
def world(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    study = copied(prepared, tmp_path_factory.mktemp("hostile") / "study")
    with served(study.path) as server:
        made = World(server, study)
        for k in range(12):
            opened = made.join(f"victim{k}")
            vote = {"question": opened["state"]["question"]["id"], "choice": "left"}
            assert made.post("/api/votes", vote, opened["token"])[0] == 200
        yield made


CASES = [(group.__name__, case) for group in GROUPS for case in group()]


def test_there_are_enough_cases():
    assert len(CASES) >= 200


@pytest.mark.parametrize(
    "case", [c for _, c in CASES], ids=[f"{g}-{k}" for k, (g, _) in enumerate(CASES)]
)
def test_refused_and_nothing_changed(case: Case, world: World):
    request = case.make(world)
    before = world.contents()
    status, answer = raw(world.server.port, request, hang_up=case.hang_up)
    assert status in case.statuses, (case.name, status, answer[:500])
    assert world.contents() == before, case.name
    for secret in (*SECRETS, *(method.encode() for method in METHODS)):
        assert secret not in answer, case.name
    if status:
        assert b"default-src 'none'" in answer or b"Invalid HTTP request" in answer


def test_afterwards_an_honest_rater_finishes(world: World):
    opened = world.join("honest")
    state, answered = opened["state"], 0
    while state["question"]:
        vote = {"question": state["question"]["id"], "choice": "right"}
        status, state = world.post("/api/votes", vote, opened["token"])
        assert status == 200
        answered += 1
    assert answered == 20 and state["code"]


def test_floods_are_slowed_down_and_say_for_how_long(world: World):
    opened = world.join("flooder")
    vote = {"question": opened["state"]["question"]["id"], "choice": "left"}
    request = message("/api/votes", vote, opened["token"])
    answers = [raw(world.server.port, request) for _ in range(90)]
    statuses = [status for status, _ in answers]
    assert statuses[:60] == [200] * 60 and 429 in statuses
    refused = next(answer for status, answer in answers if status == 429)
    assert b"retry-after: 1\r\n" in refused.lower()
    # Others behind the same address are not slowed down.
    assert world.join("neighbour")["state"]["total"] == 20
