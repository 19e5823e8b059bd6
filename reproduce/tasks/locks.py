"""One process at a time, where several may want to make the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks.files import locked, new_folder
from models.errors import UserError


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold others back that would make the same ``folder``; released even when killed. Where it is
    not made, nothing stays, not even the lock."""
    path = folder.with_name(f".{folder.name}.lock")
    with ExitStack() as stack:
        try:
            stack.enter_context(new_folder(folder.parent))
            stack.enter_context(locked(path))
        except OSError as error:
            if folder.is_dir():  # it took its name when it was complete: nobody makes it
                yield
                return
            raise UserError(
                f"cannot write in {folder.parent} ({error.strerror}); choose another data folder"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):
                folder.rmdir()  # where nothing has come into it
            if not folder.exists():
                with suppress(OSError):
                    path.unlink()
