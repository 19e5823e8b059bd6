"""Unpack an archive without trusting it."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path

from tqdm import tqdm

from benchmarks.files import whole_folder
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
    with whole_folder(folder) as unfinished:
        try:
            _extract(archive, unfinished, progress)
        except (tarfile.ReadError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(
                f"{archive} is not a complete .tar.gz archive; delete it and get it again"
            ) from error
        except OSError as error:
            raise UserError(
                f"{archive} could not be unpacked to {folder} ({error}); check the archive, the "
                "space and the permissions"
            ) from error
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
            try:
                tar.extract(member, folder, set_attrs=False, filter="data")
            except tarfile.FilterError as error:
                raise UserError(f"{archive}: {error}; do not use this archive") from error
        # tarfile stops at its end marker, but the checksum of the whole comes after it.
        while stream.read(CHUNK):
            pass
