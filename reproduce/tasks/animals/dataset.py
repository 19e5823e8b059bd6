"""Two domains of drawn animals on disk: a flat folder of pictures, and their truth beside it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image
from tqdm import tqdm

from models.errors import UserError
from reproduce.tasks.animals.animal import (
    DOMAINS,
    GENERATOR_VERSION,
    SPLITS,
    check_mode,
    draw_animal,
    modes_of,
)
from reproduce.tasks.animals.render import render_animal
from reproduce.tasks.drawn.render import check_size
from reproduce.tasks.modes import DOMAIN_OF, truth_folder, write_truth

Chosen: TypeAlias = str | tuple[str, Sequence[str]]  # a domain, or a domain and some of its modes
Row: TypeAlias = dict[str, Any]
_CHUNK = 50
_REMEDY = "remove it or choose another folder"


class _Side(NamedTuple):
    domain: str
    modes: tuple[str, ...]

    @property
    def title(self) -> str:
        """The domain's, or that of some of its modes."""
        whole = DOMAINS[self.domain]
        return whole.title if len(self.modes) == len(whole.modes) else ", ".join(self.modes)


class _Chunk(NamedTuple):
    domain: str
    modes: tuple[str, ...]  # of the pictures from ``start`` on
    size: int
    seed: int
    split: str
    start: int
    folder: str


def write_animals(
    domain_a: Chosen,
    domain_b: Chosen,
    folder: Path,
    *,
    size: int,
    seed: int,
    train: int = 4000,
    test: int = 200,
    jobs: int | None = None,
    progress: bool = False,
) -> None:
    """Write two domains to ``folder``, or find them there already.

    ``domain_a``, ``domain_b``: a name in DOMAINS, or a name and some of its modes, such as
    ("dogs", ("husky",)); the two may be one domain's, but share no mode. trainA, trainB (``train``
    pictures each), testA, testB (``test`` each): pictures of ``size`` pixels, 32 to 256, modes in
    equal shares up to one picture, in an order shuffled by ``seed``; no pose appears twice. What
    each shows is told by the sibling ``<folder>.truth`` alone (reproduce.tasks.modes).

    The pictures do not depend on ``jobs``, the number of processes (None: one a processor, at
    most 8, and one alone for few pictures). ``progress``: a bar on standard error. The folders
    appear when they are complete, the truth first. Raises UserError for illegal arguments and for
    a folder that holds anything else.
    """
    sides = {"a": _side(domain_a), "b": _side(domain_b)}
    shared = set(sides["a"].modes) & set(sides["b"].modes)
    if shared:
        raise UserError(
            f"both domains have the mode {min(shared)}: choose modes that they do not share"
        )
    check_size(size)
    if jobs is None:
        jobs = max(1, min(os.cpu_count() or 1, 8, 2 * (train + test) * size // 50_000))
    _check_range("seed", seed, 0, 2**63 - 1)
    _check_range("train", train, 1, 100_000)
    _check_range("test", test, 1, 100_000)
    _check_range("jobs", jobs, 1, 1024)
    folder = Path(folder)
    made: Row = {
        "kind": "animals",
        "size": size,
        "seed": seed,
        "train": train,
        "test": test,
        "generator_version": GENERATOR_VERSION,
    }
    if folder.exists():
        _check_finished(folder, made, sides)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as hidden:
        part = Path(hidden) / "animals"
        digest, rows = _write(part, made, sides, jobs, progress)
        done = made | {"sha256": digest, "license": "Drawn by this project from random numbers."}
        (part / "drawn.json").write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
        if not folder.exists():
            write_truth(
                folder,
                titles={letter: side.title for letter, side in sides.items()},
                names={letter: side.modes for letter, side in sides.items()},
                rows=rows,
                made=done,
            )
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            _check_finished(folder, made, sides)


def _side(chosen: Chosen) -> _Side:
    domain, modes = (chosen, modes_of(chosen)) if isinstance(chosen, str) else chosen
    for mode in modes:
        check_mode(domain, mode)
    if not modes or len(set(modes)) < len(modes):
        raise UserError(f"modes {', '.join(modes)!r} of {domain}: choose one or more, each once")
    return _Side(domain, tuple(modes))


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UserError(f"{name} {value}: choose a number from {low} to {high}")


def shuffled_modes(modes: Sequence[str], seed: int, split: str, total: int) -> tuple[str, ...]:
    """The modes of a split's pictures: equal shares up to one picture, in a drawn order."""
    rng = np.random.default_rng([GENERATOR_VERSION, seed, SPLITS.index(split)])
    order = np.argsort(rng.random(total), kind="stable")
    return tuple(modes[int(i) % len(modes)] for i in order)


def _write(
    part: Path, made: Row, sides: dict[str, _Side], jobs: int, progress: bool
) -> tuple[str, list[Row]]:
    """Write the pictures; returns the sha256 of all their sha256, in order, and the truth."""
    chunks = []
    for split in SPLITS:
        (part / split).mkdir(parents=True)
        domain, some = sides[DOMAIN_OF[split]]
        total = made["train"] if split.startswith("train") else made["test"]
        modes = shuffled_modes(some, made["seed"], split, total)
        for start in range(0, total, _CHUNK):
            of_chunk = modes[start : start + _CHUNK]
            chunks.append(
                _Chunk(domain, of_chunk, made["size"], made["seed"], split, start, str(part))
            )
    digest, rows = hashlib.sha256(), []
    total = sum(len(chunk.modes) for chunk in chunks)
    with tqdm(total=total, desc="drawing animals", disable=not progress) as bar:
        for digests, chunk_rows in _map(chunks, jobs):
            digest.update(digests)
            rows += chunk_rows
            bar.update(len(chunk_rows))
    return digest.hexdigest(), rows


def _map(chunks: list[_Chunk], jobs: int) -> Iterator[tuple[bytes, list[Row]]]:
    if jobs == 1:
        yield from map(_write_chunk, chunks)
        return
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(min(jobs, len(chunks)), mp_context=context) as pool:
            yield from pool.map(_write_chunk, chunks)
    except BrokenProcessPool as error:
        raise UserError(f"drawing in {jobs} processes failed: draw with jobs=1") from error


def _write_chunk(chunk: _Chunk) -> tuple[bytes, list[Row]]:
    digests, rows = b"", []
    for index, mode in enumerate(chunk.modes, start=chunk.start):
        animal = draw_animal(chunk.domain, mode, chunk.seed, chunk.split, index)
        pixels = render_animal(animal, chunk.size)
        name = f"{index:05d}.png"
        Image.fromarray(pixels).save(Path(chunk.folder) / chunk.split / name)
        digests += hashlib.sha256(pixels.tobytes()).digest()
        row: Row = {"folder": chunk.split, "file": name, "mode": mode}
        rows.append(row | animal.factors)
    return digests, rows


def _check_finished(folder: Path, made: Row, sides: dict[str, _Side]) -> None:
    """Refuse a folder that is not the complete one of these arguments."""
    truth = truth_folder(folder)
    domains = {d: {"title": side.title, "modes": list(side.modes)} for d, side in sides.items()}
    try:
        found = json.loads((folder / "drawn.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no finished drawn animals there; {_REMEDY}") from error
    for name, value in made.items():
        other = found.get(name) if isinstance(found, dict) else None
        if other != value:
            raise UserError(f"{folder}: drawn with {name} {other!r}, not {value!r}; {_REMEDY}")
    for split in SPLITS:
        total = made["train"] if split.startswith("train") else made["test"]
        there = set(os.listdir(folder / split)) if (folder / split).is_dir() else set()
        for index in range(total):
            if f"{index:05d}.png" not in there:
                raise UserError(f"{folder / split / f'{index:05d}.png'}: missing; {_REMEDY}")
    try:
        told = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{truth}: does not tell the modes of {folder}; {_REMEDY}") from error
    if not isinstance(told, dict) or told.get("domains") != domains:
        raise UserError(f"{folder}: drawn of other domains or modes ({truth}); {_REMEDY}")
    if told.get("made") != found:
        raise UserError(f"{truth}: tells of other pictures than those in {folder}; {_REMEDY}")
    if not (truth / "truth.csv").is_file():
        raise UserError(f"{truth / 'truth.csv'}: missing; {_REMEDY}")
