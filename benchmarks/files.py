"""Files of results: text, CSV and raw values, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

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


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def save_arrays(
    path: Path, meta: Mapping[str, Any], arrays: Mapping[str, Any],
    input_ids: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Write ``arrays``, ``input_ids`` and, under ``meta``, JSON values as ``.npz``: whole or not at
    all."""
    text = np.array(json.dumps(dict(meta), sort_keys=True))
    ids: dict[str, Any] = (
        {} if input_ids is None else {"input_ids": np.array(input_ids, dtype=np.str_)}
    )
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, meta=text, **arrays, **ids)


def load_arrays(path: Path) -> tuple[Any, dict[str, Any]]:
    """``meta`` and all arrays that ``save_arrays`` wrote; UserError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
            return json.loads(str(arrays.pop("meta"))), arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: no raw values ({error}): measure again") from None


def comma_separated(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV under ``names``; None becomes an empty cell. Floats have nine significant digits: the last
    digits of a double depend on the machine that computes it, and a file should not."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(f"{v:.9g}" if isinstance(v, float | np.floating) else v for v in row)
    return out.getvalue()
