"""Write two domains of drawn animals: a flat folder of pictures, and the truth folder beside it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
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
from reproduce.tasks.drawn.drawing import (
    REMEDY,
    check_numbers,
    check_pictures,
    default_processes,
    in_processes,
    read_made,
)
from reproduce.tasks.modes import DOMAIN_OF, truth_folder, write_truth

Chosen: TypeAlias = str | tuple[str, Sequence[str]]  # a domain, or a domain and some of its modes
Row: TypeAlias = dict[str, Any]
_CHUNK = 50


class _Side(NamedTuple):
    domain: str
    modes: tuple[str, ...]

    @property
    def title(self) -> str:
        """The domain's title, or the names of the chosen modes."""
        whole = DOMAINS[self.domain]
        return whole.title if len(self.modes) == len(whole.modes) else ", ".join(self.modes)


class _Chunk(NamedTuple):
    domain: str
    modes: tuple[str, ...]  # one per picture, from ``start`` on
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
    """Write two domains to ``folder``, or check that it already holds them.

    ``domain_a``, ``domain_b``: a name in DOMAINS, or a name and some of its modes, such as
    ("dogs", ("husky",)); both may be the same domain with disjoint modes. trainA and trainB get
    ``train`` pictures each, testA and testB ``test`` each, of ``size`` (32 to 256) pixels. Modes
    have equal shares up to one picture, in an order shuffled by ``seed``; no pose appears twice.
    The modes are only stored in the sibling ``<folder>.truth`` (reproduce.tasks.modes).

    The pictures do not depend on ``jobs``, the number of processes (None: one per processor, at
    most 8, and only one for few pictures). ``progress``: show a bar on standard error. The folders
    appear when complete, the truth first. Raises UserError for invalid arguments and for a folder
    with other contents.
    """
    sides = {"a": _side(domain_a), "b": _side(domain_b)}
    shared = set(sides["a"].modes) & set(sides["b"].modes)
    if shared:
        raise UserError(
            f"both domains have the mode {min(shared)}: choose modes that they do not share"
        )
    if jobs is None:
        jobs = default_processes(2 * (train + test), size)
    check_numbers(size, seed, train, test, jobs)
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


def shuffled_modes(modes: Sequence[str], seed: int, split: str, total: int) -> tuple[str, ...]:
    """Return the modes of a split's pictures: equal shares up to one picture, shuffled."""
    rng = np.random.default_rng([GENERATOR_VERSION, seed, SPLITS.index(split)])
    order = np.argsort(rng.random(total), kind="stable")
    return tuple(modes[int(i) % len(modes)] for i in order)


def _write(
    part: Path, made: Row, sides: dict[str, _Side], jobs: int, progress: bool
) -> tuple[str, list[Row]]:
    """Write the pictures; return the sha256 over their sha256 digests, in order, and the truth."""
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
        for digests, chunk_rows in in_processes(_write_chunk, chunks, jobs):
            digest.update(digests)
            rows += chunk_rows
            bar.update(len(chunk_rows))
    return digest.hexdigest(), rows


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
    """Raise UserError unless the folder is complete and was drawn with these arguments."""
    truth = truth_folder(folder)
    domains = {d: {"title": side.title, "modes": list(side.modes)} for d, side in sides.items()}
    found = read_made(folder, "animals", made)
    for split in SPLITS:
        check_pictures(folder / split, made["train" if split.startswith("train") else "test"])
    try:
        told = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{truth}: does not contain the modes of {folder}; {REMEDY}") from error
    if not isinstance(told, dict) or told.get("domains") != domains:
        raise UserError(f"{folder}: drawn with other domains or modes ({truth}); {REMEDY}")
    if told.get("made") != found:
        raise UserError(f"{truth}: does not belong to the pictures in {folder}; {REMEDY}")
    if not (truth / "truth.csv").is_file():
        raise UserError(f"{truth / 'truth.csv'}: missing; {REMEDY}")
