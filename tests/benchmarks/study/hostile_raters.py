"""Hostile requests, generated: votes again, tokens guessed, names taken."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from hostile_world import Case, World, message, own, unanswered
from study_client import hexed


def replays() -> Iterator[Case]:
    def again(world: World, choice: str) -> bytes:
        token, question = own(world)
        return message("/api/votes", {"question": question, "choice": choice}, token)

    for k in range(12):
        yield Case(f"the same {k}", lambda w: again(w, "left"), (200,))
        yield Case(f"the other {k}", lambda w: again(w, "right"), (409,))

    def by_another(world: World) -> bytes:
        question = world.sessions[2]["state"]["question"]["id"]
        return message("/api/votes", {"question": question, "choice": "right"}, world.sessions[3]["token"])  # fmt: skip

    yield Case("by another", by_another, (404,))


def guesses() -> Iterator[Case]:
    def with_token(token: str) -> Callable[[World], bytes]:
        return lambda w: message(
            "/api/votes", {"question": unanswered(w)[1], "choice": "left"}, token
        )

    for k in range(12):
        yield Case(f"random {k}", with_token(hexed(k) * 2), (401,))
    for token in ("", " ", "1", "0" * 64, "null", "undefined", "é", "a" * 300, "Bearer", "admin"):
        yield Case(f"token {token[:12]!r}", with_token(token), (400, 401))
    changes: dict[str, Callable[[str], str]] = {
        "one digit": lambda t: ("1" if t[0] == "0" else "0") + t[1:],
        "shorter": lambda t: t[:-1], "longer": lambda t: t + "0", "upper": str.upper,
        "reversed": lambda t: t[::-1], "hashed": lambda t: hashlib.sha256(t.encode()).hexdigest(),
    }  # fmt: skip
    for name, change in changes.items():

        def changed(world: World, change: Callable[[str], str] = change) -> bytes:
            token, question = unanswered(world)
            return message("/api/votes", {"question": question, "choice": "left"}, change(token))

        yield Case(name, changed, (401,))
    for path in ("/api/session", "/api/overview"):
        for header in (
            (),
            ("authorization: Basic YTph",),
            ("cookie: token=1",),
            ("authorization:",),
        ):
            yield Case(
                f"{path} {header}",
                lambda w, p=path, h=header: message(p, method="GET", body=b"", headers=h),
                (401,),
            )

    def overview(token: Callable[[World], str]) -> Callable[[World], bytes]:
        return lambda w: message("/api/overview", method="GET", body=b"", token=token(w))

    yield Case("session token opens the overview", overview(lambda w: w.token), (401,))
    yield Case("overview token cut", overview(lambda w: w.study.overview_token()[:-1]), (401,))
    yield Case("overview token upper", overview(lambda w: w.study.overview_token().upper()), (401,))

    def overview_votes(world: World) -> bytes:
        vote = {"question": unanswered(world)[1], "choice": "left"}
        return message("/api/votes", vote, world.study.overview_token())

    yield Case("overview token votes", overview_votes, (401,))


def identities() -> Iterator[Case]:
    visit = hexed("attacker")
    wrong: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
        "nobody": ({}, (422,)),
        "two platforms": ({"rater": "a", "workerId": "b", "assignmentId": "c"}, (422,)),
        "preview": ({"workerId": "W", "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"}, (422,)),
        "no consent": ({"rater": "a", "consent": False}, (422,)),
        "consent in words": ({"rater": "a", "consent": "true"}, (422,)),
        "long": ({"rater": "a" * 129}, (422,)),
        "formula": ({"rater": "=1+1"}, (422,)),
        "line": ({"rater": "a\nb"}, (422,)),
        "number": ({"rater": 5}, (422,)),
        "visit too short": ({"rater": "a", "visit": "1"}, (422,)),
    }
    for name, (changes, statuses) in wrong.items():
        begun = {"consent": True, "visit": visit, **changes}
        yield Case(name, lambda w, b=begun: message("/api/sessions", b), statuses)
    for k in range(12):  # a name that is known, from another browser
        begun = {"consent": True, "visit": visit, "rater": f"victim{k}"}
        yield Case(f"victim{k}", lambda w, b=begun: message("/api/sessions", b), (403,))
    for method, path in itertools.product(
        ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"),
        ("/api/votes", "/api/sessions", "/api/session", "/"),
    ):
        yield Case(
            f"{method} {path}",
            lambda w, m=method, p=path: message(p, {}, w.token, method=m),
            (400, 405),
        )


GROUPS = (replays, guesses, identities)
