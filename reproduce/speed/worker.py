"""Run each measurement in a fresh process, free of earlier caches and memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import Any

import torch

from benchmarks.console import NO_MEMORY
from benchmarks.networks.precision import no_tf32
from models.errors import UserError
from reproduce.records.environment import environment

# Kind of measurement -> the function that takes it, and the unit and place of its value in the result.
KINDS = {
    "step": ("reproduce.speed.stepping:time_step", "s", ("first", "median")),
    "memory": ("reproduce.speed.stepping:step_memory", "bytes", ("above_bytes",)),
    "primitives": ("reproduce.speed.counting:time_primitives", "s", ("seconds",)),
    "data": ("reproduce.speed.stepping:time_waiting", "share", ("share",)),
    "translate": (
        "reproduce.speed.translating:time_translation", "pictures/s",
        ("first", "pictures_per_s", "median"),
    ),
    "diversity": ("reproduce.speed.measuring:time_diversity", "s", ("seconds",)),
    "modes": ("reproduce.speed.measuring:time_modes", "s", ("seconds",)),
}  # fmt: skip
_OF_RESULTS = ("translate", "diversity", "modes")  # results are made and measured without TF32
_KILLED = -9  # exit code if the system kills a process for lack of memory


def measured(kind: str, about: Mapping[str, Any], tick: Callable[[], object]) -> dict[str, Any]:
    """Measure in a fresh process, and return ``{"measured": ..., "environment": ...}``.

    Raises UserError for what a user can correct, RuntimeError if the process failed.
    """
    fresh = get_context("spawn")
    here, there = fresh.Pipe(duplex=False)
    process = fresh.Process(target=_work, args=(there, kind, dict(about)))
    process.start()
    there.close()
    try:
        while not (said := here.recv()):
            tick()
    except EOFError:
        process.join()
        if process.exitcode == _KILLED:
            raise UserError(f"the process that measured was killed: {NO_MEMORY}") from None
        told = f"the process that measured {kind} ended with {process.exitcode}"
        raise RuntimeError(told) from None
    finally:
        process.kill()
        process.join()
    if "error" in said:
        raise UserError(said["error"])
    return said


def _work(parent: Connection, kind: str, about: dict[str, Any]) -> None:
    """The main function of the process: sends ``{}`` after each unit of work, and at last the result
    or an error."""
    os.dup2(2, 1)  # keep what libraries print out of the tables on stdout
    torch.set_num_threads(about["threads"])
    if kind in _OF_RESULTS:
        no_tf32()
    try:
        found = resolve_name(KINDS[kind][0])(about, lambda: parent.send({}))
        parent.send({"measured": found, "environment": environment(about["device"])})
    except UserError as error:
        parent.send({"error": str(error)})
    except (MemoryError, RuntimeError) as error:
        short = "allocate memory", "out of memory"
        if not (isinstance(error, MemoryError) or any(words in str(error) for words in short)):
            raise
        parent.send({"error": NO_MEMORY})
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
