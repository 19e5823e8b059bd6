"""Write sorted pictures as flat folders whose file names reveal no mode, with the truth beside.

Pictures in a part (trainA, ...) are numbered in the order of a keyed hash of their bytes, so the
finished folder depends on the pictures alone and not on their modes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.files import whole_folder
from models.errors import UserError
from models.randomness import generator
from reproduce.tasks.modes import PARTS, write_truth
from reproduce.tasks.pictures import read_picture

SEED = 0  # of every random choice in this file
TEST_SHARE = 6  # one picture in six is for testing if there is no published split


@dataclass(frozen=True)
class Picture:
    """A picture's split ("train" or "test"), mode and readable ``origin`` (no absolute path).

    ``put`` writes it to a new file with ``suffix``, and raises UserError if it is unreadable.
    ``mark`` is text that changes when the picture does, obtained without decoding it.
    """

    split: str
    mode: str
    origin: str
    put: Callable[[Path], object] = field(compare=False)
    mark: str = ""
    suffix: str = ".png"


def picture_of(split: str, mode: str, origin: str, path: Path) -> Picture:
    """A picture from an existing file, which is hard-linked if possible and copied otherwise."""

    def put(target: Path) -> None:
        read_picture(path)
        try:
            os.link(path, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, target)

    return Picture(split, mode, origin, put, stamp(path), path.suffix.lower())


def stamp(path: Path) -> str:
    """Return text that changes when a file does (its size and time), without reading the file."""
    status = path.stat()
    return f"{status.st_size}\0{status.st_mtime_ns}"


@dataclass(frozen=True)
class Domain:
    """One domain of a task before it is written: title, modes in order, pictures (for each mode,
    some of both splits)."""

    title: str
    modes: tuple[str, ...]
    pictures: Sequence[Picture]

    def __post_init__(self) -> None:
        there = {(picture.split, picture.mode) for picture in self.pictures}
        for mode in self.modes:
            for split in ("train", "test"):
                if (split, mode) not in there:
                    raise UserError(
                        f"{mode} of {self.title} has no {split} pictures; add some, or leave "
                        "the class out"
                    )


def mark_of(a: Domain, b: Domain) -> str:
    """Return 12 hex digits that identify what ``write_flat`` would write."""
    whole = hashlib.sha256(f"{SEED}".encode())
    for domain in (a, b):
        whole.update(f"\n{domain.title}\0{domain.modes}\n".encode())
        for p in domain.pictures:
            whole.update(f"{p.split}\0{p.mode}\0{p.origin}\0{p.mark}\n".encode())
    return whole.hexdigest()[:12]


def held_out(count: int, *address: str) -> set[int]:
    """Draw the indices of the test pictures: a sixth of ``count``, seeded by ``address``."""
    if count < 2:
        return set()
    order = torch.randperm(count, generator=generator(SEED, "held_out", *address)).tolist()
    return set(order[: max(1, round(count / TEST_SHARE))])


def divided(pictures: Sequence[Picture], *address: str) -> list[Picture]:
    """Split the pictures of one class into train and test, seeded by ``address``."""
    test = held_out(len(pictures), *address)
    return [replace(p, split="test" if i in test else "train") for i, p in enumerate(pictures)]


def write_flat(folder: Path, a: Domain, b: Domain, made: Mapping[str, Any], progress: bool) -> None:
    """Write two domains to the new ``folder`` (trainA trainB testA testB) and its truth folder.

    Files are numbered in an order that does not depend on the modes. ``made`` is stored in the
    truth and describes how the pictures were made. Every picture is decoded once, to check it, and
    none is re-encoded. Both folders appear when complete, the truth first. Raises UserError naming
    a picture that cannot be read.
    """
    placed = [(f"{p.split}{letter}", p) for letter, d in (("A", a), ("B", b)) for p in d.pictures]
    arrived: dict[str, list[tuple[bytes, str, str, Path]]] = {part: [] for part in PARTS}
    with whole_folder(folder) as unfinished:
        for part in PARTS:
            (unfinished / part).mkdir()
        bar = tqdm(placed, desc=f"making {folder.name}", unit="picture", disable=not progress)
        for number, (part, picture) in enumerate(bar):
            target = unfinished / part / f".{number}{picture.suffix}"
            picture.put(target)
            digest = hashlib.blake2b(target.read_bytes(), key=f"{SEED}/{part}".encode()).digest()
            arrived[part].append((digest, picture.origin, picture.mode, target))
        rows = []
        for part, pictures in arrived.items():
            for number, (_, origin, mode, target) in enumerate(sorted(pictures)):
                name = f"{number:05d}{target.suffix}"
                target.rename(target.with_name(name))
                rows.append({"folder": part, "file": name, "mode": mode, "origin": origin})
        write_truth(
            folder, titles={"a": a.title, "b": b.title}, names={"a": a.modes, "b": b.modes},
            rows=rows, made={"seed": SEED, **made},
        )  # fmt: skip
