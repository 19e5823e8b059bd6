"""Pictures as the bytes of their files, which is what is measured."""

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
