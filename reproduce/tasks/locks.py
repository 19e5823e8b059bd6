"""One process at a time, where several may want to make the same folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import UserError


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold others back that would make the same ``folder``; released even when killed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        if folder.is_dir():  # it took its name when it was complete: nobody makes it
            yield
            return
        raise UserError(
            f"cannot write in {folder.parent} ({error.strerror}); choose another data folder"
        ) from error
    with lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
