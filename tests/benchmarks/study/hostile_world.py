"""A served study under attack, and the bytes that it is sent."""

import hashlib
import itertools
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from study_case import Served, hexed

from benchmarks.study.folder import Study


def raw(port: int, request: bytes, *, hang_up: bool = False) -> tuple[int, bytes]:
    """Send bytes as they are; the status of the answer (0: none) and all of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass  # it hung up while we were still sending
    return (int(answer.split()[1]) if answer else 0), answer


def message(
    path: str, content: Any = None, token: str | None = None, *, method: str = "POST",
    body: bytes | None = None, headers: tuple[str, ...] = (),
) -> bytes:  # fmt: skip
    data = json.dumps(content).encode() if body is None else body
    lines = [f"{method} {path} HTTP/1.1", "host: study", "connection: close", *headers]
    if not any(h.startswith(("content-length", "transfer-encoding")) for h in headers):
        lines.append(f"content-length: {len(data)}")
    if not any(h.startswith("content-type") for h in headers):
        lines.append("content-type: application/json")
    if token is not None:
        lines.append(f"authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + data


@dataclass
class World:
    """A served study with raters in it."""

    server: Served
    study: Study
    sessions: list[dict[str, Any]] = field(default_factory=list)
    turns: Iterator[int] = field(default_factory=itertools.count)

    def post(self, path: str, content: Any, token: str | None = None) -> tuple[int, Any]:
        status, answer = raw(self.server.port, message(path, content, token))
        return status, json.loads(answer.partition(b"\r\n\r\n")[2])

    def vote(self, session: dict[str, Any], choice: str) -> Any:
        """The state after a vote on the question that the state of ``session`` shows."""
        vote = {"question": session["state"]["question"]["id"], "choice": choice}
        status, state = self.post("/api/votes", vote, session["token"])
        assert status == 200
        return state

    def join(self, name: str, **link: str) -> dict[str, Any]:
        begun = {"consent": True, "visit": hexed(name)} | (link or {"rater": name})
        status, opened = self.post("/api/sessions", begun)
        assert status == 200
        self.sessions.append(opened)
        return opened

    @property
    def attacker(self) -> dict[str, Any]:
        """A session with a valid token. They take turns, or the limit of each would answer."""
        return self.sessions[next(self.turns) % len(self.sessions)]

    def question(self, which: str) -> tuple[str, str]:
        """A token, and its rater's "question", which is answered with 'left', or their "next"."""
        attacker = self.attacker
        return attacker["token"], attacker["state"][which]["id"]

    def contents(self) -> str:
        """A digest of all that requests could change."""
        tables = ("votes", "seats", "sessions", "raters", "meta", "hits")
        with self.study.connect() as connection:
            rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
        return hashlib.sha256(repr(rows).encode()).hexdigest()
