"""Pictures in rows and columns.

As ``torchvision.utils.make_grid``, without the seconds that every training would spend to import
torchvision for it.
"""

from __future__ import annotations

from torch import Tensor


def grid(pictures: Tensor, columns: int, padding: int = 1, value: float = 0.0) -> Tensor:
    """Pictures (N, C, H, W) row by row, at most ``columns`` in one, as one (C, H', W') with
    ``padding`` pixels of ``value`` between them and around."""
    count, channels, height, width = pictures.shape
    columns = min(columns, count)
    down, right = height + padding, width + padding
    rows = -(-count // columns)
    out = pictures.new_full((channels, rows * down + padding, columns * right + padding), value)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * down + padding, (number % columns) * right + padding
        out[:, top : top + height, left : left + width] = picture
    return out
