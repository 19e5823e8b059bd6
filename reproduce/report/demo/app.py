"""The server of the demo page, for one user on one machine: receives pictures, sends translations."""

from __future__ import annotations

import asyncio
import base64
import io
import tempfile
import threading
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from benchmarks.pictures import to_bytes
from benchmarks.study import web
from benchmarks.study.guard import Guard
from benchmarks.study.web import (  # fmt: skip
    Body,
    Refused,
    Sent,
    answer,
    body,
    files,
    not_found,
    refused,
)
from models.errors import UserError
from reproduce.report.demo.networks import SHOWN, Network
from reproduce.tasks.pictures import read_picture
from reproduce.training.styles import slerp

HOST = "127.0.0.1"
MOST_BYTES = 20_000_000  # of a request
MOST_SAMPLES = 32  # translations per request and network
PREFIX = "data:image/png;base64,"
PAGES = {
    "/": ("index.html", "text/html"),
    "/demo.js": ("demo.js", "text/javascript"),
    "/demo.css": ("demo.css", "text/css"),
}
Number = Annotated[int, Field(ge=0)]
Style = Annotated[list[Annotated[float, Field(ge=-100, le=100)]], Field(max_length=4096)]


class Chosen(Body):
    """A request for a task, by its number."""

    task: Number


class Walk(Body):
    """The style interpolated at ``share`` (0 to 1) from ``first`` to ``last``."""

    first: Style
    last: Style
    share: float = Field(ge=0, le=1)


class Asked(Body):
    """A request for translations or the style of a ``picture`` (data URL) by numbered ``networks``."""

    picture: str
    networks: list[Number] = Field(min_length=1, max_length=64)
    seeds: list[Number] = Field(default=[0], min_length=1, max_length=MOST_SAMPLES)
    styles: list[Style] = Field(default=[], max_length=MOST_SAMPLES)
    walk: Walk | None = None


class Demo:
    """The handlers of the page's requests."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = networks
        self.groups: dict[str, list[int]] = {}
        for number, network in enumerate(networks):
            self.groups.setdefault(network.task, []).append(number)
        self._one_at_a_time = threading.Lock()

    def app(self) -> ASGIApp:
        routes = [
            *files("reproduce.report.demo", PAGES),
            Route("/api/tasks", self.tasks),
            Route("/api/task", self._answering(Chosen, self.task), methods=["POST"]),
            Route("/api/translate", self._answering(Asked, self.translate), methods=["POST"]),
            Route("/api/style", self._answering(Asked, self.style), methods=["POST"]),
        ]
        # Against DNS rebinding by other sites.
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        handlers = {Refused: refused, HTTPException: not_found, UserError: _wrong}
        starlette = Starlette(routes=routes, middleware=[hosts], exception_handlers=handlers)
        return Guard(starlette, pictures="'self' data:")

    async def tasks(self, _: Request) -> Response:
        """The names of the tasks."""
        return answer({"tasks": list(self.groups)})

    def task(self, chosen: Chosen) -> dict[str, Any]:
        """The networks and test pictures of a task."""
        groups = list(self.groups.values())
        if chosen.task >= len(groups):
            raise UserError("no such task: reload the page")
        numbers = groups[chosen.task]
        networks = [self.networks[number] for number in numbers]
        domains = next((n.domains for n in networks if n.domains is not None), ())
        inputs, examples = (
            [_url(np.asarray(of.read(i))) for i in range(min(SHOWN, len(of)))] for of in domains
        ) if domains else ([], [])  # fmt: skip
        return {
            "size": networks[0].run.size,
            "draws": networks[0].of_edges,
            "networks": [
                {
                    "number": number, "title": network.title, "method": network.run.method,
                    "numbers": network.numbers, "random": bool(network.roles),
                    "unguided": network.unguided,
                }
                for number, network in zip(numbers, networks, strict=True)
            ],
            "inputs": inputs,
            "examples": examples,
        }  # fmt: skip

    def translate(self, asked: Asked) -> dict[str, Any]:
        """The translated pictures and their style codes, by network."""
        picture, found, styles = _picture(asked.picture), {}, list(asked.styles)
        if (walk := asked.walk) is not None:
            if len(walk.first) != len(walk.last):
                raise UserError("both ends of an interpolation need style codes of equal length")
            ends = torch.tensor(walk.first), torch.tensor(walk.last)
            styles.append(slerp(*ends, walk.share).tolist())
        for number in asked.networks:
            network = self._network(number)
            if any(len(style) != network.numbers for style in styles):
                raise UserError(f"{network.title} takes style codes of {network.numbers} numbers")
            pictures, codes = network.translations(picture, asked.seeds, styles)
            pixels = to_bytes(pictures).permute(0, 2, 3, 1).numpy()
            found[number] = {"pictures": [*map(_url, pixels)], "codes": codes}
        return {"translations": found}

    def style(self, asked: Asked) -> dict[str, Any]:
        """The style code of an example picture."""
        network = self._network(asked.networks[0])
        if network.unguided:
            raise UserError(network.unguided)
        return {"style": network.style_of(_picture(asked.picture))}

    def _network(self, number: int) -> Network:
        if number >= len(self.networks):
            raise UserError("no such network: reload the page")
        return self.networks[number]

    def _answering(
        self, kind: type[Sent], work: Callable[[Sent], dict[str, Any]]
    ) -> Callable[[Request], Awaitable[Response]]:
        def locked(sent: Sent) -> dict[str, Any]:
            with self._one_at_a_time:
                return work(sent)

        async def answering(request: Request) -> Response:
            sent = await body(request, kind, MOST_BYTES)
            return answer(await asyncio.to_thread(locked, sent))

        return answering


def serve(networks: Sequence[Network], port: int, browser: bool) -> None:
    """Serve the page at ``port`` (0: any free one) of this machine until stopped; ``browser`` opens it.

    Raises UserError if the port is not available.
    """
    app = Demo(networks).app()

    def welcome(address: str) -> None:
        print(f"{address}  (Ctrl-C stops)", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    web.serve(app, HOST, port, "--port", welcome)


async def _wrong(_: Request, error: Exception) -> Response:
    return answer({"error": str(error)}, 400)


def _picture(url: str) -> Image.Image:
    """The picture in a data URL, read like those of data sets; UserError for anything else."""
    kind, _, text = url.partition(",")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if not data or not kind.startswith("data:image/"):
        raise UserError("this file is not a picture: open a PNG, JPEG or WebP file")
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            return read_picture(file.name)
        except UserError as error:
            raise UserError(str(error).replace(file.name, "the picture")) from None


def _url(pixels: np.ndarray[Any, Any]) -> str:
    """(H, W, 3) bytes as a data URL."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return PREFIX + base64.b64encode(file.getvalue()).decode()
