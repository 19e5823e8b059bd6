"""Pictures as the bytes of their files, which is what is measured; and in rows and columns."""

from __future__ import annotations

import torch
from torch import Tensor

from models.errors import UserError

RANGE_TOLERANCE = 1e-3  # rounding of a tanh, far below one grey level


def to_bytes(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] as the uint8 that a PNG file of them holds.

    Raises UserError for other shapes, NaN and values out of range.
    """
    shape = tuple(pictures.shape)
    if pictures.ndim != 4 or shape[1] != 3 or not pictures.is_floating_point():
        raise UserError(
            f"pictures are {pictures.dtype} {shape}: features need real numbers, (N, 3, H, W)"
        )
    low, high = (float(v) for v in torch.aminmax(pictures))
    # Written so that NaN, which compares false to everything, is refused.
    if not (low >= -1 - RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
        raise UserError(f"pictures have values in [{low:g}, {high:g}]: features need [-1, 1]")
    return pictures.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def grid(pictures: Tensor, columns: int, padding: int = 1, value: float = 0.0) -> Tensor:
    """Pictures (N, C, H, W) row by row, at most ``columns`` in one, as one (C, H', W') with
    ``padding`` pixels of ``value`` between them and around.

    As ``torchvision.utils.make_grid``, without the seconds that every training would spend to import
    torchvision for it.
    """
    count, channels, height, width = pictures.shape
    columns = min(columns, count)
    down, right = height + padding, width + padding
    rows = -(-count // columns)
    out = pictures.new_full((channels, rows * down + padding, columns * right + padding), value)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * down + padding, (number % columns) * right + padding
        out[:, top : top + height, left : left + width] = picture
    return out
