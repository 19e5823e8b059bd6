"""Files of results: text, CSV and raw values, written whole or not at all; what others wrote, read so
that whatever is wrong with it is told in a line; and locks, for which one waits aloud."""

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
    """Around what reads others' files or runs others' code, which may raise anything: all of it becomes
    a UserError, ``WHAT (reason): REMEDY``."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        if " " not in reason:  # KeyError: 'x'
            reason = f"{type(error).__name__} {reason}".rstrip()
        raise UserError(f"{what} ({reason}): {remedy}") from error


def files_under(folder: Path, hidden: bool = False) -> Iterator[Path]:
    """Every file under ``folder``, ``hidden`` ones too or not, in order. Links are followed, since
    large folders are often linked in; one to a folder that it lies in is not. Links to nothing
    count as files. Raises UserError for a folder that cannot be read and a name that is not in
    UTF-8."""
    yield from _files_under(folder, hidden, frozenset())


def _files_under(folder: Path, hidden: bool, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    with foreign(f"{folder} cannot be read", "give yourself the right to, or move it away"):
        status, paths = folder.stat(), sorted(folder.iterdir())
    here = status.st_dev, status.st_ino
    for path in paths if here not in above else ():
        if path.name.startswith(".") and not hidden:
            continue
        with foreign(f"{folder}: {path.name!a} is no name in UTF-8", "rename it"):
            path.name.encode()
        if path.is_dir():
            yield from _files_under(path, hidden, above | {here})
        elif path.is_file() or path.is_symlink():
            yield path


def check_place(path: Path) -> None:
    """UserError where ``path`` could not be written whole: asked before hours are spent. Leaves
    nothing behind."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file")
    try:
        there = next(folder for folder in path.absolute().parents if folder.exists())
        _touch(there / path.name)
    except OSError as error:
        raise cannot_write(path, error) from None


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to be written, which then takes its place: whole or not at all.
    Raises UserError where it cannot be written."""
    part = _part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):  # the folder itself may be none
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same of a folder, in place of an older one."""
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
    """UserError, naming the option that told of it, where ``folder`` could be none, or where nothing
    could be ``written`` in it: before hours are spent on what goes there."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"{option} {folder}: {there} is a file: name a folder")
    try:
        if written:
            _touch(there / "touched")
    except OSError:
        raise UserError(
            f"{option} {folder}: {there} may not be written to: choose another"
        ) from None


def _touch(path: Path) -> None:
    """Make a file beside it and take that away: what the system says of rights is not all."""
    part = _part_of(path)
    part.touch()
    part.unlink()


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """``folder``, made with its parents where it is missing. Those of them that an error or an
    interruption leaves empty go again."""
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
    """A folder that shows what is in ``folder``; what is written to it goes at the end. UserErrors
    tell of ``folder``."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    # On one file system, so that large files can be linked.
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
    """The lock ``path``, which ends with its process. Whoever waits for it more than a second is told."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=1)
    except Timeout:
        print(f"note: waiting for another process, which has {path}{holder(path)}", file=sys.stderr)
        return lock.acquire()


def holder(lock: Path) -> str:
    """In words, which machine's process holds a lock; empty for one that ends with its process.

    Where a file system knows no flock, a file stands for the lock, and is left by a machine that
    dies. Of another machine nobody can tell whether it did.
    """
    try:
        process, host, *_ = lock.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return ""
    return f" (process {process} of {host}; remove {lock} if that is dead)"


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def cannot_write(path: Path, error: OSError) -> UserError:
    """What a person is told of a file or folder that the system refuses."""
    why = error.strerror or error
    return UserError(
        f"cannot write {path} ({why}): check the space and the permissions, or choose another place"
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def save_arrays(
    path: Path, meta: Mapping[str, Any], arrays: Mapping[str, Any],
    input_ids: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Write ``arrays``, ``input_ids`` and, under ``meta``, JSON values as ``.npz``: whole or not at
    all."""
    text = np.array(json.dumps(dict(meta), sort_keys=True))
    ids: dict[str, Any] = (
        {} if input_ids is None else {"input_ids": np.array(input_ids, dtype=np.str_)}
    )
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, meta=text, **arrays, **ids)


def load_arrays(path: Path) -> tuple[Any, dict[str, Any]]:
    """``meta`` and all arrays that ``save_arrays`` wrote; UserError for anything else."""
    with (
        foreign(f"{path}: no raw values", "measure again"),
        path.open("rb") as raw,
        np.load(raw, allow_pickle=False) as file,
    ):
        arrays = dict(file)
        return json.loads(str(arrays.pop("meta"))), arrays


def sha256_file(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def comma_separated(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV under ``names``; None becomes an empty cell. Floats have nine significant digits: the last
    digits of a double depend on the machine that computes it, and a file should not."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(f"{v:.9g}" if isinstance(v, float | np.floating) else v for v in row)
    return out.getvalue()
