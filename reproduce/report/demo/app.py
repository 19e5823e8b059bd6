"""The page's server, for one person on one machine: pictures come in, translations go out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import io
import threading
import warnings
import webbrowser
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Annotated, Any

import numpy as np
import uvicorn
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from torch import Tensor

from benchmarks.pictures import to_bytes
from benchmarks.study.server import listening
from models.errors import UserError
from reproduce.report.demo.networks import SHOWN, Network
from reproduce.tasks.pictures import DECODER_ERRORS

HOST = "127.0.0.1"
MOST_BYTES, MOST_PIXELS = 20_000_000, 50_000_000  # of a picture that is sent, and of what is in it
MOST_SAMPLES = 32  # translations of one request and network
PREFIX = "data:image/png;base64,"
PAGES = {
    "/": ("index.html", "text/html"),
    "/demo.js": ("demo.js", "text/javascript"),
    "/demo.css": ("demo.css", "text/css"),
}
# Nothing is fetched from elsewhere, and no other site may ask.
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
Style = Annotated[list[Annotated[float, Field(ge=-100, le=100)]], Field(max_length=4096)]


class Asked(BaseModel):
    """Translations, or a style: of a ``picture`` (a data URL) by ``networks`` (their numbers)."""

    model_config = ConfigDict(extra="forbid", strict=True)
    picture: str
    networks: list[int] = Field(min_length=1, max_length=64)
    seeds: list[int] = Field(default=[], max_length=MOST_SAMPLES)
    styles: list[Style] = Field(default=[], max_length=MOST_SAMPLES)


class Demo:
    """The requests that the page makes."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = networks
        self.groups: dict[str, list[int]] = {}
        for number, network in enumerate(networks):
            self.groups.setdefault(network.task, []).append(number)
        self._one_at_a_time = threading.Lock()

    def app(self) -> Starlette:
        routes = [
            *(Route(path, _page(*page)) for path, page in PAGES.items()),
            Route("/favicon.ico", _nothing),
            Route("/api/tasks", self._answer(self.tasks)),
            Route("/api/task", self._answer(self.task), methods=["POST"]),
            Route("/api/translate", self._answer(self.translate), methods=["POST"]),
            Route("/api/style", self._answer(self.style), methods=["POST"]),
        ]
        # A name that points here is no way in for other sites.
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        return Starlette(routes=routes, middleware=[hosts])

    def tasks(self, _: bytes) -> dict[str, Any]:
        """What there is to choose from."""
        return {"tasks": list(self.groups)}

    def task(self, body: bytes) -> dict[str, Any]:
        """The networks of a task, by its number, and test pictures."""
        try:
            numbers = list(self.groups.values())[int(body)]
        except (ValueError, IndexError):
            raise UserError("there is no such task: load the page again") from None
        networks = [self.networks[number] for number in numbers]
        domains = next((n.domains for n in networks if n.domains is not None), None)
        inputs, examples = (
            (
                [_url(np.asarray(of.read(i))) for i in range(min(SHOWN, len(of)))]
                for of in domains or ()
            )
            if domains
            else ([], [])
        )
        return {
            "size": networks[0].run.size,
            "draws": networks[0].of_edges,
            "networks": [
                {
                    "number": number, "title": network.title, "method": network.run.method,
                    "numbers": network.numbers, "random": bool(network.roles),
                    "guided": network.guided,
                }
                for number, network in zip(numbers, networks, strict=True)
            ],
            "inputs": inputs,
            "examples": examples,
        }  # fmt: skip

    def translate(self, body: bytes) -> dict[str, Any]:
        """By network: pictures and the codes of their styles."""
        asked = _asked(body)
        picture, found = _picture(asked.picture), {}
        for network in self._named(asked):
            for style in asked.styles:
                if len(style) != network.numbers:
                    raise UserError(f"{network.title} takes styles of {network.numbers} numbers")
            pictures, codes = network.translations(picture, asked.seeds or [0], asked.styles)
            shown = [_url(of) for of in _pixels(pictures)]
            found[self.networks.index(network)] = {"pictures": shown, "codes": codes}
        return {"translations": found}

    def style(self, body: bytes) -> dict[str, Any]:
        """The style code of an example picture."""
        asked = _asked(body)
        (network, *_) = self._named(asked)
        return {"style": network.style_of(_picture(asked.picture))}

    def _named(self, asked: Asked) -> list[Network]:
        if not all(0 <= number < len(self.networks) for number in asked.networks):
            raise UserError("there is no such network: load the page again")
        return [self.networks[number] for number in asked.networks]

    def _answer(self, work: Callable[[bytes], dict[str, Any]]) -> Callable[[Request], Any]:
        def locked(body: bytes) -> dict[str, Any]:
            with self._one_at_a_time:
                return work(body)

        async def answer(request: Request) -> Response:
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    told = f"send a picture of less than {MOST_BYTES // 1_000_000} MB"
                    return JSONResponse({"error": told}, 413, {**HEADERS, "connection": "close"})
            try:
                return JSONResponse(await asyncio.to_thread(locked, body), headers=HEADERS)
            except UserError as error:
                return JSONResponse({"error": str(error)}, 400, HEADERS)

        return answer


def serve(networks: Sequence[Network], port: int, browser: bool) -> None:
    """Serve the page at ``port`` (0: any free one) of this machine until it is stopped, and open it.

    Raises UserError where the port cannot be had.
    """
    app = Demo(networks).app()
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    with listening(HOST, port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        print(f"{address}  (Ctrl-C stops)", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _asked(body: bytes) -> Asked:
    try:
        return Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the request"
        raise UserError(f"{where}: {first['msg']}") from None


def _picture(url: str) -> Image.Image:
    """A data URL as RGB, transparency over white; UserError for anything else."""
    kind, comma, text = url.partition(",")
    wrong = UserError("that is no picture that can be read: use a PNG, JPEG or WebP file")
    if not comma or not kind.startswith("data:image/"):
        raise wrong
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            data = base64.b64decode(text, validate=True)
            picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
            if picture.width * picture.height > MOST_PIXELS or min(picture.size) < 8:
                raise UserError(f"the picture has {picture.width} x {picture.height} pixels: use "
                                "one of at least 8 x 8, and of less than 50 megapixels")  # fmt: skip
            paper = Image.new("RGBA", picture.size, "white")
            paper.alpha_composite(picture.convert("RGBA"))
            return paper.convert("RGB")
    except UserError:
        raise
    except (binascii.Error, *DECODER_ERRORS) as error:
        raise wrong from error


def _pixels(pictures: Tensor) -> np.ndarray[Any, Any]:
    """(N, 3, H, W) in [-1, 1] as bytes (N, H, W, 3)."""
    found: np.ndarray[Any, Any] = to_bytes(pictures).permute(0, 2, 3, 1).numpy()
    return found


def _url(pixels: np.ndarray[Any, Any]) -> str:
    """(H, W, 3) bytes as a data URL."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return PREFIX + base64.b64encode(file.getvalue()).decode()


def _page(file: str, kind: str) -> Callable[[Request], Any]:
    content = resources.files("reproduce.report.demo").joinpath(file).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return page


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)
