"""Processes that end with the command that started them, and one such command in a folder at a time.

A process in a session of its own outlives a parent that is killed. So between the two stands a
guard: its standard input is a pipe from the parent, which closes however the parent ends. Then the
guard asks all that it started to save and stop, and holds a lock until they did.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from models.errors import UserError

COMMANDS, GUARDED = ".all.lock", ".snakemake.lock"
GRACE = 120.0  # seconds, from the signal to the end
_SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


@contextlib.contextmanager
def only_command(folder: Path) -> Iterator[None]:
    """Hold the stamps in ``folder``; while another command does, UserError. What a command that
    was killed has left at work is waited for."""
    lock = FileLock(folder / COMMANDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another python -m reproduce all is at work in {folder}: wait for it, or end it; the "
            "same command goes on from there"
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot write in {folder} ({error.strerror or error}): choose another --runs"
        ) from None
    try:
        _wait_for_guarded(folder)
        yield
    finally:
        lock.release()


def _wait_for_guarded(folder: Path) -> None:
    lock = FileLock(folder / GUARDED)
    try:
        with contextlib.suppress(Timeout), lock.acquire(timeout=0):
            return
        print(
            f"note: jobs of a command that was killed are at work in {folder}; they save and end: "
            "waiting for them", file=sys.stderr,
        )  # fmt: skip
        with lock.acquire(timeout=GRACE + 60):
            return
    except Timeout:
        raise UserError(
            f"jobs of a command that was killed are still at work in {folder}: end them (they hold "
            f"{folder / GUARDED}), and give the same command again"
        ) from None


def start_guarded(
    words: Sequence[str], folder: Path, log: Path, environment: dict[str, str], end: str
) -> subprocess.Popen[bytes]:
    """Run ``words``, whose output goes to ``log``, for as long as this process lives; the guard.

    ``end``: the name of the signal by which all that ``words`` start are asked to stop.
    """
    guard = [
        sys.executable,
        "-m",
        "reproduce.workflow.guard",
        end,
        str((folder / GUARDED).absolute()),
    ]
    with log.open("wb") as file:
        return subprocess.Popen(
            [*guard, *words], stdin=subprocess.PIPE, stdout=file, stderr=file, env=environment,
            start_new_session=True,
        )  # fmt: skip


def end_guarded(guard: subprocess.Popen[bytes]) -> None:
    """Ask what is guarded to save and stop, and wait for it."""
    assert guard.stdin is not None
    guard.stdin.close()
    try:
        guard.wait(timeout=GRACE + 60)
    except subprocess.TimeoutExpired:
        guard.kill()


def main(words: Sequence[str]) -> int:
    """The guard itself: the signal's name, the lock, the command."""
    end, lock, *command = words
    ended = list[int]()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    try:
        with FileLock(lock, timeout=GRACE):
            if _closed(0):  # killed before anything was begun
                return 1
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
            while process.poll() is None:
                if ended or _closed(0.2):
                    _end(process, _SIGNALS[end])
                    break
            return process.wait()
    except Timeout:
        print(f"error: another process holds {lock}", file=sys.stderr)
        return 1


def _closed(seconds: float) -> bool:
    """Whether the parent, which writes nothing, is gone; waits so long for it."""
    return bool(select.select([0], [], [], seconds)[0])


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the process and all that it started, and kill what is left of them after a while."""
    deadline = time.monotonic() + GRACE
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
        while time.monotonic() < deadline:
            process.poll()  # a zombie would count as one that is left
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
