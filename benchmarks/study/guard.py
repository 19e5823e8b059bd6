"""Security headers of every response, and rate limits per address and per session."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections import OrderedDict

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import UserError

MTURK = "https://www.mturk.com https://workersandbox.mturk.com"
ANCESTOR = re.compile(r"(https?://)?(\*\.)?[A-Za-z0-9.-]+(:[0-9]+)?")
# (requests a second, burst). A hundred raters behind one address, each answering as fast as
# possible and loading three pictures per question, stay below the first; one rater far below the
# last.
PER_ADDRESS = (300.0, 10_000.0)
NEW_SESSIONS_PER_ADDRESS = (0.5, 300.0)
VOTES_PER_SESSION = (5.0, 60.0)


class Limit:
    """Token buckets by key: ``burst`` requests at once, then ``rate`` per second. Only the ``keys``
    most recently used buckets are kept, which bounds memory."""

    def __init__(self, rate: float, burst: float, keys: int = 20_000) -> None:
        self.rate, self.burst, self.keys = rate, burst, keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, at time

    def wait(self, key: str, now: float) -> int:
        """Count a request of ``key`` at ``now`` (seconds); returns 0, or the seconds to wait."""
        left, at = self._buckets.pop(key, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.rate)
        self._buckets[key] = left - (left >= 1), now
        if len(self._buckets) > self.keys:
            self._buckets.popitem(last=False)
        return 0 if left >= 1 else max(1, math.ceil((1 - left) / self.rate))


def address_key(host: str) -> str:
    """Return one key for all addresses of a connection: for IPv6, the first 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host


def security_headers(frame_ancestors: str, pictures: str) -> list[tuple[bytes, bytes]]:
    """Return headers for all responses. ``frame_ancestors``: sites that may frame the page, or
    'none'; ``pictures``: allowed sources of pictures. Raises UserError for anything but names of
    sites, which could inject other rules."""
    for site in frame_ancestors.split():
        if site != "none" and not ANCESTOR.fullmatch(site):
            raise UserError(f"--frame-ancestors {site}: name sites, e.g. https://www.mturk.com")
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
    """The outermost ASGI layer: adds the headers and applies the limit per address."""

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
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        wait = self.limit.wait(address_key((scope["client"] or ("?",))[0]), time.monotonic())
        if wait:
            await too_many(wait)(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)


def too_many(seconds: int) -> JSONResponse:
    """Return the response to too many requests."""
    return JSONResponse(
        {"error": f"Too many requests. Please wait {seconds} seconds."}, 429,
        {"retry-after": str(seconds)},
    )  # fmt: skip
