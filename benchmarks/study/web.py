"""Helpers shared by the web servers: safe reading of requests, static files, JSON answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import urlsplit

import uvicorn
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from models.errors import UserError

SECONDS = 10  # for a request to arrive
UNREAD = (403, 408, 413, 415)  # sent before the whole request was read


class Refused(Exception):
    """A refused request, which changes nothing; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Body(BaseModel):
    """Base class of request bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Sent = TypeVar("Sent", bound=Body)


async def body(request: Request, kind: type[Sent], most: int) -> Sent:
    """Read the JSON body of ``request`` as ``kind``. Raises Refused if it is anything else, longer
    than ``most`` bytes, or sent by a page of another site.

    Reads in chunks and stops at the limit, whatever Content-Length says.
    """
    _refuse_other_sites(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "Send application/json.")
    claimed = request.headers.get("content-length", "0")
    if not claimed.isdecimal() or len(claimed) > 9 or int(claimed) > most:
        raise Refused(413, f"Send at most {most:,} bytes.")
    received = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for piece in request.stream():
                received += piece
                if len(received) > most:
                    raise Refused(413, f"Send at most {most:,} bytes.")
    except TimeoutError:
        raise Refused(408, "The request took too long.") from None
    except ClientDisconnect:
        raise Refused(400, "The request ended early.") from None
    try:
        return kind.model_validate_json(bytes(received))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        malformed = first["type"] == "json_invalid"
        # Only names of our own fields: nothing that was sent is echoed.
        where = next((str(at) for at in first["loc"] if at in kind.model_fields), "the body")
        told = "The body is not JSON." if malformed else f"Not understood: {where}."
        raise Refused(400 if malformed else 422, told) from None


def _refuse_other_sites(request: Request) -> None:
    """Refuse requests by pages of other sites, by the rule of Go's net/http.CrossOriginProtection:
    browsers send Sec-Fetch-Site, older ones Origin; other clients send neither and are allowed."""
    site, origin = (request.headers.get(name) for name in ("sec-fetch-site", "origin"))
    own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not (own if site is None else site in ("same-origin", "none")):
        raise Refused(403, "Requests from other sites are not allowed.")


def files(package: str, named: Mapping[str, tuple[str, str]]) -> list[Route]:
    """Return routes for static files; ``named``: URL path -> (name in the package, media type)."""
    return [
        *(Route(path, _file(package, *file)) for path, file in named.items()),
        Route("/favicon.ico", _nothing),  # requested by browsers automatically
    ]


def _file(package: str, name: str, kind: str) -> Callable[[Request], Any]:
    content = resources.files(package).joinpath(name).read_bytes()

    async def file(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return file


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


def answer(content: Any, status: int = 200, **headers: str) -> JSONResponse:
    """Return a JSON response that is not cached."""
    return JSONResponse(content, status, {"cache-control": "no-store", **headers})


async def refused(_: Request, error: Exception) -> Response:
    """Return the response to ``Refused``."""
    assert isinstance(error, Refused)
    # The rest of such a body is not read, so the connection must close.
    headers = {"connection": "close"} if error.status in UNREAD else {}
    return answer({"error": str(error)}, error.status, **headers)


async def not_found(_: Request, error: Exception) -> Response:
    """Return the response to a wrong path or method."""
    assert isinstance(error, HTTPException)
    return answer({"error": error.detail}, error.status_code, **dict(error.headers or {}))


def serve(
    app: ASGIApp, host: str, port: int, options: str, welcome: Callable[[str], None],
    **settings: Any,
) -> None:  # fmt: skip
    """Serve ``app`` at ``host``:``port`` (0: any free one) until SIGINT or SIGTERM; ``welcome`` is
    told its URL, and ``settings`` are uvicorn's. Raises UserError, which names the ``options`` for
    host and port, if the address is not available."""
    config = uvicorn.Config(
        app,
        # The access log would record raters' ids and addresses.
        access_log=False, log_level="warning", server_header=False, **settings,
    )  # fmt: skip
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}:{port} ({reason}): choose another {options}"
        ) from None
    with listener:
        shown = f"[{host}]" if ":" in host else host
        welcome(f"http://{shown}:{listener.getsockname()[1]}")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after a clean stop
            uvicorn.Server(config).run(sockets=[listener])
