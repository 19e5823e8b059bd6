"""Several processes of one training, started as ``torchrun`` starts them but at once."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tiny import forked

from reproduce.commands.cli import main
from reproduce.training import loop
from reproduce.training.processes import only_first_speaks


def start(
    size: int, log: Path, target: Callable[..., object], *arguments: Any
) -> list[ForkServerProcess]:
    """``size`` processes that each call ``target(*arguments)``; number r writes to ``log``.r."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [forked(_one, number, size, port, str(log), target, arguments) for number in range(size)]


def train(words: Sequence[str], many: int = loop.MANY) -> None:
    """What ``python -m reproduce`` does."""
    loop.MANY = many
    with only_first_speaks():
        sys.exit(main(list(words)))


def _one(
    number: int, size: int, port: int, log: str, target: Callable[..., object], arguments: Any
) -> None:
    os.environ |= {
        "RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    output = os.open(f"{log}.{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", buffering=1)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1)
    target(*arguments)


def finish(processes: Sequence[ForkServerProcess], seconds: float = 300) -> list[int]:
    """Their exit codes; those that do not end are killed."""
    for process in processes:
        process.join(seconds)
    late = [process for process in processes if process.exitcode is None]
    for process in late:
        process.kill()
        process.join()
    assert not late, "the processes did not end"
    return [int(str(process.exitcode)) for process in processes]
