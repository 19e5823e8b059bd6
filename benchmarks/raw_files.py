"""Raw values behind a measurement, in files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError


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
