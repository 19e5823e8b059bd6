"""Pictures of more than 8 bits that do not fill their format, such as 12 bits in a 16-bit file: a copy
of their folder in the 8 bits that everything here reads."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.files import files_under, foreign, whole_folder, write_text
from models.errors import UserError
from reproduce.tasks.locks import only_process
from reproduce.tasks.pictures import FORMATS
from reproduce.tasks.sources import SUFFIXES

NOTE = ".scaled.json"  # in the copy: out of what it was made


def scaled_copy(folder: Path, data_dir: Path, low: float, high: float, *, progress: bool) -> Path:
    """The copy, made once under ``data_dir``: grey pictures of 16 or 32 bits, of which ``low`` becomes
    black and ``high`` white, and all other files as they are.

    Raises UserError for values out of that range, for colours of 16 bits, which Pillow does not read,
    and for a folder without a picture of more than 8 bits.
    """
    if not low < high:
        raise UserError(
            f"--range {low:g} {high:g}: the first is black, the second white and larger"
        )
    files = list(files_under(folder))
    about = {"folder": str(folder.resolve()), "range": [low, high]}
    told = [
        (f.relative_to(folder).as_posix(), f.stat().st_size, f.stat().st_mtime_ns) for f in files
    ]
    mark = hashlib.sha256(json.dumps([about, told]).encode()).hexdigest()[:12]
    out = data_dir / f"{folder.resolve().name}-{mark}"
    with only_process(out):
        if not out.exists():
            with whole_folder(out) as unfinished:
                bar = tqdm(files, desc=f"scaling {folder.name}", unit="file", disable=not progress)
                if not sum(_put(f, unfinished / f.relative_to(folder), low, high) for f in bar):
                    raise UserError(
                        f"{folder} holds no picture of more than 8 bits: leave --range out"
                    )
                write_text(unfinished / NOTE, json.dumps(about) + "\n")
    return out


def _put(path: Path, target: Path, low: float, high: float) -> bool:
    """Write a file's copy; whether it was scaled."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in SUFFIXES:
        with (
            foreign(f"{path} is no picture that can be read", "replace or remove it"),
            Image.open(path, formats=FORMATS) as image,
        ):
            if "16" in str(image.tile) and image.mode == "RGB":
                raise UserError(f"{path} has colours of 16 bits: save them scaled, as 8-bit PNG")
            if image.mode[0] in "IF":
                values = np.asarray(image, dtype=np.float64)
                least, most = float(values.min()), float(values.max())
                if not (low <= least and most <= high):
                    raise UserError(
                        f"{path} has values from {least:g} to {most:g}, out of --range {low:g} {high:g}"
                    )
                grey = ((values - low) * (255 / (high - low))).round().astype(np.uint8)
                Image.fromarray(grey).save(target, format=image.format)
                return True
    shutil.copyfile(path, target)
    return False
