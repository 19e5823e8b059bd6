"""Pictures: read from files, as the bytes of their files, which is what is measured, and in rows and
columns."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from models.errors import UserError

RANGE_TOLERANCE = 1e-3  # rounding of a tanh, far below one grey level
# Pillow would otherwise try every plugin it has, some of which start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
LOSSY = frozenset({"JPEG", "WEBP"})
_NO_RGB = {"L": "greyscale", "1": "black and white", "P": "of a palette", "CMYK": "CMYK"}


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """UserError for what is no picture, broken or too large."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except Image.DecompressionBombError:
        raise UserError(f"{path} is too large a picture: scale it down") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is no picture that can be read ({reason}): replace it") from None


def read(path: Path) -> Image.Image:
    """The picture in ``path`` as upright 8-bit RGB, transparency laid on white, for people to look at;
    UserError if it is none or too large."""
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
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


def size_to_measure(path: Path, lossy: bool = False) -> tuple[int, int]:
    """Width and height of a picture that can be measured as it is, by its header; UserError for one
    that cannot: grey, transparent, of more than 8 bits, and unless ``lossy`` is allowed, compressed
    with loss."""
    with _opened(path) as image:
        kind, mode, size = image.format, image.mode, image.size
        transparent = image.has_transparency_data
    if kind in LOSSY and not lossy:
        raise UserError(
            f"{path} is a {kind}: its compression changes LPIPS and every other number; save PNGs, or "
            "give --lossy to measure it all the same"
        )
    if transparent:
        raise UserError(f"{path} has an alpha channel: save it as RGB, without one")
    if mode[0] in "IF":
        raise UserError(f"{path} has pixels of more than 8 bits: save it as an 8-bit PNG")
    if mode != "RGB":
        raise UserError(f"{path} is {_NO_RGB.get(mode, mode)}: save it as RGB")
    return size


def pixels_of(path: Path) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of a picture that ``size_to_measure`` let pass."""
    with _opened(path) as image:
        return np.array(image)


def to_bytes(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] as the uint8 that a PNG file of them holds; UserError for others."""
    shape = tuple(pictures.shape)
    if pictures.ndim != 4 or shape[1] != 3 or not pictures.is_floating_point():
        raise UserError(
            f"pictures are {pictures.dtype} {shape}: features need real numbers, (N, 3, H, W)"
        )
    check_range(pictures, "features need")
    return pictures.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def check_range(pictures: Tensor, needs: str) -> None:
    """UserError for NaN and values out of [-1, 1], which is what someone ``needs``."""
    low, high = (float(v) for v in torch.aminmax(pictures))
    # Written so that NaN, which compares false to everything, is refused.
    if not (low >= -1 - RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
        raise UserError(f"pictures have values in [{low:g}, {high:g}]: {needs} [-1, 1]")


def tensor_of(image: Image.Image) -> Tensor:
    """An RGB picture as float32 (3, H, W) in [-1, 1]."""
    return from_bytes(torch.from_numpy(np.array(image)).permute(2, 0, 1))


def from_bytes(pixels: Tensor) -> Tensor:
    """uint8 pictures as float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1.0)


def as_saved(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] as a PNG file of them holds them. UserError as ``to_bytes``."""
    return from_bytes(to_bytes(pictures))


def grid(pictures: Tensor, columns: int, padding: int = 1, value: float = 0.0) -> Tensor:
    """Pictures (N, C, H, W) row by row, at most ``columns`` in one, as one (C, H', W') with ``padding``
    pixels of ``value`` between them and around: torchvision's make_grid, which takes seconds to import."""
    count, channels, height, width = pictures.shape
    columns = min(columns, count)
    down, right = height + padding, width + padding
    rows = -(-count // columns)
    out = pictures.new_full((channels, rows * down + padding, columns * right + padding), value)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * down + padding, (number % columns) * right + padding
        out[:, top : top + height, left : left + width] = picture
    return out
