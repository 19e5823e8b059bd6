"""Reading pictures, converting between [-1, 1] and bytes, and arranging pictures in a grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps
from torch import Tensor

from benchmarks.files import foreign
from models.errors import UserError

RANGE_TOLERANCE = 1e-3  # allows for the rounding of tanh; far below one grey level
# Otherwise Pillow would try all its plugins, some of which start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
_LOSSY = {"JPEG", "MPO", "jpeg", "tiff_jpeg", "webp", "tiff_sgilog24"}  # and of TIFF
_NO_RGB = {"L": "greyscale", "1": "black and white", "P": "of a palette", "CMYK": "CMYK"}


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    with (
        foreign(f"{path} is no picture that can be read", "replace it"),
        Image.open(path, formats=FORMATS) as image,
    ):
        yield image


def read(path: Path) -> Image.Image:
    """Read a picture as upright 8-bit RGB, with transparency composited on white, for viewing.
    Raises UserError if it is not a picture or too large."""
    with _opened(path) as image:
        _check_depth(path, image)
        upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright.convert("RGBA"))
    return upright.convert("RGB")


def size_of(path: Path) -> tuple[int, int]:
    """Return the width and height of the result of ``read``, from the header alone."""
    with _opened(path) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)
        return (image.height, image.width) if turned else image.size


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale and centrally crop ``image`` to ``size`` (width, height), as the networks see it."""
    if image.size == size:
        return image
    return ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def size_to_measure(path: Path, lossy: bool = False) -> tuple[int, int]:
    """Return the width and height, from the header, of a picture that can be measured unchanged.
    Raises UserError for greyscale, transparency, more than 8 bits, several frames and, unless
    ``lossy``, lossy compression."""
    with _opened(path) as image:
        kind = image.info.get("compression") if image.format == "TIFF" else image.format
        if not lossy and (kind in _LOSSY or (kind == "WEBP" and not _keeps_pixels(path))):
            called = f"{kind.split('_')[-1].upper()} in a TIFF" if kind != image.format else kind
            raise UserError(
                f"{path} is a {called}: its compression changes LPIPS and every other number; save "
                "PNGs, or give --lossy to measure it all the same"
            )
        if image.has_transparency_data:
            raise UserError(f"{path} has an alpha channel: save it as RGB, without one")
        _check_depth(path, image)
        if image.mode != "RGB":
            raise UserError(f"{path} is {_NO_RGB.get(image.mode, image.mode)}: save it as RGB")
        if getattr(image, "n_frames", 1) > 1:
            raise UserError(f"{path} holds several pictures: save each in a file of its own")
        return image.size


def _keeps_pixels(webp: Path) -> bool:
    """Return whether a WebP is lossless, from its first chunk of pixels."""
    with webp.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8 and not head.startswith(b"VP8 "):
            if head.startswith(b"VP8L"):
                return True
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, 1)
    return False


def _check_depth(path: Path, image: ImageFile.ImageFile) -> None:
    """Raise UserError for more than 8 bits per channel; Pillow silently reduces 16-bit RGB."""
    deep = image.mode[0] in "IF" or any(
        "RGB;16" in str(how) or (codec[:3] == "ppm" and isinstance(how, tuple) and how[1] > 255)
        for codec, _, _, how in image.tile
    )
    if deep:
        raise UserError(f"{path} has pixels of more than 8 bits: save it as an 8-bit PNG")


def pixels_of(path: Path) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) of a picture that ``size_to_measure`` accepts."""
    with _opened(path) as image:
        return np.array(image)


def to_bytes(pictures: Tensor) -> Tensor:
    """Convert pictures (N, 3, H, W) in [-1, 1] to uint8, as in PNG files; else UserError."""
    shape = tuple(pictures.shape)
    if pictures.ndim != 4 or shape[1] != 3 or not pictures.is_floating_point():
        raise UserError(
            f"pictures are {pictures.dtype} {shape}: features need real numbers, (N, 3, H, W)"
        )
    check_range(pictures, "features need")
    return pictures.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def check_range(pictures: Tensor, needs: str) -> None:
    """Raise UserError for NaN and for values outside [-1, 1]; ``needs``: what requires them, for
    the message, e.g. "LPIPS needs"."""
    low, high = (float(v) for v in torch.aminmax(pictures))
    # Written so that NaN, for which every comparison is false, is refused.
    if not (low >= -1 - RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
        raise UserError(f"pictures have values in [{low:g}, {high:g}]: {needs} [-1, 1]")


def tensor_of(image: Image.Image) -> Tensor:
    """Convert an RGB picture to float32 (3, H, W) in [-1, 1]."""
    return from_bytes(torch.from_numpy(np.array(image)).permute(2, 0, 1))


def from_bytes(pixels: Tensor) -> Tensor:
    """Convert uint8 pictures to float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1.0)


def as_saved(pictures: Tensor) -> Tensor:
    """Quantise pictures (N, 3, H, W) in [-1, 1] as PNG files do; UserError as ``to_bytes``."""
    return from_bytes(to_bytes(pictures))


def grid(pictures: Tensor, columns: int, padding: int = 1, value: float = 0.0) -> Tensor:
    """Arrange pictures (N, C, H, W) in rows of at most ``columns`` as one picture (C, H', W'), with
    ``padding`` pixels of ``value`` around each. As torchvision's make_grid, slow to import."""
    count, channels, height, width = pictures.shape
    columns = min(columns, count)
    down, right = height + padding, width + padding
    rows = -(-count // columns)
    out = pictures.new_full((channels, rows * down + padding, columns * right + padding), value)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * down + padding, (number % columns) * right + padding
        out[:, top : top + height, left : left + width] = picture
    return out
