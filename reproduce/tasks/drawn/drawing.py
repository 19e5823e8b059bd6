"""Code shared by all drawn data sets: argument checks, worker processes, and folder checks."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.devices import cores
from models.errors import UserError
from reproduce.tasks.drawn.render import check_size

Chunk = TypeVar("Chunk")
Made = TypeVar("Made")
REMEDY = "remove it or choose another folder"


def check_numbers(size: int, seed: int, train: int, test: int, jobs: int) -> None:
    """Raise UserError for numbers out of range."""
    check_size(size)
    for name, value, low, high in (
        ("seed", seed, 0, 2**63 - 1),
        ("train", train, 1, 100_000),
        ("test", test, 1, 100_000),
        ("jobs", jobs, 1, 1024),
    ):
        if not low <= value <= high:
            raise UserError(f"{name} {value}: choose a number from {low} to {high}")


def default_processes(pictures: int, size: int) -> int:
    """Return the default number of processes: one per core, at most 8, only 1 for few pictures."""
    return max(1, min(cores(), 8, pictures * size // 50_000))


def in_processes(
    work: Callable[[Chunk], Made], chunks: Sequence[Chunk], jobs: int
) -> Iterator[Made]:
    """Yield ``work`` of each of ``chunks``, in order, computed by ``jobs`` processes."""
    if jobs == 1:
        yield from map(work, chunks)
        return
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(min(jobs, len(chunks)), mp_context=context) as pool:
            yield from pool.map(work, chunks)
    except BrokenProcessPool as error:
        raise UserError(f"drawing in {jobs} processes failed: draw with jobs=1") from error


def read_made(folder: Path, what: str, made: Mapping[str, Any]) -> Any:
    """Return the contents of ``drawn.json``; UserError unless they agree with ``made``."""
    try:
        found = json.loads((folder / "drawn.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no finished drawn {what} there; {REMEDY}") from error
    for name, value in made.items():
        other = found.get(name) if isinstance(found, dict) else None
        if other != value:
            raise UserError(f"{folder}: drawn with {name} {other!r}, not {value!r}; {REMEDY}")
    return found


def check_pictures(folder: Path, total: int) -> None:
    """Raise UserError if one of the numbered pictures is missing."""
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    for index in range(total):
        if f"{index:05d}.png" not in there:
            raise UserError(f"{folder / f'{index:05d}.png'}: missing; {REMEDY}")
