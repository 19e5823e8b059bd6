"""Unpack an archive without trusting it."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

from tqdm import tqdm

from benchmarks.files import foreign, whole_folder
from models.errors import UserError

CHUNK = 1 << 20
MOST_BYTES = 64 << 30
MOST_FILES = 1_000_000


def extract_tar(archive: Path, folder: Path, *, progress: bool = True) -> Path:
    """Unpack ``archive`` (.tar.gz) as the new ``folder``; return ``folder``.

    Only ordinary files and folders inside ``folder`` are accepted: links, devices, absolute paths
    and ``..`` are refused, as is more than ``MOST_BYTES`` or ``MOST_FILES``. After any refusal or
    error nothing remains.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; remove it to unpack {archive} again")
    remedy = "delete it and get it again, or make room"
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
                    f"{archive} contains {member.name!r}, which is no ordinary file inside its "
                    "folder; do not use this archive"
                )
            tar.extract(member, folder, set_attrs=False, filter="data")
        # tarfile stops at its end marker, but the checksum of the whole comes after it.
        while stream.read(CHUNK):
            pass
