"""Unpack an archive without trusting it."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path

from tqdm import tqdm

from benchmarks.files import foreign, whole_folder
from models.errors import UserError

CHUNK = 1 << 20
MOST_BYTES = 64 << 30
MOST_FILES = 1_000_000


def extract_tar(archive: Path, folder: Path, *, progress: bool = True) -> Path:
    """Unpack ``archive`` (.tar.gz) into the new ``folder``; return ``folder``.

    Only regular files and folders inside ``folder`` are accepted. Raises UserError for links,
    devices, absolute paths and ``..``, and for more than ``MOST_BYTES`` or ``MOST_FILES``. On any
    error, ``folder`` is not created.
    """
    if folder.exists():
        raise UserError(f"{folder} already exists; remove it to unpack {archive} again")
    remedy = "delete it and download it again, or free some disk space"
    with (
        whole_folder(folder) as unfinished,
        foreign(f"{archive} could not be unpacked to {folder}", remedy),
    ):
        _extract(archive, unfinished, progress)
    return folder


def _extract(archive: Path, folder: Path, progress: bool) -> None:
    total = 0
    with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        members = tqdm(tar, desc=f"unpacking {archive.name}", unit="file", disable=not progress)
        for count, member in enumerate(members, start=1):
            total += member.size
            if total > MOST_BYTES or count > MOST_FILES:
                raise UserError(
                    f"{archive} unpacks to over {MOST_BYTES >> 20} MiB or {MOST_FILES} files; "
                    "unpack it yourself and pass the folder with --source"
                )
            ordinary = (member.isreg() or member.isdir()) and member.size >= 0
            leaves = member.name.startswith("/") or ".." in member.name.split("/")
            if leaves or not ordinary:
                raise UserError(
                    f"{archive} contains {member.name!r}, which is not a regular file inside the "
                    "archive's folder; do not use this archive"
                )
            _write(tar, member, folder / member.name)
        # tarfile stops at its end marker; gzip checks its checksum only at the end of the stream.
        while stream.read(CHUNK):
            pass


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write a checked member, without its owner and permissions. ``TarFile.extract`` is safe only with
    its ``filter``, which Python before 3.11.4 lacks."""
    (path if member.isdir() else path.parent).mkdir(parents=True, exist_ok=True)
    if (data := tar.extractfile(member)) is not None:
        with data, path.open("wb") as file:
            shutil.copyfileobj(data, file, CHUNK)
