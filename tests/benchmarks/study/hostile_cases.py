"""Hostile requests, generated: paths, questions, bodies and SQL."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator

from hostile_world import Case, World, message, unanswered
from study_client import hexed

# Path traversal


def traversals() -> Iterator[Case]:
    targets = ["secret", "study.sqlite", "study.json", "etc/passwd"]
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%252f",
        "..\\",
        "..%5c",
        "....//",
        "%c0%ae%c0%ae/",
    ]
    for target, up in itertools.product(targets, ups):
        path = f"/pictures/{up}{up if 'etc' not in target else up * 8}{target}"
        yield Case(f"{up}{target}", lambda w, p=path: message(p, method="GET", body=b""))
    for path in (
        "/pictures/", "/pictures/.", "/pictures/..", "/pictures", "/pictures/secret.png",
        "/pictures//etc/passwd", "/pictures/%00.png", "/pictures/study.sqlite%00.png",
        "/pictures/" + "a" * 32 + ".png", "/pictures/" + "a" * 32, "/pictures/" + "0" * 31 + "g.png",
        "/pictures/" + "A" * 32 + ".png", "/pictures/" + "0" * 5000 + ".png", "/study.sqlite",
        "/secret", "/static/app.js", "/mturk.html", "/docs", "/openapi.json", "//etc/passwd",
        "http://169.254.169.254/latest/meta-data", "/../secret", "/app.js/../../secret",
    ):  # fmt: skip
        yield Case(path[:40], lambda w, p=path: message(p, method="GET", body=b""))

    def private_file(world: World) -> bytes:
        """A picture's file name on the disk is not its public id."""
        file = sorted(os.listdir(world.study.path / "pictures"))[0]
        return message(f"/pictures/{file}", method="GET", body=b"")

    def upper(world: World) -> bytes:
        return message(f"/pictures/{world.attacker['state']['next']['left'].upper()}.png", method="GET", body=b"")  # fmt: skip

    def other_kind(world: World) -> bytes:
        return message(f"/pictures/{world.attacker['state']['next']['left']}.svg", method="GET", body=b"")  # fmt: skip

    yield Case("file name", private_file)
    yield Case("upper case", upper)
    yield Case("other suffix", other_kind)


# Questions of others


def foreign_questions() -> Iterator[Case]:
    def of_another(world: World) -> bytes:
        mine, theirs = world.sessions[0], world.sessions[1]
        return message("/api/votes", {"question": theirs["state"]["next"]["id"], "choice": "left"}, mine["token"])  # fmt: skip

    def nobodys(kind: str, k: int) -> Callable[[World], bytes]:
        def make(world: World) -> bytes:
            with world.study.connect() as connection:
                rows = connection.execute(
                    "SELECT id FROM questions WHERE kind = ? AND id NOT IN (SELECT question FROM "
                    "seats WHERE session = 1) ORDER BY id", (kind,),
                ).fetchall()  # fmt: skip
            return message("/api/votes", {"question": rows[k][0], "choice": "right"}, world.sessions[0]["token"])  # fmt: skip

        return make

    yield Case("another rater's", of_another, (404,))
    for k in range(6):
        yield Case(f"real {k}", nobodys("real", k), (404,))
        yield Case(f"catch {k}", nobodys("catch", k), (404,))
    for wrong in ("0" * 32, "f" * 32, "", "1", "left", " " * 32, "０" * 32, "0" * 31 + "\n", 0, -1,
                  1.5, None, True, [], ["0" * 32], {}, {"$ne": ""}, "null", "%", "_" * 32):  # fmt: skip
        yield Case(
            f"id {wrong!r}"[:30],
            lambda w, q=wrong: message("/api/votes", {"question": q, "choice": "left"}, w.token),
        )
    for wrong in (
        "",
        "LEFT",
        "Left",
        "left ",
        "up",
        "l",
        0,
        1,
        True,
        None,
        [],
        ["left"],
        {},
        "left\x00",
    ):
        yield Case(
            f"choice {wrong!r}",
            lambda w, c=wrong: message(
                "/api/votes", {"question": unanswered(w)[1], "choice": c}, w.token
            ),
        )


# Bodies


def malformed_bodies() -> Iterator[Case]:
    bodies: dict[str, bytes] = {
        "empty": b"", "space": b" ", "half": b'{"question": "', "no json": b"question=1&choice=left",
        "latin": b'{"question": "\xff\xfe", "choice": "left"}', "zero": b"\x00" * 100,
        "list": b"[]", "string": b'"left"', "number": b"1", "null": b"null", "nan": b"NaN",
        "deep": b"[" * 2000 + b"]" * 2000, "deep object": b'{"a":' * 600 + b"1" + b"}" * 600,
        "bom": b"\xef\xbb\xbf{}", "two": b"{}{}", "comment": b"{/**/}", "xml": b"<vote/>",
        "utf-16": '{"question": "", "choice": "left"}'.encode("utf-16"),
        "infinite": b'{"question": 1e999, "choice": "left"}', "huge number": b"9" * 4000,
        "surrogate": b'{"question": "\\ud800", "choice": "left"}',
    }  # fmt: skip
    for path, (name, body) in itertools.product(("/api/votes", "/api/sessions"), bodies.items()):
        yield Case(
            f"{name} {path}",
            lambda w, p=path, b=body: message(p, token=w.token, body=b),
            (400, 422),
        )
    for extra in ("method", "rater", "session", "seat", "at", "won", "__proto__", "constructor"):

        def added(world: World, extra: str = extra) -> bytes:
            token, question = unanswered(world)
            return message("/api/votes", {"question": question, "choice": "left", extra: 1}, token)

        yield Case(f"extra {extra}", added, (422,))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "",
                 "application/jsonp", "application/xml"):  # fmt: skip

        def typed(world: World, kind: str = kind) -> bytes:
            token, question = unanswered(world)
            vote = {"question": question, "choice": "left"}
            return message("/api/votes", vote, token, headers=(f"content-type: {kind}",))

        yield Case(f"type {kind}", typed, (415,))


def oversized_bodies() -> Iterator[Case]:
    def padded(world: World, size: int) -> bytes:
        token, question = unanswered(world)
        vote = json.dumps({"question": question, "choice": "left"}).encode()
        return message("/api/votes", token=token, body=vote + b" " * size)

    def chunked(world: World, count: int) -> bytes:
        token, question = unanswered(world)
        vote = json.dumps({"question": question, "choice": "left"}).encode()
        chunks = [vote, *[b" " * 1000] * count]
        body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
        return message(
            "/api/votes", token=token, body=body, headers=("transfer-encoding: chunked",)
        )

    for size in (4096, 10_000, 100_000, 3_000_000):
        yield Case(f"padded {size}", lambda w, s=size: padded(w, s), (413,))
    for count in (5, 100, 3000):
        yield Case(f"chunked {count}", lambda w, c=count: chunked(w, c), (413,))
    for claimed in ("99999999999", "4097", "-1", "1e3", "0x10", "٣", "+5", "9" * 400, ""):
        header = f"content-length: {claimed}"
        yield Case(
            header[:40],
            lambda w, h=header: message("/api/votes", token=w.token, body=b"{}", headers=(h,)),
            (400, 413, 422),
        )
    yield Case(
        "ends early",
        lambda w: message(
            "/api/votes", token=w.token, body=b'{"q', headers=("content-length: 90",)
        ),
        (0, 400),
        hang_up=True,
    )
    yield Case(
        "length and chunks",
        lambda w: message(
            "/api/votes", token=w.token, body=b"0\r\n\r\n",
            headers=("content-length: 5", "transfer-encoding: chunked"),
        ),
    )  # fmt: skip
    yield Case(
        "two lengths",
        lambda w: message("/api/votes", token=w.token, body=b"{}", headers=("content-length: 2", "content-length: 3")),
    )  # fmt: skip
    yield Case(
        "enormous header",
        lambda w: message("/api/votes", {}, headers=(f"x: {'y' * 200_000}",)),
        (0, 400, 431),
    )
    yield Case("no http", lambda w: b"\x16\x03\x01\x02\x00\x01\x00", (0, 400))
    yield Case("bare newlines", lambda w: b"POST /api/votes\n\n", (0, 400))


# SQL


INJECTIONS = (
    "' OR '1'='1", "'; DROP TABLE votes; --", "\" OR 1=1 --", "1; DELETE FROM seats",
    "' UNION SELECT token FROM sessions --", "victim0'--", "%' OR id LIKE '%", "\\'; VACUUM; --",
    "x'); INSERT INTO votes VALUES (1, 'left', 0); --", "=cmd|' /C calc'!A0", "${7*7}{{7*7}}",
    "<script>alert(1)</script>",
)  # fmt: skip


def injections() -> Iterator[Case]:
    fields = ("rater", "visit", "workerId", "assignmentId", "hitId", "PROLIFIC_PID", "STUDY_ID",
              "SESSION_ID", "consent")  # fmt: skip
    for name, text in itertools.product(fields, INJECTIONS):
        begun = {"consent": True, "visit": hexed(name, text)}
        begun |= {} if name in ("rater", "PROLIFIC_PID") else {"workerId": "W1"}
        yield Case(
            f"{name} {text}",
            lambda w, b={**begun, name: text}: message("/api/sessions", b),
            (422,),
        )
    for name, text in itertools.product(("question", "choice"), INJECTIONS):

        def vote(world: World, name: str = name, text: str = text) -> bytes:
            token, question = unanswered(world)
            return message(
                "/api/votes", {"question": question, "choice": "left", name: text}, token
            )

        yield Case(f"{name} {text}", vote, (422,))
    for text in INJECTIONS:
        yield Case(f"token {text}", lambda w, t=text: message("/api/votes", {}, t), (401, 422))
        yield Case(
            f"picture {text}",
            lambda w, t=text: message(
                "/pictures/" + "".join(f"%{b:02x}" for b in t.encode()), method="GET", body=b""
            ),
            (404,),
        )


GROUPS = (traversals, foreign_questions, malformed_bodies, oversized_bodies, injections)
