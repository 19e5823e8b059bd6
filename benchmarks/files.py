"""Files of results: text, CSV and raw values, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError

OUTSIDE_DIGESTS = "how a file is written changes no number"


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def save_arrays(path: Path, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``arrays`` and, under ``meta``, JSON values as ``.npz``: whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    text = np.array(json.dumps(dict(meta), sort_keys=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                np.savez_compressed(file, meta=text, **cast("dict[str, Any]", arrays))
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def comma_separated(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV under ``names``; None becomes an empty cell. Floats have nine significant digits: the last
    digits of a double depend on the machine that computes it, and a file should not."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(f"{v:.9g}" if isinstance(v, float | np.floating) else v for v in row)
    return out.getvalue()
