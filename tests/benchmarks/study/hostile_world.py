"""A served study under attack, and the bytes that it is sent."""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from study_case import Served
from study_client import hexed

from benchmarks.study.folder import Study
from benchmarks.study.store import connect

REFUSED = (400, 401, 403, 404, 405, 409, 413, 415, 422)


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
    connection: sqlite3.Connection | None = None

    def post(self, path: str, content: Any, token: str | None = None) -> tuple[int, Any]:
        status, answer = raw(self.server.port, message(path, content, token))
        return status, json.loads(answer.partition(b"\r\n\r\n")[2])

    def join(self, name: str) -> dict[str, Any]:
        begun = {"consent": True, "rater": name, "visit": hexed(name)}
        status, opened = self.post("/api/sessions", begun)
        assert status == 200
        self.sessions.append(opened)
        return opened

    @property
    def attacker(self) -> dict[str, Any]:
        """A session with a valid token. They take turns, or the limit of each would answer."""
        return self.sessions[next(self.turns) % len(self.sessions)]

    @property
    def token(self) -> str:
        return self.attacker["token"]

    def contents(self) -> str:
        """A digest of all that requests could change."""
        if self.connection is None:
            self.connection = connect(self.study.database)
        tables = ("votes", "seats", "sessions", "raters", "meta", "hits")
        rows = [self.connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
        return hashlib.sha256(repr(rows).encode()).hexdigest()


@dataclass
class Case:
    name: str
    make: Callable[[World], bytes]
    statuses: tuple[int, ...] = REFUSED
    hang_up: bool = False


def own(world: World) -> tuple[str, str]:
    """A token, and a question that its rater has answered with 'left'."""
    attacker = world.attacker
    return attacker["token"], attacker["state"]["question"]["id"]


def unanswered(world: World) -> tuple[str, str]:
    """A token, and a question that its rater is to answer next."""
    attacker = world.attacker
    return attacker["token"], attacker["state"]["next"]["id"]
