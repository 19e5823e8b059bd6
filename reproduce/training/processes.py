"""This process's rank, from ``torchrun``'s environment variables, and its signals; no PyTorch."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from models.errors import UserError


def world_size() -> int:
    """Return the number of processes that share this training."""
    return _number("WORLD_SIZE", 1, least=1)


def rank() -> int:
    """Return this process's rank; only rank 0 prints and writes."""
    return _number("RANK", 0) if world_size() > 1 else 0


def local_rank() -> int:
    """Return this process's rank on its machine."""
    return _number("LOCAL_RANK", 0) if world_size() > 1 else 0


def command(words: Sequence[str], processes: int = 1) -> list[str]:
    """Return the command ``python -m reproduce WORDS`` for ``processes`` processes here."""
    shared = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, *(shared if processes > 1 else []), "-m", "reproduce", *words]


@contextlib.contextmanager
def only_first_speaks() -> Iterator[None]:
    """Silence stdout and stderr of all processes but the first; tracebacks are still printed.

    For example, an invalid argument is invalid in every process, and one message is enough.
    """
    if rank() == 0:
        yield
        return
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], None], *names: str) -> Iterator[None]:
    """Call ``handler`` for the signals ``names`` ("SIGTERM", ...) that this system has. Does
    nothing outside the main thread, where the caller handles signals."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    try:
        before = {number: signal.signal(number, handler) for number in numbers}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _number(name: str, default: int, least: int = 0) -> int:
    word = os.environ.get(name, str(default))
    if not word.isdecimal() or int(word) < least:
        raise UserError(
            f"the environment variable {name} is '{word}', no number from {least} up: it is "
            "torchrun's; unset it, or start several processes with torchrun"
        )
    return int(word)
