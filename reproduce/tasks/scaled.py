"""Copy a folder of pictures with more than 8 bits, such as 12 bits in a 16-bit file, to 8 bits."""

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

NOTE = ".scaled.json"  # in the copy: the folder and range that it was made from


def scaled_copy(folder: Path, data_dir: Path, low: float, high: float, *, progress: bool) -> Path:
    """Copy ``folder`` into ``data_dir``, once, and return the copy. In 16 and 32-bit grey pictures,
    ``low`` becomes black and ``high`` white; all other files are unchanged.

    Raises UserError for values outside the range, 16-bit colour pictures (Pillow cannot read them)
    and a folder without any picture of more than 8 bits.
    """
    if not low < high:
        raise UserError(
            f"--range {low:g} {high:g}: the second value (white) must exceed the first (black)"
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
                        f"{folder} holds no picture of more than 8 bits: leave out --range"
                    )
                write_text(unfinished / NOTE, json.dumps(about) + "\n")
    return out


def _put(path: Path, target: Path, low: float, high: float) -> bool:
    """Write the copy of one file; return whether it was scaled."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in SUFFIXES:
        with (
            foreign(f"cannot read {path} as a picture", "replace or remove it"),
            Image.open(path, formats=FORMATS) as image,
        ):
            if "16" in str(image.tile) and image.mode == "RGB":
                raise UserError(f"{path} is a 16-bit colour picture: convert it to an 8-bit PNG")
            if image.mode[0] in "IF":
                values = np.asarray(image, dtype=np.float64)
                least, most = float(values.min()), float(values.max())
                if not (low <= least and most <= high):
                    raise UserError(
                        f"{path} has values from {least:g} to {most:g}, outside --range {low:g} "
                        f"{high:g}"
                    )
                grey = ((values - low) * (255 / (high - low))).round().astype(np.uint8)
                Image.fromarray(grey).save(target, format=image.format)
                return True
    shutil.copyfile(path, target)
    return False
