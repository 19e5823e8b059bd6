"""Hostile requests, generated: paths, questions, bodies, SQL, votes again, tokens, names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from hostile_world import Case, World, message, own, unanswered
from study_case import selected
from study_client import hexed


def get(path: str, *statuses: int, **options: Any) -> Case:
    made = lambda w: message(path, method="GET", body=b"", **options)  # noqa: E731
    return Case(path[:40], made, statuses or Case.statuses)


def post(path: str, *statuses: int, token: bool = True, **options: Any) -> Case:
    """With the token of a rater."""
    made = lambda w: message(path, token=w.token if token else None, **options)  # noqa: E731
    return Case(f"{path} {options}"[:60], made, statuses or Case.statuses)


def vote(name: str, *statuses: int, token: Callable[[str], str] = str, **changes: Any) -> Case:
    """A vote on the question that a rater is to answer next, changed."""

    def make(world: World) -> bytes:
        given, question = unanswered(world)
        sent = {"question": question, "choice": "left"} | changes
        return message("/api/votes", sent, token(given))

    return Case(name, make, statuses or Case.statuses)


def begin(name: str, *statuses: int, **changes: Any) -> Case:
    begun = {"consent": True, "visit": hexed("attacker")} | changes
    return Case(name, lambda w: message("/api/sessions", begun), statuses or (422,))


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
    ):  # fmt: skip
        yield get(path)

    def picture(name: Callable[[World], str]) -> Callable[[World], bytes]:
        return lambda w: message(f"/pictures/{name(w)}", method="GET", body=b"")

    # A picture's file name on the disk is not its public id.
    yield Case("file", picture(lambda w: sorted(os.listdir(w.study.path / "pictures"))[0]))
    for change in (lambda public: f"{public.upper()}.png", lambda public: f"{public}.svg"):
        yield Case("other id", picture(lambda w, c=change: c(w.attacker["state"]["next"]["left"])))


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

    for k, kind in product(range(6), ("real", "catch")):
        yield Case(f"{kind} {k}", others(kind, k), (404,))
    for wrong in ("0" * 32, "f" * 32, "", "1", "left", " " * 32, "０" * 32, "0" * 31 + "\n", 0, -1,
                  1.5, None, True, [], ["0" * 32], {}, {"$ne": ""}, "null", "%", "_" * 32):  # fmt: skip
        yield vote(f"question {wrong!r}", question=wrong)
    for wrong in ("", "LEFT", "left ", "up", 0, True, None, [], ["left"], {}, "left\x00"):
        yield vote(f"choice {wrong!r}", choice=wrong)


def malformed_bodies() -> Iterator[Case]:
    bodies = (
        b"", b" ", b'{"question": "', b"question=1&choice=left",
        b'{"question": "\xff\xfe", "choice": "left"}', b"\x00" * 100, b"[]", b'"left"', b"1", b"null",
        b"NaN", b"[" * 2000 + b"]" * 2000, b'{"a":' * 600 + b"1" + b"}" * 600, b"\xef\xbb\xbf{}",
        b"{}{}", b"{/**/}", b"<vote/>", '{"question": "", "choice": "left"}'.encode("utf-16"),
        b'{"question": 1e999, "choice": "left"}', b"9" * 4000,
        b'{"question": "\\ud800", "choice": "left"}',
    )  # fmt: skip
    for path, body in product(("/api/votes", "/api/sessions"), bodies):
        yield post(path, 400, 422, body=body)
    for extra in ("method", "rater", "session", "seat", "at", "won", "__proto__", "constructor"):
        yield vote(f"extra {extra}", 422, **{extra: 1})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"):
        yield post("/api/votes", 415, body=b"{}", headers=(f"content-type: {kind}",))


def oversized_bodies() -> Iterator[Case]:
    def padded(size: int, chunk: int = 0) -> Callable[[World], bytes]:
        def make(world: World) -> bytes:
            token, question = unanswered(world)
            body = json.dumps({"question": question, "choice": "left"}).encode() + b" " * size
            if not chunk:
                return message("/api/votes", token=token, body=body)
            pieces = [body[k : k + chunk] for k in range(0, len(body), chunk)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
            headers = ("transfer-encoding: chunked",)
            return message("/api/votes", token=token, body=body, headers=headers)

        return make

    for size, chunk in product((5_000, 100_000, 3_000_000), (0, 1000)):
        yield Case(f"padded {size} {chunk}", padded(size, chunk), (413,))
    for claimed in ("99999999999", "4097", "-1", "1e3", "0x10", "٣", "+5", "9" * 400, ""):
        header = f"content-length: {claimed}"
        yield post("/api/votes", 400, 413, 422, body=b"{}", headers=(header,))
    early = post("/api/votes", 0, 400, body=b'{"q', headers=("content-length: 90",))
    yield Case(early.name, early.make, early.statuses, hang_up=True)
    both = ("content-length: 5", "transfer-encoding: chunked")
    yield post("/api/votes", body=b"0\r\n\r\n", headers=both)
    yield post("/api/votes", body=b"{}", headers=("content-length: 2", "content-length: 3"))
    yield post("/api/votes", 0, 400, 431, token=False, headers=(f"x: {'y' * 200_000}",))
    for raw in (b"\x16\x03\x01\x02\x00\x01\x00", b"POST /api/votes\n\n"):
        yield Case("no http", lambda w, r=raw: r, (0, 400))


INJECTIONS = (
    "' OR '1'='1", "'; DROP TABLE votes; --", "\" OR 1=1 --", "1; DELETE FROM seats",
    "' UNION SELECT token FROM sessions --", "victim0'--", "\\'; VACUUM; --",
    "x'); INSERT INTO votes VALUES (1, 'left', 0); --", "=cmd|' /C calc'!A0", "${7*7}{{7*7}}",
)  # fmt: skip


def injections() -> Iterator[Case]:
    fields = ("rater", "visit", "workerId", "assignmentId", "hitId", "PROLIFIC_PID", "STUDY_ID",
              "SESSION_ID", "consent")  # fmt: skip
    for name, text in product(fields, INJECTIONS):
        known = {} if name in ("rater", "PROLIFIC_PID") else {"workerId": "W1"}
        yield begin(f"{name} {text}", **known | {name: text})
    for text in INJECTIONS:
        yield vote(f"question {text}", 422, question=text)
        yield vote(f"choice {text}", 422, choice=text)
        yield vote(f"token {text}", 401, 422, token=lambda _, t=text: t)
        yield get("/pictures/" + "".join(f"%{b:02x}" for b in text.encode()), 404)


def replays() -> Iterator[Case]:
    def again(choice: str) -> Callable[[World], bytes]:
        def make(world: World) -> bytes:
            token, question = own(world)
            return message("/api/votes", {"question": question, "choice": choice}, token)

        return make

    for _ in range(12):
        yield Case("the same", again("left"), (200,))
        yield Case("the other", again("right"), (409,))


def guesses() -> Iterator[Case]:
    wrong = "", " ", "1", "0" * 64, "null", "undefined", "é", "a" * 300, "Bearer", hexed(1) * 2
    for token in wrong:
        yield vote(f"token {token[:12]!r}", 400, 401, token=lambda _, t=token: t)
    changes: dict[str, Callable[[str], str]] = {
        "one digit": lambda t: ("1" if t[0] == "0" else "0") + t[1:],
        "shorter": lambda t: t[:-1], "longer": lambda t: t + "0", "upper": str.upper,
        "reversed": lambda t: t[::-1], "hashed": lambda t: hashlib.sha256(t.encode()).hexdigest(),
    }  # fmt: skip
    for name, change in changes.items():
        yield vote(name, 401, token=change)
    headers = ((), ("authorization: Basic YTph",), ("cookie: token=1",), ("authorization:",))
    for path, header in product(("/api/session", "/api/overview"), headers):
        yield get(path, 401, headers=header)
    for name, token in (
        ("session's", lambda w: w.token),
        ("cut", lambda w: w.study.overview_token()[:-1]),
        ("upper", lambda w: w.study.overview_token().upper()),
    ):
        made = lambda w, t=token: message("/api/overview", method="GET", body=b"", token=t(w))  # noqa: E731
        yield Case(f"overview by the token {name}", made, (401,))


def identities() -> Iterator[Case]:
    for wrong in (
        {}, {"rater": "a", "workerId": "b", "assignmentId": "c"},
        {"workerId": "W", "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"},
        {"rater": "a", "consent": False}, {"rater": "a", "consent": "true"}, {"rater": "a" * 129},
        {"rater": "=1+1"}, {"rater": "a\nb"}, {"rater": 5}, {"rater": "a", "visit": "1"},
    ):  # fmt: skip
        yield begin(f"{wrong}", **wrong)
    for k in range(12):  # a name that is known, from another browser
        yield begin(f"victim{k}", 403, rater=f"victim{k}")
    methods = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
    for method, path in product(methods, ("/api/votes", "/api/sessions", "/api/session", "/")):
        yield post(path, 400, 405, body=b"{}", method=method)


GROUPS = (traversals, foreign_questions, malformed_bodies, oversized_bodies, injections, replays,
          guesses, identities)  # fmt: skip
