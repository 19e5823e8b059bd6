"""Write drawn pictures as a data set, in the folder layout of the real ones."""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from models.errors import UserError
from reproduce.tasks.drawn.canvas import Bytes
from reproduce.tasks.drawn.content import Content
from reproduce.tasks.drawn.drawing import (
    REMEDY,
    check_numbers,
    check_pictures,
    default_processes,
    in_processes,
    read_made,
)
from reproduce.tasks.drawn.kinds import KINDS, check_kind, draw_content, draw_style
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo
from reproduce.tasks.drawn.style import Style

# Increase whenever a picture changes: results identify the pictures that they were measured on.
GENERATOR_VERSION = 3
SPLITS = ("trainA", "trainB", "trainPairs", "test")
_FOLDERS = {"test": ("testA", "testB", "testMask")}
_CHUNK = 50


class _Chunk(NamedTuple):
    kind: str
    size: int
    seed: int
    split: str
    start: int
    stop: int
    folder: str


def draw(kind: str, seed: int, split: str, index: int) -> tuple[Content, Style]:
    """Draw picture ``index`` of a split; content and style use separate random streams."""
    address = [GENERATOR_VERSION, KINDS.index(kind), seed, SPLITS.index(split), index]
    content = draw_content(kind, np.random.default_rng([*address, 0]))
    return content, draw_style(kind, np.random.default_rng([*address, 1]))


def write_drawn(
    kind: str,
    folder: Path,
    *,
    size: int,
    seed: int,
    train: int = 4000,
    test: int = 200,
    jobs: int | None = None,
    progress: bool = False,
) -> None:
    """Write ``kind`` ("shoes" or "handbags") to ``folder``, or check that it already holds them.

    The folder holds trainA (edge maps), trainB (photos of other objects), trainPairs (edge map
    left, photo right, of yet other objects, for paired methods), testA, testB and testMask (equal
    names belong together), factors.csv and drawn.json (the arguments). ``size`` is 32 to 256
    pixels. The pictures do not depend on ``jobs``, the number of processes (None: one per
    processor, at most 8, and only one for few pictures). ``progress``: show a bar on standard
    error. The folder appears when complete.

    Raises UserError for invalid arguments and for a folder with other contents.
    """
    check_kind(kind)
    if jobs is None:
        jobs = default_processes(3 * train + test, size)
    check_numbers(size, seed, train, test, jobs)
    folder = Path(folder)
    made: dict[str, Any] = {
        "kind": kind,
        "size": size,
        "seed": seed,
        "train": train,
        "test": test,
        "generator_version": GENERATOR_VERSION,
    }
    if folder.exists():
        _check_finished(folder, made)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as hidden:
        part = Path(hidden) / "drawn"
        for split in SPLITS:
            for name in _FOLDERS.get(split, (split,)):
                (part / name).mkdir(parents=True)
        digest = _write(part, made, jobs, progress)
        made |= {"sha256": digest, "license": "Drawn by this project from random numbers."}
        (part / "drawn.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            _check_finished(folder, made)


def _write(part: Path, made: dict[str, Any], jobs: int, progress: bool) -> str:
    """Write pictures and factors.csv; return the sha256 over the pictures' digests, in order."""
    chunks = [
        _Chunk(made["kind"], made["size"], made["seed"], split, start, stop, str(part))
        for split in SPLITS
        for total in (made["test"] if split == "test" else made["train"],)
        for start in range(0, total, _CHUNK)
        for stop in (min(start + _CHUNK, total),)
    ]
    total = 3 * made["train"] + made["test"]
    digest, rows = hashlib.sha256(), []
    with tqdm(total=total, desc=f"drawing {made['kind']}", disable=not progress) as bar:
        for digests, chunk_rows in in_processes(_write_chunk, chunks, jobs):
            digest.update(digests)
            rows += chunk_rows
            bar.update(len(chunk_rows))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(part / "factors.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return digest.hexdigest()


def _write_chunk(chunk: _Chunk) -> tuple[bytes, list[dict[str, Any]]]:
    digests, rows = b"", []
    for index in range(chunk.start, chunk.stop):
        content, style = draw(chunk.kind, chunk.seed, chunk.split, index)
        name = f"{index:05d}.png"
        for folder, pixels in _pictures(chunk.split, content, style, chunk.size).items():
            Image.fromarray(pixels).save(Path(chunk.folder) / folder / name)
            digests += hashlib.sha256(pixels.tobytes()).digest()
        row: dict[str, Any] = {"split": chunk.split, "file": name} | content.as_dict()
        rows.append(row if chunk.split == "trainA" else row | style.as_dict())
    return digests, rows


def _pictures(split: str, content: Content, style: Style, size: int) -> dict[str, Bytes]:
    """Return the pictures by folder; trainA only has edge maps, and its styles are unused."""
    if split == "trainA":
        return {"trainA": render_edges(content, size)}
    photo = render_photo(content, style, size)
    if split == "trainB":
        return {"trainB": photo}
    edges = render_edges(content, size)
    if split == "trainPairs":
        return {"trainPairs": np.concatenate([edges, photo], axis=1)}
    return {"testA": edges, "testB": photo, "testMask": render_mask(content, size)}


def _check_finished(folder: Path, made: dict[str, Any]) -> None:
    """Raise UserError unless the folder is complete and as ``made`` describes."""
    read_made(folder, "pictures", made)
    for split in SPLITS:
        for name in _FOLDERS.get(split, (split,)):
            check_pictures(folder / name, made["test"] if split == "test" else made["train"])
    if not (folder / "factors.csv").is_file():
        raise UserError(f"{folder / 'factors.csv'}: missing; {REMEDY}")
