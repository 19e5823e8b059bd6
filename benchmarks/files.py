"""File utilities: atomic writing of text, CSV and raw values, one-line errors for files that others
wrote, and locks that report when they wait."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from models.errors import UserError

OUTSIDE_DIGESTS = "how a file is written changes no number"


@contextmanager
def foreign(what: object, remedy: str) -> Iterator[None]:
    """Turn any exception of the body, which reads others' files or runs others' code, into a
    UserError ``WHAT (reason): REMEDY``."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        if " " not in reason:  # KeyError: 'x'
            reason = f"{type(error).__name__} {reason}".rstrip()
        raise UserError(f"{what} ({reason}): {remedy}") from error


def files_under(
    folder: Path, hidden: bool = False, *, _above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[Path]:
    """Yield every file under ``folder`` in sorted order; ``hidden`` includes hidden ones. Links are
    followed, except one to a folder that contains it; broken links count as files. Raises UserError
    for a folder that cannot be read and for a name that is not UTF-8."""
    with foreign(f"{folder} cannot be read", "change its permissions, or move it away"):
        status, paths = folder.stat(), sorted(folder.iterdir())
    here = status.st_dev, status.st_ino
    for path in paths if here not in _above else ():
        if path.name.startswith(".") and not hidden:
            continue
        with foreign(f"{folder}: {path.name!a} is no name in UTF-8", "rename it"):
            path.name.encode()
        if path.is_dir():
            yield from files_under(path, hidden, _above=_above | {here})
        elif path.is_file() or path.is_symlink():
            yield path


def check_place(path: Path) -> None:
    """Raise UserError if the file ``path`` cannot be written; checks this before hours are spent
    and leaves nothing behind."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file")
    try:
        there = next(folder for folder in path.absolute().parents if folder.exists())
        _touch(there / path.name)
    except OSError as error:
        raise cannot_write(path, error) from None


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write ``path`` atomically: yields a temporary file beside it, which replaces it at the end.
    Raises UserError if it cannot be written."""
    part = _part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):  # the parent may not be a folder
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Write the folder ``path`` atomically, as ``whole`` does a file; replaces an old one."""
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
    except OSError as error:
        if old.exists():
            os.replace(old, path)
        raise cannot_write(path, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_folder(option: str, folder: Path, *, written: bool = True) -> None:
    """Raise UserError, naming the ``option``, if ``folder`` cannot be a folder or (with
    ``written``) is not writable; checks this before hours are spent."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"{option} {folder}: {there} is a file: name a folder")
    try:
        if written:
            _touch(there / "touched")
    except OSError:
        raise UserError(
            f"{option} {folder}: {there} is not writable: choose another folder"
        ) from None


def _touch(path: Path) -> None:
    """Create and remove a file beside ``path``: permission bits alone do not prove it writable."""
    part = _part_of(path)
    part.touch()
    part.unlink()


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Create ``folder`` and its parents. If the body fails or is interrupted, those created and
    still empty are removed."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def passing(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder with links to the contents of ``folder``; it is deleted at the end.
    UserErrors of the body name ``folder`` instead."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    # On the same file system, so that large files can be linked.
    near = there if there.is_dir() and os.access(there, os.W_OK) else None
    shown = list(folder.iterdir()) if folder.is_dir() else []
    with TemporaryDirectory(prefix=".passing-", dir=near) as made:
        for path in shown:
            Path(made, path.name).symlink_to(path.absolute())
        try:
            yield Path(made)
        except UserError as error:
            raise UserError(str(error).replace(made, str(folder))) from error


def locked(path: Path) -> AbstractContextManager[object]:
    """Acquire the lock ``path``, which is released when its process ends. Prints a note when
    waiting for more than a second."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=1)
    except Timeout:
        print(f"note: waiting for the process that holds {path}{holder(path)}", file=sys.stderr)
        return lock.acquire()


def holder(lock: Path) -> str:
    """Return text naming the process and machine that hold a lock; empty for a lock by flock.

    On file systems without flock the lock is a file, which remains if its machine dies; another
    machine cannot find out whether it did.
    """
    try:
        process, host, *_ = lock.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return ""
    return f" (process {process} of {host}; remove {lock} if that is dead)"


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the UserError for a file or folder that cannot be written."""
    why = error.strerror or error
    return UserError(
        f"cannot write {path} ({why}): check the space and the permissions, or choose another place"
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def save_arrays(
    path: Path, meta: Mapping[str, Any], arrays: Mapping[str, Any],
    input_ids: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Write ``arrays``, ``input_ids`` and ``meta`` (as JSON) to an ``.npz`` file, atomically."""
    text = np.array(json.dumps(dict(meta), sort_keys=True))
    ids: dict[str, Any] = (
        {} if input_ids is None else {"input_ids": np.array(input_ids, dtype=np.str_)}
    )
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, meta=text, **arrays, **ids)


def load_arrays(path: Path) -> tuple[Any, dict[str, Any]]:
    """Return ``meta`` and arrays that ``save_arrays`` wrote; raises UserError for other files."""
    with (
        foreign(f"{path} holds no raw values", "measure again"),
        path.open("rb") as raw,
        np.load(raw, allow_pickle=False) as file,
    ):
        arrays = dict(file)
        return json.loads(str(arrays.pop("meta"))), arrays


def sha256_file(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def comma_separated(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return CSV with the header ``names``; None becomes an empty cell. Floats have nine
    significant digits, because the last digits of a double depend on the machine."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(f"{v:.9g}" if isinstance(v, float | np.floating) else v for v in row)
    return out.getvalue()
