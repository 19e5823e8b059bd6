"""Reading requests: what trickles in, and who a link names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from study_client import hexed

from benchmarks.study import web
from benchmarks.study.requests import MOST_BYTES, Arrival, Vote
from benchmarks.study.sessions import Identity
from benchmarks.study.web import Refused, body


def refused(receive: Any, *more: tuple[bytes, bytes]) -> int:
    """The status with which a request is refused."""
    scope = {"type": "http", "headers": [(b"content-type", b"application/json"), *more]}
    with pytest.raises(Refused) as told:
        asyncio.run(body(Request(scope, receive), Vote, MOST_BYTES))
    return told.value.status


def test_a_body_that_trickles_in_is_given_up(monkeypatch):
    monkeypatch.setattr(web, "SECONDS", 0.2)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert refused(receive) == 408


def test_a_page_of_another_site_may_not_send():
    async def receive() -> dict[str, Any]:
        raise AssertionError("its body is read")

    assert refused(receive, (b"host", b"study"), (b"origin", b"https://evil.example")) == 403


def test_an_endless_body_is_cut_at_the_limit():
    pieces = 0

    async def receive() -> dict[str, Any]:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    assert (refused(receive), pieces) == (413, 5)


@pytest.mark.parametrize(
    ("link", "platform", "name", "visit", "several"),
    [
        ({"rater": "ada@example.org"}, "link", "ada@example.org", hexed(0), False),
        ({"workerId": "W", "assignmentId": "A", "hitId": "H"}, "mturk", "W", "A", True),
        ({"PROLIFIC_PID": "P", "STUDY_ID": "S", "SESSION_ID": "T"}, "prolific", "P", "T", True),
        ({"PROLIFIC_PID": "P"}, "prolific", "P", hexed(0), False),
        ({"workerId": "W"}, "mturk", "W", hexed(0), False),
    ],
)
def test_who_a_link_names(link, platform, name, visit, several):
    arrival = Arrival(consent=True, visit=hexed(0), **link)
    assert arrival.identity() == Identity(platform, name, visit, several)
