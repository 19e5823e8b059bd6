"""Hostile requests, byte by byte to a real server: refused, and nothing in the database changed."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hostile_world import World, message, raw
from starlette.requests import Request
from study_case import METHODS, copied, hexed, selected, served

from benchmarks.study import web
from benchmarks.study.server import MOST_BYTES, Vote
from benchmarks.study.web import Refused, body

SECRETS = (b"SQLite format", b"root:", b"exclude_below", b"Traceback", b"sqlite3", b"import ")
REFUSED = (400, 401, 403, 404, 405, 409, 413, 415, 422)
Case = tuple[Callable[[World], bytes], tuple[int, ...]]
"""What makes a request, and the statuses that may answer it."""


def get(path: str | Callable[[World], str], *statuses: int, **options: Any) -> Case:
    def make(world: World) -> bytes:
        found = path if isinstance(path, str) else path(world)
        return message(found, method="GET", body=b"", **options)

    return make, statuses or REFUSED


def post(path: str, *statuses: int, **options: Any) -> Case:
    """With the token of a rater."""
    return lambda w: message(path, token=w.attacker["token"], **options), statuses or REFUSED


def vote(
    *statuses: int, which: str = "next", token: Callable[[str], str] = str, **changes: Any
) -> Case:
    """A vote on the question that a rater is to answer next, changed."""

    def make(world: World) -> bytes:
        given, question = world.question(which)
        return message(
            "/api/votes", {"question": question, "choice": "left"} | changes, token(given)
        )

    return make, statuses or REFUSED


def begin(*statuses: int, **changes: Any) -> Case:
    begun = {"consent": True, "visit": hexed("attacker")} | changes
    return lambda w: message("/api/sessions", begun), statuses or (422,)


def traversals() -> Iterator[Case]:
    ups = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "..\\", "..%5c", "....//",
           "%c0%ae%c0%ae/")  # fmt: skip
    for target, up in product(("secret", "study.sqlite", "study.json", "etc/passwd"), ups):
        yield get(f"/pictures/{up}{up if 'etc' not in target else up * 8}{target}")
    for path in (
        "/pictures/", "/pictures/.", "/pictures/..", "/pictures", "/pictures/secret.png",
        "/pictures//etc/passwd", "/pictures/%00.png", "/pictures/study.sqlite%00.png",
        "/pictures/" + "a" * 32 + ".png", "/pictures/" + "a" * 32, "/pictures/" + "0" * 31 + "g.png",
        "/pictures/" + "A" * 32 + ".png", "/pictures/" + "0" * 5000 + ".png", "/study.sqlite",
        "/secret", "/static/app.js", "/mturk.html", "/docs", "/openapi.json", "//etc/passwd",
        "http://169.254.169.254/latest/meta-data", "/../secret", "/app.js/../../secret",
        # A picture's file name on the disk is not its public id.
        lambda w: f"/pictures/{sorted(os.listdir(w.study.path / 'pictures'))[0]}",
        lambda w: f"/pictures/{w.attacker['state']['next']['left'].upper()}.png",
        lambda w: f"/pictures/{w.attacker['state']['next']['left']}.svg",
    ):  # fmt: skip
        yield get(path)


def foreign_questions() -> Iterator[Case]:
    def others(kind: str, k: int) -> Callable[[World], bytes]:
        def make(world: World) -> bytes:
            rows = selected(
                world.study, "SELECT id FROM questions WHERE kind = ? AND id NOT IN (SELECT "
                "question FROM seats WHERE session = 1) ORDER BY id", kind,
            )  # fmt: skip
            sent = {"question": rows[k][0], "choice": "right"}
            return message("/api/votes", sent, world.sessions[0]["token"])

        return make

    for k, kind in product(range(3), ("real", "catch")):
        yield others(kind, k), (404,)
    for wrong in ("0" * 32, "", "1", "left", "０" * 32, "0" * 31 + "\n", 0, 1.5, None, True, [],
                  ["0" * 32], {"$ne": ""}, "%", "_" * 32):  # fmt: skip
        yield vote(question=wrong)
    for wrong in ("", "LEFT", "left ", 0, True, None, ["left"], {}, "left\x00"):
        yield vote(choice=wrong)


def malformed_bodies() -> Iterator[Case]:
    bodies = (
        b"", b'{"question": "', b"question=1&choice=left",
        b'{"question": "\xff\xfe", "choice": "left"}', b"\x00" * 100, b"[]", b'"left"', b"null",
        b"NaN", b"[" * 2000 + b"]" * 2000, b'{"a":' * 600 + b"1" + b"}" * 600, b"\xef\xbb\xbf{}",
        b"{}{}", b"{/**/}", b"<vote/>", '{"question": "", "choice": "left"}'.encode("utf-16"),
        b'{"question": 1e999, "choice": "left"}', b"9" * 4000,
        b'{"question": "\\ud800", "choice": "left"}',
    )  # fmt: skip
    for path, sent in product(("/api/votes", "/api/sessions"), bodies):
        yield post(path, 400, 422, body=sent)
    for extra in ("method", "session", "won", "__proto__"):
        yield vote(422, **{extra: 1})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"):
        yield post("/api/votes", 415, body=b"{}", headers=(f"content-type: {kind}",))


def oversized_bodies() -> Iterator[Case]:
    def padded(size: int, chunk: int) -> Callable[[World], bytes]:
        def make(world: World) -> bytes:
            token, question = world.question("next")
            body = json.dumps({"question": question, "choice": "left"}).encode() + b" " * size
            if not chunk:
                return message("/api/votes", token=token, body=body)
            pieces = [body[k : k + chunk] for k in range(0, len(body), chunk)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
            headers = ("transfer-encoding: chunked",)
            return message("/api/votes", token=token, body=body, headers=headers)

        return make

    for size, chunk in product((5_000, 3_000_000), (0, 1000)):
        yield padded(size, chunk), (413,)
    for claimed in ("99999999999", "4097", "-1", "1e3", "0x10", "٣", "+5", "9" * 400, ""):
        header = f"content-length: {claimed}"
        yield post("/api/votes", 400, 413, 422, body=b"{}", headers=(header,))
    both = ("content-length: 5", "transfer-encoding: chunked")
    yield post("/api/votes", body=b"0\r\n\r\n", headers=both)
    yield post("/api/votes", body=b"{}", headers=("content-length: 2", "content-length: 3"))
    yield post("/api/votes", 0, 400, 431, headers=(f"x: {'y' * 200_000}",))
    for nothing in (b"\x16\x03\x01\x02\x00\x01\x00", b"POST /api/votes\n\n"):
        yield lambda w, n=nothing: n, (0, 400)


def injections() -> Iterator[Case]:
    fields = ("rater", "visit", "workerId", "assignmentId", "hitId", "PROLIFIC_PID", "STUDY_ID",
              "SESSION_ID", "consent")  # fmt: skip
    for text in (
        "' OR '1'='1", "'; DROP TABLE votes; --", "1; DELETE FROM seats",
        "' UNION SELECT token FROM sessions --", "x'); INSERT INTO votes VALUES (1, 'left', 0); --",
        "=cmd|' /C calc'!A0", "${7*7}{{7*7}}",
    ):  # fmt: skip
        for name in fields:
            known = {} if name in ("rater", "PROLIFIC_PID") else {"workerId": "W1"}
            yield begin(**known | {name: text})
        yield vote(422, question=text)
        yield vote(422, choice=text)
        yield vote(401, 422, token=lambda _, t=text: t)
        yield get("/pictures/" + "".join(f"%{b:02x}" for b in text.encode()), 404)


def replays() -> Iterator[Case]:
    yield vote(200, which="question")
    yield vote(409, which="question", choice="right")


def guesses() -> Iterator[Case]:
    for token in ("", " ", "1", "0" * 64, "null", "é", "a" * 300, hexed(1) * 2):
        yield vote(400, 401, token=lambda _, t=token: t)
    hashed: Callable[[str], str] = lambda t: hashlib.sha256(t.encode()).hexdigest()  # noqa: E731
    for change in (lambda t: t[:-1], lambda t: t + "0", str.upper, hashed):
        yield vote(401, token=change)
    headers = ((), ("authorization: Basic YTph",), ("cookie: token=1",), ("authorization:",))
    for path, header in product(("/api/session", "/api/overview"), headers):
        yield get(path, 401, headers=header)
    yield post("/api/overview", 401, body=b"", method="GET")


def identities() -> Iterator[Case]:
    for wrong in (
        {}, {"rater": "a", "workerId": "b", "assignmentId": "c"},
        {"workerId": "W", "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"},
        {"rater": "a", "consent": False}, {"rater": "a", "consent": "true"}, {"rater": "a" * 129},
        {"rater": "=1+1"}, {"rater": "a\nb"}, {"rater": 5}, {"rater": "a", "visit": "1"},
    ):  # fmt: skip
        yield begin(**wrong)
    yield begin(403, rater="victim0")  # a name that is known, from another browser
    methods = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
    for method, path in product(methods, ("/api/votes", "/api/session", "/")):
        yield post(path, 400, 405, body=b"{}", method=method)


GROUPS = (traversals, foreign_questions, malformed_bodies, oversized_bodies, injections, replays,
          guesses, identities)  # fmt: skip


@pytest.fixture(scope="module")
def world(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    study = copied(prepared, tmp_path_factory.mktemp("hostile") / "study")
    with served(study.path) as server:
        made = World(server, study)
        for k in range(12):
            made.vote(made.join(f"victim{k}"), "left")
        yield made


def check(world: World, case: Case, *, hang_up: bool = False) -> None:
    """Refused, and nothing changed."""
    make, statuses = case
    request, before = make(world), world.contents()
    status, answer = raw(world.server.port, request, hang_up=hang_up)
    assert status in statuses, (request[:300], answer[:500])
    assert world.contents() == before, request[:300]
    for secret in (*SECRETS, *(method.encode() for method in METHODS)):
        assert secret not in answer, request[:300]
    if status:
        assert b"default-src 'none'" in answer or b"Invalid HTTP request" in answer


@pytest.mark.parametrize("group", GROUPS)
def test_refused_and_nothing_changed(group: Callable[[], Iterator[Case]], world: World):
    for case in group():
        check(world, case)


def test_a_body_that_ends_early_is_no_vote(world: World):
    early = post("/api/votes", 0, 400, body=b'{"q', headers=("content-length: 90",))
    check(world, early, hang_up=True)


def test_afterwards_an_honest_rater_finishes(world: World):
    opened = world.join("honest")
    for _ in range(20):
        opened["state"] = world.vote(opened, "right")
    assert opened["state"]["question"] is None and opened["state"]["code"]


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


# What trickles in, and what another site sends


def status_of(receive: Any, *more: tuple[bytes, bytes]) -> int:
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

    assert status_of(receive) == 408


def test_a_page_of_another_site_may_not_send():
    async def receive() -> dict[str, Any]:
        raise AssertionError("its body is read")

    assert status_of(receive, (b"host", b"study"), (b"origin", b"https://evil.example")) == 403
