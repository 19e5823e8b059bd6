"""Which process of one training this is, as ``torchrun`` says in the environment, and signals to it;
without PyTorch."""

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
    """How many processes share this training."""
    return _number("WORLD_SIZE", 1, least=1)


def rank() -> int:
    """This one's number among them; the first, 0, is the one that speaks and writes."""
    return _number("RANK", 0) if world_size() > 1 else 0


def local_rank() -> int:
    """Its number among those of its machine."""
    return _number("LOCAL_RANK", 0) if world_size() > 1 else 0


def command(words: Sequence[str], processes: int = 1) -> list[str]:
    """``python -m reproduce`` with ``words``, by so many processes of this machine."""
    shared = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, *(shared if processes > 1 else []), "-m", "reproduce", *words]


@contextlib.contextmanager
def only_first_speaks() -> Iterator[None]:
    """What all processes of a training would say, its first one says; a traceback is each one's own.

    Arguments are wrong in every process alike: one line about it is enough.
    """
    if rank() == 0:
        yield
        return
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], None], *names: str) -> Iterator[None]:
    """Call ``handler`` on the signals ``names`` ("SIGTERM", ...) that this system has. Outside the
    main thread nothing is changed: whoever runs us handles signals."""
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
