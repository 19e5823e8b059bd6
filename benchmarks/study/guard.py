"""Around every answer: headers that bind the browser, and a limit for every address."""

from __future__ import annotations

import re
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.study.limits import PER_ADDRESS, Limit, address_key
from models.errors import UserError

MTURK = "https://www.mturk.com https://workersandbox.mturk.com"
ANCESTOR = re.compile(r"(https?://)?(\*\.)?[A-Za-z0-9.-]+(:[0-9]+)?")


def security_headers(frame_ancestors: str, pictures: str) -> list[tuple[bytes, bytes]]:
    """Headers for all answers. ``frame_ancestors``: sites that may frame the page, or 'none';
    ``pictures``: where it may take pictures from.

    Raises UserError for anything but names of sites, which could smuggle other rules in.
    """
    for site in frame_ancestors.split():
        if site != "none" and not ANCESTOR.fullmatch(site):
            raise UserError(f"--frame-ancestors {site}: write sites, e.g. https://www.mturk.com")
    framed = frame_ancestors if frame_ancestors.split() not in ([], ["none"]) else "'none'"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {pictures}; "
        f"connect-src 'self'; base-uri 'none'; form-action {MTURK}; frame-ancestors {framed}"
    )
    named = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "x-robots-tag": "noindex",
    }
    return [(name.encode(), value.encode()) for name, value in named.items()]


class Guard:
    """The whole application's outermost layer."""

    def __init__(
        self, app: ASGIApp, frame_ancestors: str = "none", pictures: str = "'self'"
    ) -> None:
        self.app = app
        self.framed = security_headers(frame_ancestors, pictures)
        self.unframed = security_headers("none", pictures)
        self.limit = Limit(*PER_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = self.unframed if scope["path"].startswith("/overview") else self.framed

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, headers)
            await send(message)

        wait = self.limit.wait(address_key((scope["client"] or ("?",))[0]), time.monotonic())
        if wait:
            await too_many(wait)(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)


def too_many(seconds: int) -> JSONResponse:
    """The answer to a flood."""
    return JSONResponse(
        {"error": f"Too many requests. Wait {seconds} seconds, please."}, 429,
        {"retry-after": str(seconds)},
    )  # fmt: skip


def _add(message: MutableMapping[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    message["headers"] = [*message.get("headers", []), *headers]
