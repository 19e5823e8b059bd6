"""The study's web server: one page, a few requests, pictures by their public ids."""

from __future__ import annotations

import asyncio
import functools
import hmac
import logging
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from benchmarks.study.folder import PICTURES, Study
from benchmarks.study.guard import Guard, too_many
from benchmarks.study.limits import NEW_SESSIONS_PER_ADDRESS, VOTES_PER_SESSION, Limit, address_key
from benchmarks.study.overview import overview
from benchmarks.study.requests import Arrival, Vote, bearer, body
from benchmarks.study.sessions import (
    Moment,
    Refused,
    find_session,
    open_session,
    resume,
    state,
    vote,
)
from benchmarks.study.store import Writer

PUBLIC_ID = re.compile(r"[0-9a-f]{32}")
PAGES = {
    "/": ("index.html", "text/html"),
    "/overview": ("overview.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/overview.js": ("overview.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}


class StudyServer:
    """The requests that a study answers."""

    def __init__(self, study: Study, stall_minutes: float) -> None:
        self.study = study
        self.stall = round(60_000 * stall_minutes)
        self.writer = Writer(study.database)
        self.new_sessions = Limit(*NEW_SESSIONS_PER_ADDRESS)
        self.votes = Limit(*VOTES_PER_SESSION)
        with study.connect() as connection:
            self.files = dict(connection.execute("SELECT id, file FROM pictures").fetchall())
        self.read_picture = functools.lru_cache(maxsize=512)(self._read_picture)

    def app(self, frame_ancestors: str) -> ASGIApp:
        """The application; closes the database when the server stops."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            self.writer.close()

        routes = [
            *(Route(path, _page(*page)) for path, page in PAGES.items()),
            Route("/favicon.ico", _nothing),  # browsers ask for it unasked
            Route("/pictures/{name}", self.picture),
            Route("/api/study", self.about),
            Route("/api/sessions", self.begin, methods=["POST"]),
            Route("/api/session", self.look),
            Route("/api/votes", self.take_vote, methods=["POST"]),
            Route("/api/overview", self.show_overview),
        ]
        starlette = Starlette(
            routes=routes,
            lifespan=lifespan,
            exception_handlers={
                Refused: _refused,
                HTTPException: _not_found,
                sqlite3.OperationalError: _unavailable,
            },
        )
        starlette.router.redirect_slashes = False
        return Guard(starlette, frame_ancestors)

    def moment(self) -> Moment:
        now = time.time_ns() // 1_000_000
        return Moment(now, now - self.stall)

    async def about(self, request: Request) -> Response:
        """What is shown before consent."""
        settings = self.study.settings
        return _json(
            {
                "name": self.study.name,
                "title": settings.title,
                "instructions": settings.instructions,
                "consent": settings.consent,
                "contact": settings.contact,
                "per_rater": self.study.design.per_rater,
                "completion_url": settings.completion_url,
            }
        )

    async def begin(self, request: Request) -> Response:
        """A session for a rater who consented: a new one, or theirs."""
        host = address_key(request.client.host if request.client else "?")
        wait = self.new_sessions.wait(host, time.monotonic())
        if wait:
            return too_many(wait)
        who = (await body(request, Arrival)).identity()

        def work(connection: sqlite3.Connection) -> dict[str, Any]:
            session = open_session(connection, self.study, who, self.moment())
            token = self.study.session_token(session)
            return {"token": token, "state": state(connection, self.study, session)}

        return _json(await self.writer.run(work))

    async def look(self, request: Request) -> Response:
        """Where a session stands."""
        token = bearer(request)

        def work(connection: sqlite3.Connection) -> dict[str, Any]:
            session = find_session(connection, token)
            resume(connection, session, self.moment())
            return state(connection, self.study, session)

        return _json(await self.writer.run(work))

    async def take_vote(self, request: Request) -> Response:
        """A vote, acknowledged once it is on the disk."""
        token = bearer(request)
        wait = self.votes.wait(token, time.monotonic())
        if wait:
            return too_many(wait)
        given = await body(request, Vote)

        def work(connection: sqlite3.Connection) -> dict[str, Any]:
            session = find_session(connection, token)
            vote(connection, session, given.question, given.choice, self.moment())
            return state(connection, self.study, session)

        return _json(await self.writer.run(work))

    async def picture(self, request: Request) -> Response:
        """A picture of the study. Ids are looked up, never joined to a path."""
        public, _, kind = request.path_params["name"].partition(".")
        file = self.files.get(public) if PUBLIC_ID.fullmatch(public) and kind == "png" else None
        if file is None:
            raise HTTPException(404)
        headers = {"cache-control": "private, max-age=86400, immutable"}
        return Response(self.read_picture(file), media_type="image/png", headers=headers)

    async def show_overview(self, request: Request) -> Response:
        """The experimenter's figures."""
        given = bearer(request).encode()
        if not hmac.compare_digest(given, self.study.overview_token().encode()):
            raise Refused(401, "Wrong token. Use the address that the server printed.")

        def read() -> dict[str, Any]:
            with self.study.connect() as connection:
                return overview(connection, self.study, self.moment().gone_before)

        return _json(await asyncio.to_thread(read))

    def _read_picture(self, file: str) -> bytes:
        return (self.study.path / PICTURES / f"{file}.png").read_bytes()


def _page(file: str, kind: str) -> Callable[[Request], Any]:
    content = resources.files("benchmarks.study").joinpath("static", file).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return page


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


def _json(content: Any, status: int = 200, **headers: str) -> JSONResponse:
    return JSONResponse(content, status, {"cache-control": "no-store", **headers})


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    # The rest of a body that was given up is not read: the connection ends with the answer.
    headers = {"connection": "close"} if error.status in (408, 413, 415) else {}
    return _json({"error": str(error)}, error.status, **headers)


async def _not_found(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code, **dict(error.headers or {}))


async def _unavailable(_: Request, error: Exception) -> Response:
    """The database could not be written (a full disk, a lock): nothing was stored; try again."""
    logging.getLogger("uvicorn.error").error("the study's database: %s", error)
    told = "The study cannot store answers at present. Try again, please."
    return _json({"error": told}, 503, **{"retry-after": "2"})
