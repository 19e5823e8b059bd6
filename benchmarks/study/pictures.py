"""Pictures of a study: found by the names that translations carry, and written without a trace.

A picture that raters see must not tell where it comes from, so it is encoded anew from its pixels
alone: one size, no metadata, a random name, the same time stamp for all.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from benchmarks.study.draw import counted
from models.errors import UserError

# Pillow would otherwise try every plugin it has, some of which start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
TRANSLATION = re.compile(r"(?s)(.+)_(?:sample|example)([0-9]+)")


def pictures_under(folder: Path) -> dict[str, Path]:
    """Every picture under ``folder`` by its id, as ``reproduce translate`` names inputs: the
    relative path without suffix, or with it where two would be alike. UserError if none."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give a folder of pictures")
    found = sorted(
        path for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    if not found:
        raise UserError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    bare = {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}
    if len(bare) == len(found):
        return bare
    return {path.relative_to(folder).as_posix(): path for path in found}


def translations_under(folder: Path, inputs: list[str]) -> dict[str, dict[str, Path]]:
    """The translations that ``reproduce translate`` wrote to ``folder``: input id -> sample
    ("00") -> file. UserError for an input without any."""
    found: dict[str, dict[str, Path]] = {name: {} for name in inputs}
    for name, path in pictures_under(folder).items():
        match = TRANSLATION.fullmatch(name.removesuffix(path.suffix))
        if match and match[1] in found:
            found[match[1]][match[2]] = path
    for name, samples in found.items():
        if not samples:
            raise UserError(
                f"{folder} has no translation of input '{name}' ({name}_sample00.png): translate "
                "the same inputs with every method"
            )
    return found


def read(path: Path) -> Image.Image:
    """The picture in ``path`` as upright 8-bit RGB; UserError if it is none or too large."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            upright = ImageOps.exif_transpose(image)
    except Image.DecompressionBombError:
        raise UserError(f"{path} is too large a picture: scale it down") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is no picture that can be read ({reason}): replace it") from None
    if upright.mode[0] in "IF":
        raise UserError(f"{path} has pixels of more than 8 bits: save it as an 8-bit PNG")
    if upright.has_transparency_data:
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright.convert("RGBA"))
    return upright.convert("RGB")


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """``image`` scaled to cover ``size`` (width, height), its centre kept: what networks see."""
    if image.size == size:
        return image
    return ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def degraded(image: Image.Image, seed: int, name: str) -> Image.Image:
    """``image`` so blurred and noisy that nobody who looks prefers it."""
    blurred = image.filter(ImageFilter.GaussianBlur(max(image.size) / 8))
    noise = counted(seed, "noise", name).normal(0, 64, (image.height, image.width, 3))
    pixels = np.clip(np.asarray(blurred, dtype=np.float64) + noise, 0, 255)
    return Image.fromarray(pixels.round().astype(np.uint8))


def farthest(image: np.ndarray, others: dict[str, np.ndarray]) -> str:
    """The name of the thumbnail among ``others`` that differs most from ``image``."""
    return max(sorted(others), key=lambda name: float(np.abs(others[name] - image).mean()))


def thumbnail(image: Image.Image) -> np.ndarray:
    """16x16 RGB values in [0, 255], to compare pictures roughly."""
    return np.asarray(image.resize((16, 16), Image.Resampling.BOX), dtype=np.float64)


def encoded(image: Image.Image) -> bytes:
    """PNG of the pixels and nothing else."""
    file = io.BytesIO()
    # Through an array: what Pillow remembers of the source (profiles, comments) stays behind.
    Image.fromarray(np.asarray(image)).save(file, format="PNG")
    return file.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a picture, dated like all others."""
    path.write_bytes(data)
    os.utime(path, (0, 0))
