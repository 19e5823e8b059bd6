"""From sorted pictures to a task: flat folders whose names tell nothing, and the truth beside them.

Pictures of a part (trainA, ...) are numbered by a keyed hash of their bytes, so the finished
folder is a function of the pictures and the seed alone: the modes have no influence on it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from models.errors import UserError
from models.randomness import generator
from reproduce.tasks.modes import PARTS, write_truth
from reproduce.tasks.pictures import read_picture

TEST_SHARE = 6  # one picture in six is for testing, where nobody has said which


class Picture(Protocol):
    """A picture that has a place in a task: its mode, "train" or "test", and its origin."""

    @property
    def split(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def origin(self) -> str:
        """Where it comes from, for people; no absolute path."""
        ...

    @property
    def suffix(self) -> str:
        """Of the file that ``put`` writes."""
        ...

    def mark(self) -> str:
        """Text that changes when the picture does, had without decoding it."""
        ...

    def put(self, target: Path) -> None:
        """Write it as the new file ``target``; UserError naming the origin if unreadable."""
        ...


@dataclass(frozen=True)
class FilePicture:
    """A picture that is a file already: linked where the file system can, copied elsewhere."""

    split: str
    mode: str
    origin: str
    path: Path

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()

    def mark(self) -> str:
        status = self.path.stat()
        return f"{status.st_size}\0{status.st_mtime_ns}"

    def put(self, target: Path) -> None:
        read_picture(self.path)
        try:
            os.link(self.path, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(self.path, target)


@dataclass(frozen=True)
class Domain:
    """One side of a task, before it is written: a title, its modes in order, its pictures."""

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


def mark_of(a: Domain, b: Domain, seed: int) -> str:
    """A name (12 hex digits) for what ``write_flat`` would write, as long as no file changes."""
    whole = hashlib.sha256(str(seed).encode())
    for domain in (a, b):
        whole.update(f"\n{domain.title}\0{domain.modes}\n".encode())
        for p in domain.pictures:
            whole.update(f"{p.split}\0{p.mode}\0{p.origin}\0{p.mark()}\n".encode())
    return whole.hexdigest()[:12]


def held_out(count: int, seed: int, *address: str) -> set[int]:
    """Which of ``count`` pictures of a class are for testing: a sixth, drawn by ``seed``."""
    if count < 2:
        return set()
    order = torch.randperm(count, generator=generator(seed, "held_out", *address)).tolist()
    return set(order[: max(1, round(count / TEST_SHARE))])


def write_flat(
    folder: Path,
    a: Domain,
    b: Domain,
    *,
    seed: int = 0,
    made: Mapping[str, Any],
    progress: bool = True,
) -> None:
    """Write two domains as the new ``folder`` (trainA trainB testA testB) and its truth.

    Names are numbers, in an order that ``seed`` shuffles whatever the modes are. ``made`` says in
    the truth how this was made. Every picture is decoded once, none is encoded again. Both
    folders appear when complete, the truth first. Raises UserError for a folder that exists and
    for a picture that cannot be read, by name.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; remove it to make it again")
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    placed = [(f"{p.split}{letter}", p) for letter, d in (("A", a), ("B", b)) for p in d.pictures]
    arrived: dict[str, list[tuple[bytes, str, str, Path]]] = {part: [] for part in PARTS}
    try:
        for part in PARTS:
            (unfinished / part).mkdir(parents=True)
        bar = tqdm(placed, desc=f"making {folder.name}", unit="picture", disable=not progress)
        for number, (part, picture) in enumerate(bar):
            target = unfinished / part / f".{number}{picture.suffix}"
            picture.put(target)
            digest = hashlib.blake2b(target.read_bytes(), key=f"{seed}/{part}".encode()).digest()
            arrived[part].append((digest, picture.origin, picture.mode, target))
        rows = []
        for part, pictures in arrived.items():
            for number, (_, origin, mode, target) in enumerate(sorted(pictures)):
                name = f"{number:05d}{target.suffix}"
                target.rename(target.with_name(name))
                rows.append({"folder": part, "file": name, "mode": mode, "origin": origin})
        write_truth(
            folder,
            titles={"a": a.title, "b": b.title},
            names={"a": a.modes, "b": b.modes},
            rows=rows,
            made={"seed": seed, **made},
        )
        os.replace(unfinished, folder)
    except OSError as error:
        raise UserError(
            f"cannot write {folder} ({error.strerror or error}); make room, or choose another "
            "data folder"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
