"""A lock for processes that may create the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks.files import locked, new_folder
from models.errors import UserError


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Let one process at a time create ``folder``; a killed process releases the lock. If it is not
    created, nothing is left behind, not even the lock file."""
    path = folder.with_name(f".{folder.name}.lock")
    with ExitStack() as stack:
        try:
            stack.enter_context(new_folder(folder.parent))
            stack.enter_context(locked(path))
        except OSError as error:
            if folder.is_dir():  # complete, since it gets its name last: no lock is needed
                yield
                return
            raise UserError(
                f"cannot write in {folder.parent} ({error.strerror}); choose another data folder"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):
                folder.rmdir()  # if it is empty
            if not folder.exists():
                with suppress(OSError):
                    path.unlink()
