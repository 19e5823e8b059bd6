"""Augmentations of training pictures, which make classifiers robust.

All take uint8 or float pictures (N, 3, H, W) of 0 to 255 and draw from a NumPy generator.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def disturbed(pictures: Tensor, mottle: float, draws: np.random.Generator) -> Tensor:
    """Blur half of the float pictures and add noise of up to ``mottle`` grey levels to them, each
    with its own random strength; returns uint8."""
    count, _, height, width = pictures.shape

    def strengths() -> Tensor:
        """Draw strengths from 0 to 1; 0 for the same half of the pictures in all disturbances."""
        strength = torch.from_numpy((draws.random(count) * chosen).astype(np.float32))
        return strength.to(pictures.device)[:, None, None, None]

    def noise(size: tuple[int, int]) -> Tensor:
        drawn = draws.standard_normal((count, 3, *size), dtype=np.float32)
        return torch.from_numpy(drawn).to(pictures.device)

    chosen = draws.random(count) < 0.5
    blurred = F.avg_pool2d(F.pad(pictures, (1,) * 4, mode="replicate"), 3, 1)
    x = torch.lerp(pictures, blurred, strengths())
    # Noise at two scales: single pixels, and spots of about two pixels.
    spots = F.interpolate(noise(((height + 1) // 2, (width + 1) // 2)), size=(height, width))
    x = x + mottle / 4 * strengths() * noise((height, width))
    x = x + mottle / 2 * strengths() * spots
    return x.round().clamp(0, 255).to(torch.uint8)


def shifted(pictures: Tensor, reach: int, draws: np.random.Generator) -> Tensor:
    """Mirror half of the pictures and shift each by up to ``reach`` pixels, repeating borders."""
    count, _, height, width = pictures.shape
    mirrored = draws.random(count) < 0.5
    down, across = draws.integers(-reach, reach + 1, (2, count, 1))
    rows = (np.arange(height) + down).clip(0, height - 1)  # (N, H), in the source picture
    columns = (np.arange(width) + across).clip(0, width - 1)  # (N, W)
    columns[mirrored] = columns[mirrored, ::-1]
    where = (np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :])
    n, y, x = (torch.from_numpy(index).to(pictures.device) for index in where)
    return pictures.permute(0, 2, 3, 1)[n, y, x].permute(0, 3, 1, 2)


def zoomed(pictures: Tensor, least: float, draws: np.random.Generator) -> Tensor:
    """Mirror half of the float pictures, crop each at random to a share of ``least`` to 1 of its
    sides, and resize it back (bilinear)."""
    count = len(pictures)
    scale = draws.uniform(least, 1.0, count)
    across, down = draws.uniform(-1.0, 1.0, (2, count)) * (1 - scale)
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0] = np.where(draws.random(count) < 0.5, -scale, scale)
    theta[:, 1, 1] = scale
    theta[:, 0, 2], theta[:, 1, 2] = across, down
    size = list(pictures.shape)
    grid = F.affine_grid(torch.from_numpy(theta).to(pictures.device), size, align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
