"""Download a published file over an unreliable network, from servers that may change it.

A download is written to ``<target>.part`` and renamed when complete and verified.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.files import sha256_file, write_text
from models.errors import UserError

TIMEOUT_SECONDS = 30
ATTEMPTS_A_MIRROR = 5
CHUNK = 1 << 20


class _Failed(Exception):
    """This mirror cannot deliver the file."""


class _Interrupted(_Failed):
    """The transfer was interrupted; the next attempt continues from what has arrived."""


def fetch(urls: Sequence[str], target: Path, *, progress: bool = True) -> Path:
    """Download ``target`` from the first of ``urls`` that delivers it; return ``target``.

    An interrupted transfer is resumed, in this call or a later one, if the server supports it and
    still has the same file (by ETag or date); otherwise it starts over. An existing target is only
    verified.

    The sha256 of the first download is recorded in ``<target>.sha256`` and compared with later
    ones. This detects damage and changes, but not a first download of the wrong file.

    Raises ``UserError`` naming every URL and its failure, the file, and the remedy.
    """
    if target.exists():
        digest, expected = _held_against_first(target, target)
        if digest != expected:
            raise UserError(
                f"{target} has sha256 {digest}, not {expected}; delete it to download it again (and "
                f"{_beside(target, '.sha256')}, if the published file was replaced)"
            )
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        try:
            part = _transfer_persistently(url, target, progress)
            digest, expected = _held_against_first(part, target)
            if digest != expected:
                _forget(target)
                raise _Failed(f"its sha256 is {digest[:12]}..., not {expected[:12]}...")
            os.replace(part, target)
            _forget(target)
            return target
        except _Failed as failure:
            failures.append(f"{url}: {failure}")
    raise UserError(
        f"could not download {target} ({'; '.join(failures)}); try again later, or download it "
        "yourself and pass the local path with --source"
    )


def _held_against_first(path: Path, target: Path) -> tuple[str, str]:
    """Return the digests of ``path`` and of the first download, and record it if it is new."""
    digest, sidecar = sha256_file(path), _beside(target, ".sha256")
    if not sidecar.exists():
        write_text(sidecar, f"{digest}  {target.name}\n")
        return digest, digest
    first = sidecar.read_text(encoding="utf-8", errors="replace").split(" ")[0].strip()
    if not re.fullmatch("[0-9a-f]{64}", first):
        raise UserError(f"{sidecar} does not contain a sha256; delete it")
    return digest, first


def _beside(target: Path, suffix: str) -> Path:
    """Return the path of a file kept beside ``target``: ``.sha256`` (of the first download),
    ``.part`` (what has arrived) or ``.part.validator`` (ETag or date of the file in ``.part``)."""
    return target.with_name(target.name + suffix)


def _forget(target: Path) -> None:
    for suffix in (".part", ".part.validator"):
        _beside(target, suffix).unlink(missing_ok=True)


def _transfer_persistently(url: str, target: Path, progress: bool) -> Path:
    for attempt in range(1, ATTEMPTS_A_MIRROR + 1):
        try:
            _transfer(url, target, progress)
            break
        except _Interrupted:
            if attempt == ATTEMPTS_A_MIRROR:
                raise
    return _beside(target, ".part")


def _transfer(url: str, target: Path, progress: bool) -> None:
    """Complete the .part file of ``target``, or raise ``_Failed``."""
    if not url.startswith(("http://", "https://")):
        raise _Failed("not an http address")
    part, validator = _beside(target, ".part"), _beside(target, ".part.validator")
    headers = {"User-Agent": "python-urllib (research data sets)", "Accept-Encoding": "identity"}
    offset = part.stat().st_size if part.exists() and validator.exists() else 0
    known = validator.read_text(encoding="ascii", errors="replace") if offset else ""
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": known}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            if response.headers.get_content_type() == "text/html":
                raise _Failed("the server returned a web page, not a file")
            if response.status != 206:
                offset = 0
                _forget(target)
                _remember_validator(response, validator)
            elif not _continues(response, offset, known):
                _forget(target)
                raise _Interrupted("the server sent a part of the file that was not requested")
            _pour(response, part, offset, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            if error.headers.get("Content-Range") == f"bytes */{offset}":
                return  # Everything had arrived already; only the rename was missing.
            _forget(target)
            raise _Interrupted("the server's file is shorter than before") from error
        raise _Failed(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _Failed(f"no connection ({reason})") from error


def _continues(response: http.client.HTTPResponse, offset: int, known: str) -> bool:
    sent = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    same = known in (response.headers.get("ETag"), response.headers.get("Last-Modified"))
    return same and sent is not None and int(sent[1]) == offset > 0


def _remember_validator(response: http.client.HTTPResponse, validator: Path) -> None:
    tag = response.headers.get("ETag", "")
    # A weak tag promises the same meaning, not the same bytes.
    mark = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if mark and mark.isascii():
        validator.write_text(mark, encoding="ascii")


def _pour(response: http.client.HTTPResponse, part: Path, offset: int, progress: bool) -> None:
    rest = response.headers.get("Content-Length", "")
    total = offset + int(rest) if rest.isdigit() else None
    needed, free = (total or 0) - offset, shutil.disk_usage(part.parent).free
    if needed > free:
        raise UserError(
            f"{part.parent} has {free >> 20} MiB free, but {needed >> 20} MiB are needed; "
            "free some disk space, or choose another data folder"
        )
    bar = tqdm(total=total, initial=offset, desc=part.stem, unit="B", unit_scale=True,
               unit_divisor=1024, disable=not progress)  # fmt: skip
    arrived = offset
    try:
        with bar, part.open("ab" if offset else "wb", buffering=0) as file:
            while chunk := memoryview(_read(response, arrived)):
                arrived += len(chunk)
                bar.update(len(chunk))
                while chunk:
                    chunk = chunk[file.write(chunk) :]
    except OSError as error:
        raise UserError(
            f"cannot write {part} ({error.strerror}); free some disk space, or choose another "
            "data folder"
        ) from error
    if total is not None and arrived < total:
        raise _Interrupted(f"interrupted after {arrived} of {total} bytes")


def _read(response: http.client.HTTPResponse, arrived: int) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"interrupted after {arrived} bytes ({error})") from error
