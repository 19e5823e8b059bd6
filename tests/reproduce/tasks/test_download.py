from __future__ import annotations

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

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.etag: str | None = '"v1"'
        self.date: str | None = None
        self.ranges = True
        self.honours_if_range = True
        self.wrong_start = 0
        self.break_after: list[int] = []  # bytes sent before each of the next answers breaks off
        self.status = 200
        self.kind = "application/gzip"
        self.announces_length = True
        self.requests: list[str | None] = []  # the Range of each request
        self.sent = 0

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
        if server.announces_length:
            self.send_header("Content-Length", str(len(rest)))
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


def get(target: Path, *urls: str, **options) -> Path:
    return fetch(list(urls), target, progress=False, **options)


def unreachable() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/x.tar.gz"


def test_a_whole_file(server, target):
    assert get(target, server.url(), sha256=DIGEST, size=len(BODY)) == target
    assert target.read_bytes() == BODY
    assert names(target) == ["x.tar.gz"]
    get(target, server.url(), sha256=DIGEST)
    assert len(server.requests) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(server, target):
    server.break_after = [1_000_000, 500_000]
    get(target, server.url(), sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert server.requests == [None, "bytes=1000000-", "bytes=1500000-"]
    assert server.sent == len(BODY)
    assert names(target) == ["x.tar.gz"]


def test_a_later_call_goes_on_too(server, target):
    server.break_after = [1_000_000] + [0] * 4
    with pytest.raises(UserError, match="broke off after 1000000 of 3000000 bytes"):
        get(target, server.url())
    assert names(target) == ["x.tar.gz.part", "x.tar.gz.part.validator"]
    get(target, server.url())
    assert target.read_bytes() == BODY
    assert server.sent == len(BODY)


def test_a_date_serves_where_there_is_no_tag(server, target):
    server.etag, server.date = 'W/"weak"', "Wed, 21 Oct 2015 07:28:00 GMT"
    server.break_after = [1_000_000]
    get(target, server.url())
    assert target.read_bytes() == BODY
    assert server.sent == len(BODY)


def test_a_server_without_ranges_starts_over(server, target):
    server.ranges = False
    server.break_after = [1_000_000]
    get(target, server.url(), size=len(BODY))
    assert target.read_bytes() == BODY
    assert server.sent == len(BODY) + 1_000_000


def test_a_server_without_tag_or_date_starts_over(server, target):
    server.etag = None
    server.break_after = [1_000_000]
    get(target, server.url())
    assert target.read_bytes() == BODY
    assert server.requests == [None, None]


@pytest.mark.parametrize("honours", [True, False])
def test_a_file_replaced_in_the_meantime_is_not_glued_together(server, target, honours):
    server.break_after = [1_000_000] + [0] * 4
    with pytest.raises(UserError):
        get(target, server.url())
    server.body, server.etag, server.honours_if_range = BODY[::-1], '"v2"', honours
    before = len(server.requests)
    get(target, server.url())
    assert target.read_bytes() == BODY[::-1]
    assert len(server.requests) == before + (1 if honours else 2)


def test_an_answer_from_another_offset_is_not_glued_on(server, target):
    server.break_after, server.wrong_start = [1_000_000], 5
    get(target, server.url())
    assert target.read_bytes() == BODY


def test_a_file_that_arrived_but_was_not_renamed_is_not_fetched_again(server, target):
    target.parent.mkdir()
    (target.parent / "x.tar.gz.part").write_bytes(BODY)
    (target.parent / "x.tar.gz.part.validator").write_text('"v1"')
    get(target, server.url(), sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert server.sent == 0


def test_a_part_longer_than_the_file_is_dropped(server, target):
    target.parent.mkdir()
    (target.parent / "x.tar.gz.part").write_bytes(BODY + b"more")
    (target.parent / "x.tar.gz.part.validator").write_text('"v1"')
    get(target, server.url())
    assert target.read_bytes() == BODY


def test_mirrors_are_tried_in_order(server, target):
    get(target, unreachable(), server.url(), sha256=DIGEST)
    assert target.read_bytes() == BODY


def test_all_failures_are_one_line_with_the_remedy(server, target):
    server.status = 404
    dead = unreachable()
    with pytest.raises(UserError) as caught:
        get(target, dead, server.url(), "file:///etc/passwd")
    message = str(caught.value)
    for part in (dead, "no connection", server.url(), "HTTP 404", str(target), "--source"):
        assert part in message
    assert "file:///etc/passwd: not an http address" in message
    assert "\n" not in message
    assert names(target) == []


def test_a_wrong_checksum_keeps_nothing_and_tries_the_next_mirror(server, target):
    with pytest.raises(UserError, match=f"its sha256 is {DIGEST[:12]}"):
        get(target, server.url(), server.url("other"), sha256="0" * 64)
    assert len(server.requests) == 2
    assert names(target) == []


def test_the_first_download_is_recorded_and_held_against_later(server, target):
    get(target, server.url())
    sidecar = target.parent / "x.tar.gz.sha256"
    assert sidecar.read_text() == f"{DIGEST}  x.tar.gz\n"
    get(target, server.url())
    target.write_bytes(BODY[:-1])
    with pytest.raises(UserError, match=rf"{target} has sha256 .*delete it"):
        get(target, server.url())
    target.unlink()
    server.body = BODY[::-1]
    with pytest.raises(UserError, match="its sha256 is"):
        get(target, server.url())
    sidecar.write_text("nonsense")
    with pytest.raises(UserError, match="holds no sha256"):
        get(target, server.url())


def test_a_file_put_there_by_hand_is_recorded(server, target):
    target.parent.mkdir()
    target.write_bytes(BODY)
    get(target, server.url())
    assert names(target) == ["x.tar.gz", "x.tar.gz.sha256"]
    assert server.requests == []


def test_a_wrong_size_is_refused(server, target):
    with pytest.raises(UserError, match="offers 3000000 bytes, not 5"):
        get(target, server.url(), size=5)
    assert server.sent == 0 or names(target) in ([], ["x.tar.gz.part.validator"])
    server.announces_length = False
    with pytest.raises(UserError, match="sends more than 5 bytes"):
        get(target, server.url(), size=5)
    assert "x.tar.gz.part" not in names(target)


def test_a_server_that_does_not_say_how_long_the_file_is(server, target):
    server.announces_length = False
    get(target, server.url())
    assert target.read_bytes() == BODY


def test_a_web_page_is_not_taken_for_the_file(server, target):
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(UserError, match="answers with a web page"):
        get(target, server.url())
    assert names(target) == []


def test_a_write_that_fails_is_named_and_not_tried_again(server, target):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))  # to the writer, a full disk
    try:
        with pytest.raises(UserError, match=r"cannot write .*\.part \(.*\); make room"):
            get(target, server.url(), server.url("other"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(server.requests) == 1
    get(target, server.url())
    assert target.read_bytes() == BODY
    assert server.requests[1] == "bytes=1500000-"


def test_a_file_larger_than_the_disk_is_refused_beforehand(server, target):
    with pytest.raises(UserError, match=r"MiB free, \d+ MiB are needed; make room"):
        server.announces_length = False
        get(target, server.url(), size=1 << 60)
