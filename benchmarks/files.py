"""Files of results: text, CSV and raw values, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError

OUTSIDE_DIGESTS = "how a file is written changes no number"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to be written, which then takes its place: whole or not at all.
    Raises UserError where it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        why = error.strerror or error
        raise UserError(
            f"cannot write {path} ({why}): check the space and the permissions, or choose another "
            "place"
        ) from None
    finally:
        with suppress(OSError):  # the folder itself may be none
            part.unlink(missing_ok=True)


def check_folder(option: str, folder: Path, *, written: bool = True) -> None:
    """UserError, naming the option that told of it, where ``folder`` could be none, or where nothing
    could be ``written`` in it: before hours are spent on what goes there."""
    _check_place(f"{option} {folder}", folder, written)


def check_file(option: str, path: Path) -> None:
    """The same of a file to write."""
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder: name a file in it")
    _check_place(f"{option} {path}", path.parent, True)


def _check_place(told: str, folder: Path, written: bool) -> None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"{told}: {there} is a file: name a folder")
    if written and not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{told}: {there} may not be written to: choose another")


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """``folder``, made with its parents where it is missing. Those of them that a UserError leaves
    empty go again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except UserError:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def save_arrays(path: Path, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``arrays`` and, under ``meta``, JSON values as ``.npz``: whole or not at all."""
    text = np.array(json.dumps(dict(meta), sort_keys=True))
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, meta=text, **cast("dict[str, Any]", arrays))


def comma_separated(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV under ``names``; None becomes an empty cell. Floats have nine significant digits: the last
    digits of a double depend on the machine that computes it, and a file should not."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(f"{v:.9g}" if isinstance(v, float | np.floating) else v for v in row)
    return out.getvalue()
