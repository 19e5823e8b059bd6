"""Files of results: text, CSV and raw values, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError

OUTSIDE_DIGESTS = "how a file is written changes no number"


def cannot_write(path: Path, error: OSError) -> UserError:
    """What a person is told of a file or folder that the system refuses."""
    return UserError(
        f"cannot write {path} ({error.strerror or error}): check the space and the permissions, or "
        "choose another place"
    )


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
        raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):  # the folder itself may be none
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same of a folder, in place of an older one."""
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
    except OSError as error:
        if old.exists():
            os.replace(old, path)
        raise cannot_write(path, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


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
