"""Read one picture safely, prepare it for a network, and write it.

A picture in memory is a PIL image in RGB with 8 bits per channel; as a tensor it is float32,
(3, H, W), in [-1, 1]. Files are untrusted: damaged or enormous pictures, and other files, raise
UserError naming the file. No global setting of PIL is changed.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from models.errors import UserError

SMALLEST_SIDE = 8
MOST_PIXELS = 100_000_000
MOST_ASPECT = 16  # a longer strip would be scaled to gigabytes before it is cropped
GREY = (0.299, 0.587, 0.114)  # of red, green, blue, as in pix2pix and BicycleGAN

# By default Pillow tries all its plugins, and some of them start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")

# The exceptions that Pillow's decoders raise for invalid data.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    OverflowError,
    struct.error,
    zlib.error,
)

ORIENTATION_TAG, MAXIMUM_TAG = 0x0112, 0x0119
UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(path: str | Path) -> Image.Image:
    """Read the picture in ``path`` as 8-bit RGB, turned upright (EXIF); an animation's first frame.

    16-bit grey is scaled to 8 bits (relative to a TIFF's stated maximum, if any); transparency is
    composited over white. Raises ``UserError`` for a file that is not a picture, is damaged, has a
    side under 8 pixels, is more than 16 times as long as wide or has over 100 million pixels (the
    last three are checked in the header, before decoding).
    """
    path = Path(path)
    _refuse_non_files(path)
    try:
        with path.open("rb") as file:
            image = _open(file, path)
            try:
                image.load()
                # Only after load(): PNG may keep its EXIF after the pixels, and TIFF is turned
                # upright by Pillow itself while loading.
                return _upright(_as_rgb(image, path), _orientation(image))
            except UserError:
                raise
            except DECODER_ERRORS as error:
                raise UserError(
                    f"{path} is damaged or cut short ({_one_line(error)}); replace or remove it"
                ) from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read; check its permissions") from error


def _refuse_non_files(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; check the path") from error
    except OSError as error:
        raise UserError(f"{path} cannot be reached ({error.strerror}); check the path") from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path} is a folder, not a picture; give a picture file")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is not an ordinary file; give a picture file")
    if status.st_size == 0:
        raise UserError(f"{path} is empty; replace or remove it")


def _open(file: object, path: Path) -> Image.Image:
    too_large = UserError(f"{path} has over {MOST_PIXELS:,} pixels; scale it down or remove it")
    try:
        image = Image.open(file, formats=FORMATS)  # type: ignore[arg-type]
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large from error
    except DECODER_ERRORS as error:
        raise UserError(
            f"{path} is not a picture that can be read ({', '.join(FORMATS)}); "
            "convert it to PNG, or remove it"
        ) from error
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise too_large
    if min(width, height) < SMALLEST_SIDE:
        raise UserError(
            f"{path} is {width}x{height} pixels, too small to train on; "
            f"replace it by one of at least {SMALLEST_SIDE}x{SMALLEST_SIDE}, or remove it"
        )
    if max(width, height) > MOST_ASPECT * min(width, height):
        raise UserError(
            f"{path} is {width}x{height} pixels, more than {MOST_ASPECT} times as long as wide; "
            "crop or remove it"
        )
    return image


def _as_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "F":
        raise UserError(f"{path} has floating-point pixels; save it as an 8- or 16-bit PNG")
    if image.mode.startswith("I"):
        return _grey16_as_rgb(image, path)
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
        return paper.convert("RGB")
    return image.convert("RGB")


def _grey16_as_rgb(image: Image.Image, path: Path) -> Image.Image:
    # Pillow's own conversion clips at 255, which turns almost every 16-bit picture white.
    values = np.asarray(image).astype(np.int32)
    largest, most = int(values.max()), _stated_maximum(image)
    if values.min() < 0 or largest > 65535:
        raise UserError(f"{path} has pixels outside 16 bits; save it as an 8- or 16-bit PNG")
    if most is None or largest > most:
        most = 65535
        if 0 < largest < 4096:
            _tell_of_dark(path.parent)
    grey = ((values * 255 + most // 2) // most).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _stated_maximum(image: Image.Image) -> int | None:
    """Return a TIFF's stated maximum (MaxSampleValue); None if there is none."""
    told = getattr(image, "tag_v2", {}).get(MAXIMUM_TAG)
    value = told[0] if isinstance(told, tuple) and told else told
    return value if isinstance(value, int) and 255 <= value <= 65535 else None


@cache
def _tell_of_dark(folder: Path) -> None:
    logging.getLogger("reproduce").warning(
        f"note: 16-bit pictures in {folder} use values below 4,096 of 65,535 and look dark: if they "
        "hold 8 or 12 bits, save them scaled to 16 bits, or as 8-bit PNG"
    )


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except DECODER_ERRORS:
        return 1  # Viewers show a picture with unreadable EXIF as it is stored.
    return value if isinstance(value, int) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = UPRIGHT_BY.get(orientation)
    return image if method is None else image.transpose(method)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Convert an RGB picture to float32 (3, H, W) in [-1, 1]: 0 becomes -1 and 255 becomes 1."""
    return from_bytes(_to_bytes(image))


def _to_bytes(image: Image.Image) -> torch.Tensor:
    """Convert an RGB picture to uint8 (3, H, W)."""
    if image.mode != "RGB":
        raise ValueError(f"expected an RGB picture, not mode {image.mode}")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def from_bytes(pixels: torch.Tensor) -> torch.Tensor:
    """Convert uint8 pixels to float32 in [-1, 1] on their device; equal bits on all devices."""
    # A GPU replaces division by a Python number by its reciprocal, which rounds differently.
    return pixels.to(torch.float32).div_(torch.full((), 127.5, device=pixels.device)).sub_(1.0)


def of_channels(pictures: torch.Tensor, channels: int) -> torch.Tensor:
    """Convert (..., 3, H, W) to a network's number of ``channels``: 3, or 1 (grey)."""
    if channels == 3:
        return pictures
    weights = pictures.new_tensor(GREY).view(3, 1, 1)
    return (pictures * weights).sum(dim=-3, keepdim=True)


def to_image(tensor: torch.Tensor) -> Image.Image:
    """Convert (3, H, W) in [-1, 1] to 8-bit RGB: rounded and clamped, never rescaled."""
    if tensor.dim() != 3 or tensor.shape[0] != 3:
        raise ValueError(f"expected a (3, H, W) tensor, not {tuple(tensor.shape)}")
    tensor = tensor.detach().to("cpu", torch.float32)
    if torch.isnan(tensor).any():
        raise ValueError("a picture with NaN pixels cannot be shown")
    pixels = tensor.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))


def save_png(tensor: torch.Tensor, path: str | Path) -> None:
    """Write (3, H, W) in [-1, 1] to ``path`` as PNG, atomically."""
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        to_image(tensor).save(unfinished, format="PNG")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@dataclass(frozen=True)
class Preparation:
    """Convert a picture of any size to a tensor of one size: resize, crop, flip.

    ``size``: height and width in pixels, or one number for both. ``resize``: length of the short
    side before the crop (bicubic, anti-aliased); by default, and whenever this would not cover the
    crop, the picture is scaled to just cover ``size``. A picture that already has the right size is
    not resampled. ``crop``: ``"random"`` or ``"centre"``. ``flip``: mirror a random half of the
    pictures.
    """

    size: int | tuple[int, int]
    resize: int | None = None
    crop: Literal["random", "centre"] = "random"
    flip: bool = True

    def __post_init__(self) -> None:
        if min(self.shape) < SMALLEST_SIDE:
            raise UserError(f"picture size {self.size} is too small; use at least {SMALLEST_SIDE}")
        if self.resize is not None and self.resize < min(self.shape):
            raise UserError(
                f"resize {self.resize} is smaller than the crop of {self.size}; "
                f"use at least {min(self.shape)}"
            )
        if self.crop not in ("random", "centre"):
            raise UserError(f"unknown crop {self.crop!r}; use 'random' or 'centre'")

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the prepared pictures."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def at_test(self) -> Preparation:
        """Return the deterministic version: scale to cover the size, centre crop, no flip."""
        return Preparation(self.size, resize=None, crop="centre", flip=False)

    def __call__(
        self, image: Image.Image, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Return ``image`` as float32 (3, height, width) in [-1, 1]."""
        return from_bytes(self.cut(self.scaled(image), generator))

    def scaled(self, image: Image.Image) -> torch.Tensor:
        """Resize ``image``, the deterministic part; returns uint8 (3, H, W)."""
        return _to_bytes(self._resized(image))

    def cut(self, pixels: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Crop the result of ``scaled`` to (3, height, width) and flip it.

        The offsets are drawn as fractions of the available room, so equal generators crop and flip
        two pictures alike, even at different resolutions.
        """
        down, across, mirror = self._draw(generator)
        height, width = self.shape
        top = int(down * (pixels.shape[1] - height + 1))
        left = int(across * (pixels.shape[2] - width + 1))
        pixels = pixels[:, top : top + height, left : left + width]
        return pixels.flip(2) if self.flip and mirror < 0.5 else pixels

    def _draw(self, generator: torch.Generator | None) -> tuple[float, float, float]:
        if self.crop == "centre" and not self.flip:
            return 0.5, 0.5, 1.0
        if generator is None:
            raise ValueError("a random preparation needs a generator")
        down, across, mirror = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
        return (0.5, 0.5, mirror) if self.crop == "centre" else (down, across, mirror)

    def _resized(self, image: Image.Image) -> Image.Image:
        height, width = self.shape
        scale = max(height / image.height, width / image.width)
        if self.resize is not None:
            scale = max(scale, self.resize / min(image.size))
        target = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
        if target == image.size:
            return image
        return image.resize(target, Image.Resampling.BICUBIC)
