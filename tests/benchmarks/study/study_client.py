"""Raters as a program: a small HTTP client that costs little, and people who vote with it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def send(
        self, method: str, path: str, content: Any = None, token: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body; OSError or EOFError where the server is gone."""
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = b"" if content is None else json.dumps(content).encode()
        lines = [f"{method} {path} HTTP/1.1", "host: study", f"content-length: {len(body)}"]
        lines += ["content-type: application/json"] if body else []
        lines += [f"authorization: Bearer {token}"] if token else []
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            length = next(int(h.split(":")[1]) for h in head if h.startswith("content-length:"))
            return int(head[0].split()[1]), await self.reader.readexactly(length)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def hexed(*words: object) -> str:
    """32 hexadecimal digits that follow from ``words``."""
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def taste(rater: str, question: dict[str, str]) -> str:
    """What a rater answers: any rule will do that the test can work out again."""
    return "left" if hexed(rater, question["left"]) < hexed(rater, question["right"]) else "right"


@dataclass
class Rater:
    """Someone who answers a whole session, looking at each question for ``look`` seconds."""

    name: str
    port: int
    votes: dict[str, str] = field(default_factory=dict)
    """Acknowledged: question -> public id of the picture chosen."""
    vote_seconds: list[float] = field(default_factory=list)
    begin_seconds: list[float] = field(default_factory=list)
    code: str | None = None

    async def answer(self, *, pictures: bool = True, look: float = 0.0) -> None:
        client = Client(self.port)
        state, token = None, None
        while self.code is None:
            try:
                if token is None:
                    begun = {"consent": True, "rater": self.name, "visit": hexed(self.name)}
                    opened = await self._ask(client, "POST", "/api/sessions", begun)
                    token, state = opened["token"], opened["state"]
                state = await self._answer(client, state, token, pictures, look)
            except (OSError, EOFError):
                await asyncio.sleep(0.1)  # the server is gone: try again, as the page does
        client.close()

    async def _answer(
        self, client: Client, state: dict[str, Any], token: str, pictures: bool, look: float
    ) -> dict[str, Any]:
        question = state["question"]
        if question is None:
            self.code = state["code"]
            return state
        for role in ("input", "left", "right") if pictures else ():
            status, data = await client.send("GET", f"/pictures/{question[role]}.png")
            assert status == 200 and data.startswith(b"\x89PNG"), status
        await asyncio.sleep(look)
        choice = taste(self.name, question)
        vote = {"question": question["id"], "choice": choice}
        after = await self._ask(client, "POST", "/api/votes", vote, token)
        self.votes[question["id"]] = question[choice]
        return after

    async def _ask(
        self, client: Client, method: str, path: str, content: Any, token: str | None = None
    ) -> Any:
        begun = time.perf_counter()
        status, body = await client.send(method, path, content, token)
        kind = self.vote_seconds if path == "/api/votes" else self.begin_seconds
        kind.append(time.perf_counter() - begun)
        assert status == 200, (path, status, body)
        return json.loads(body)


def stored_choices(connection: Any) -> dict[tuple[str, str], str]:
    """What the database holds: (rater's name, question) -> public id of the picture chosen."""
    rows = connection.execute(
        "SELECT name, questions.id, CASE WHEN (choice = 'left') = first_left THEN first_picture "
        "ELSE second_picture END FROM votes JOIN seats ON seats.id = votes.seat "
        "JOIN questions ON questions.id = seats.question JOIN raters ON raters.id = seats.rater"
    ).fetchall()
    found = {(name, question): picture for name, question, picture in rows}
    assert len(found) == len(rows)
    return found
