import hashlib
import os
import resource
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.errors import UserError
from reproduce.tasks.download import fetch

BODY = os.urandom(3_000_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``body`` at every path, with the bad habits that a test switches on."""

    daemon_threads = True
    status, kind, body = 200, "application/gzip", BODY
    etag: str | None = '"v1"'
    date: str | None = None
    ranges = honours_if_range = True
    wrong_start = sent = 0
    length: int | None = None  # that is announced; -1: none

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.break_after: list[int] = []  # bytes sent before each of the next answers breaks off
        self.requests: list[str | None] = []  # the Range of each request

    def url(self, name: str = "x.tar.gz") -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


def weak(etag: str | None) -> bool:
    return etag is not None and etag.startswith("W/")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers["Range"]
        server.requests.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        marks = (None, server.date, "" if weak(server.etag) else server.etag)  # RFC 9110, 13.1.5
        fresh = self.headers["If-Range"] in marks
        if asked and server.ranges and (fresh or not server.honours_if_range):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.body)}")
                self.end_headers()
                return
            start += server.wrong_start
            self.send_response(206)
            last = len(server.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", server.kind)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.date:
            self.send_header("Last-Modified", server.date)
        rest = server.body[start:]
        if server.length != -1:
            self.send_header("Content-Length", str(server.length or len(rest)))
        self.end_headers()
        if server.break_after:
            rest = rest[: server.break_after.pop(0)]
        server.sent += len(rest)
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "data" / "x.tar.gz"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def get(target: Path, *urls: str) -> None:
    assert fetch(urls, target, progress=False) == target


def refused(told: str, target: Path, *urls: str) -> str:
    with pytest.raises(UserError, match=told) as caught:
        fetch(urls, target, progress=False)
    return str(caught.value)


def left(target: Path, arrived: bytes) -> None:
    """Of a transfer that was interrupted."""
    target.parent.mkdir()
    (target.parent / "x.tar.gz.part").write_bytes(arrived)
    (target.parent / "x.tar.gz.part.validator").write_text('"v1"')


def unreachable() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/x.tar.gz"


def test_a_whole_file_from_the_first_mirror_that_has_it(server, target):
    get(target, unreachable(), server.url())
    assert target.read_bytes() == BODY
    assert names(target) == ["x.tar.gz", "x.tar.gz.sha256"]
    assert (target.parent / "x.tar.gz.sha256").read_text() == f"{DIGEST}  x.tar.gz\n"
    get(target, server.url())
    assert len(server.requests) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(server, target):
    server.break_after = [1_000_000, 500_000]
    get(target, server.url())
    assert target.read_bytes() == BODY
    assert server.requests == [None, "bytes=1000000-", "bytes=1500000-"]
    assert server.sent == len(BODY)
    assert names(target) == ["x.tar.gz", "x.tar.gz.sha256"]


def test_a_later_call_goes_on_too(server, target):
    server.break_after = [1_000_000] + [0] * 4
    refused("interrupted after 1000000 of 3000000 bytes", target, server.url())
    assert names(target) == ["x.tar.gz.part", "x.tar.gz.part.validator"]
    get(target, server.url())
    assert target.read_bytes() == BODY and server.sent == len(BODY)


@pytest.mark.parametrize(
    ("habits", "requests"),
    [
        # A date serves where there is no tag that promises the same bytes.
        ({"etag": 'W/"weak"', "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, [None, "bytes=1000000-"]),
        ({"etag": None}, [None, None]),
        ({"ranges": False}, [None, "bytes=1000000-"]),
        ({"wrong_start": 5}, [None, "bytes=1000000-", None]),
        ({"break_after": [], "length": -1}, [None]),
    ],
)
def test_servers_of_few_abilities(server, target, habits, requests):
    server.break_after = [1_000_000]
    vars(server).update(habits)
    get(target, server.url())
    assert target.read_bytes() == BODY and server.requests == requests


@pytest.mark.parametrize("honours", [True, False])
def test_a_file_replaced_in_the_meantime_is_not_glued_together(server, target, honours):
    left(target, BODY[:1_000_000])
    server.body, server.etag, server.honours_if_range = BODY[::-1], '"v2"', honours
    get(target, server.url())
    assert target.read_bytes() == BODY[::-1]
    assert len(server.requests) == (1 if honours else 2)


@pytest.mark.parametrize(("more", "sent"), [(b"", 0), (b"more", len(BODY))])
def test_a_whole_part_needs_its_name_alone_and_a_longer_one_is_dropped(server, target, more, sent):
    left(target, BODY + more)
    get(target, server.url())
    assert target.read_bytes() == BODY and server.sent == sent


def test_all_failures_are_one_line_with_the_remedy(server, target):
    server.status = 404
    dead = unreachable()
    message = refused("could not download", target, dead, server.url(), "file:///etc/passwd")
    for part in (dead, "no connection", server.url(), "HTTP 404", str(target), "--source"):
        assert part in message
    assert "file:///etc/passwd: not an http address" in message
    assert "\n" not in message
    assert names(target) == []


def test_the_first_download_is_recorded_and_held_against_later(server, target):
    target.parent.mkdir()
    target.write_bytes(BODY)  # by hand
    get(target, server.url())
    sidecar = target.parent / "x.tar.gz.sha256"
    assert sidecar.exists() and server.requests == []
    target.write_bytes(BODY[:-1])
    refused(rf"{target} has sha256 .*delete it", target, server.url())
    target.unlink()
    server.body = BODY[::-1]
    server.requests.clear()
    refused("its sha256 is .*its sha256 is", target, server.url(), server.url("other"))
    assert len(server.requests) == 2 and names(target) == ["x.tar.gz.sha256"]
    sidecar.write_text("nonsense")
    refused("does not contain a sha256", target, server.url())


def test_a_web_page_is_not_taken_for_the_file(server, target):
    server.kind = "text/html; charset=utf-8"
    refused("returned a web page", target, server.url())
    assert names(target) == []


def test_a_write_that_fails_is_named_and_not_tried_again(server, target):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))  # to the writer, a full disk
    try:
        refused(r"cannot write .*\.part \(.*\); free", target, server.url(), server.url("other"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(server.requests) == 1
    get(target, server.url())
    assert target.read_bytes() == BODY
    assert server.requests[1] == "bytes=1500000-"


def test_a_file_larger_than_the_disk_is_refused_beforehand(server, target):
    server.length = 1 << 60
    refused(r"MiB free, but \d+ MiB are needed; free some disk space", target, server.url())
