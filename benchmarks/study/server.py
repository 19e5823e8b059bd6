"""The study's web server: the pages, a small JSON API, and pictures by public id."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hmac
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from pydantic import StringConstraints
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from benchmarks.study import web
from benchmarks.study.folder import PICTURES, Study
from benchmarks.study.guard import (
    NEW_SESSIONS_PER_ADDRESS,
    VOTES_PER_SESSION,
    Guard,
    Limit,
    address_key,
    too_many,
)
from benchmarks.study.sessions import (
    Identity,
    Moment,
    find_session,
    open_session,
    resume,
    state,
    vote,
)
from benchmarks.study.store import Writer
from benchmarks.study.votes import overview
from benchmarks.study.web import Body, Refused, answer, body, files, not_found, refused

MOST_CONNECTIONS = 2000
PAGES = {
    "/": ("static/index.html", "text/html"),
    "/overview": ("static/overview.html", "text/html"),
    "/app.js": ("static/app.js", "text/javascript"),
    "/overview.js": ("static/overview.js", "text/javascript"),
    "/style.css": ("static/style.css", "text/css"),
}
MOST_BYTES = 4096  # of a request

# Starts with a letter or digit, so that no spreadsheet reads an exported id as a formula.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+:=-]{0,127}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"


class Arrival(Body):
    """Consent, and the rater's ids from the recruiting platform's link."""

    consent: Literal[True]
    visit: Hex
    rater: Name | None = None
    workerId: Name | None = None
    assignmentId: Name | None = None
    hitId: Name | None = None
    PROLIFIC_PID: Name | None = None
    STUDY_ID: Name | None = None
    SESSION_ID: Name | None = None

    def identity(self) -> Identity:
        """Return the rater's identity. If the link holds only a name, the browser's random
        ``visit`` stands in for a session, and the name belongs to that browser."""
        if self.assignmentId == PREVIEW:
            raise Refused(422, "This is a preview. Please accept the task to begin.")
        named = [
            ("mturk", self.workerId, self.assignmentId),
            ("prolific", self.PROLIFIC_PID, self.SESSION_ID),
            ("link", self.rater, None),
        ]
        found = [(platform, name, visit) for platform, name, visit in named if name is not None]
        if len(found) != 1:
            raise Refused(422, "Your link must name one participant. Please use the original link.")
        platform, name, visit = found[0]
        return Identity(platform, name, visit or self.visit, several=visit is not None)  # type: ignore[arg-type]


class Vote(Body):
    """The translation that a rater chose."""

    question: Hex
    choice: Literal["left", "right"]


def bearer(request: Request) -> str:
    """Return the token of the Authorization header; raises Refused if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= 256:
        raise Refused(401, "A token is required.")
    return token


class StudyServer:
    """A study's request handlers. ``stall_minutes``: idle time after which a rater is gone."""

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
        """Return the application, which closes the database when the server stops."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            self.writer.close()

        routes = [
            *files("benchmarks.study", PAGES),
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
                Refused: refused,
                HTTPException: not_found,
                sqlite3.OperationalError: _unavailable,
            },
        )
        starlette.router.redirect_slashes = False
        return Guard(starlette, frame_ancestors)

    def moment(self) -> Moment:
        now = time.time_ns() // 1_000_000
        return Moment(now, now - self.stall)

    async def about(self, request: Request) -> Response:
        told = self.study.settings.model_dump(mode="json", exclude={"design"})
        return answer(told | {"name": self.study.name, "per_rater": self.study.design.per_rater})

    async def begin(self, request: Request) -> Response:
        """Open or resume the session of a rater who consented."""
        host = address_key(request.client.host if request.client else "?")
        if wait := self.new_sessions.wait(host, time.monotonic()):
            return too_many(wait)
        who = (await body(request, Arrival, MOST_BYTES)).identity()

        def work(connection: sqlite3.Connection) -> dict[str, Any]:
            session = open_session(connection, self.study, who, self.moment())
            token = self.study.session_token(session)
            return {"token": token, "state": state(connection, self.study, session)}

        return answer(await self.writer.run(work))

    async def look(self, request: Request) -> Response:
        """Return the state of a session."""
        return await self._in_session(bearer(request), resume)

    async def take_vote(self, request: Request) -> Response:
        """Store a vote; it is acknowledged once it is on disk."""
        token = bearer(request)
        if wait := self.votes.wait(token, time.monotonic()):
            return too_many(wait)
        given = await body(request, Vote, MOST_BYTES)

        def take(connection: sqlite3.Connection, session: int, when: Moment) -> None:
            vote(connection, session, given.question, given.choice, when)

        return await self._in_session(token, take)

    async def _in_session(
        self, token: str, do: Callable[[sqlite3.Connection, int, Moment], None]
    ) -> Response:
        def work(connection: sqlite3.Connection) -> dict[str, Any]:
            session = find_session(connection, token)
            do(connection, session, self.moment())
            return state(connection, self.study, session)

        return answer(await self.writer.run(work))

    async def picture(self, request: Request) -> Response:
        """Return a picture of the study. Ids are looked up, never joined to a path."""
        public, _, kind = request.path_params["name"].partition(".")
        file = self.files.get(public) if kind == "png" else None
        if file is None:
            raise HTTPException(404)
        headers = {"cache-control": "private, max-age=86400, immutable"}
        return Response(self.read_picture(file), media_type="image/png", headers=headers)

    async def show_overview(self, request: Request) -> Response:
        """Return the experimenter's overview."""
        given = bearer(request).encode()
        if not hmac.compare_digest(given, self.study.overview_token().encode()):
            raise Refused(401, "Wrong token. Use the URL that the server printed.")

        def read() -> dict[str, Any]:
            with self.study.connect() as connection:
                return overview(connection, self.study, self.moment().gone_before)

        return answer(await asyncio.to_thread(read))

    def _read_picture(self, file: str) -> bytes:
        return (self.study.path / PICTURES / f"{file}.png").read_bytes()


async def _unavailable(_: Request, error: Exception) -> Response:
    """Answer 503 if the database could not be written (full disk, lock); nothing was stored."""
    logging.getLogger("uvicorn.error").error("the study's database: %s", error)
    told = "The study cannot save answers right now. Please try again."
    return answer({"error": told}, 503, **{"retry-after": "2"})


def serve(
    study: Study, host: str, port: int, stall_minutes: float, frame_ancestors: str,
    trust_proxy: str | None,
) -> None:  # fmt: skip
    """Serve ``study`` at ``host``:``port`` (0: any free one) until SIGINT or SIGTERM.
    ``trust_proxy``: addresses of proxies whose X-Forwarded-For is trusted. Raises UserError if the
    address is not available."""
    app = StudyServer(study, stall_minutes).app(frame_ancestors)

    def welcome(site: str) -> None:
        print(f"raters:   {site}/?rater=NAME")
        print(f"overview: {site}/overview#{study.overview_token()}")
        told = f"After {stall_minutes:g} idle minutes, unanswered questions may go to other raters."
        print(f"{told} Press Ctrl-C to stop.", flush=True)

    web.serve(
        app, host, port, "--host or --port", welcome,
        limit_concurrency=MOST_CONNECTIONS, timeout_keep_alive=65, timeout_graceful_shutdown=10,
        proxy_headers=bool(trust_proxy), forwarded_allow_ips=trust_proxy,
    )  # fmt: skip
