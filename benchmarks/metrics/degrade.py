"""Pictures made worse by a known amount: what whoever judges pictures must notice.

All take and give uint8 pictures (N, 3, H, W). Blur and misalignment are in shares of the height,
and blotches an eighth of it, so that a level means the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Degradation = Callable[[Tensor, float, int], Tensor]  # pictures, level, seed


def blurred(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Gaussian blur of standard deviation ``level`` x height, edges repeated."""
    sigma = level * pictures.shape[2]
    if sigma == 0:
        return pictures
    reach = min(max(1, round(3 * sigma)), min(pictures.shape[2:]) - 1)
    steps = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(pictures.float(), (reach,) * 4, mode="replicate")
    rows = F.conv2d(padded, kernel, groups=3)
    return _to_bytes(F.conv2d(rows, kernel.transpose(2, 3), groups=3))


def noisy(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Independent normal noise on every value, of standard deviation ``level`` x 255, clamped.

    One seed gives one noise: at a higher level it is the same, stronger."""
    draws = np.random.default_rng([0x9015E, seed & (2**64 - 1)])
    noise = torch.from_numpy(draws.standard_normal(tuple(pictures.shape), dtype=np.float32))
    return _to_bytes(pictures.float() + level * 255 * noise)


def misaligned(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Each picture moved by ``level`` x height in one of eight directions, edges repeated."""
    reach = round(level * pictures.shape[2])
    if reach == 0:
        return pictures
    draws = np.random.default_rng([0x5817, seed & (2**64 - 1)])
    turns = draws.integers(8, size=len(pictures)) * (np.pi / 4)
    return torch.stack(
        [
            moved(picture, round(float(reach * np.sin(turn))), round(float(reach * np.cos(turn))))
            for picture, turn in zip(pictures, turns, strict=True)
        ]
    )


def mottled(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Soft blotches of colour, an eighth of the picture wide: normal, of standard deviation
    ``level`` x 255 where they are strongest. One seed gives the same blotches at every level."""
    draws = np.random.default_rng([0x307713, seed & (2**64 - 1)])
    coarse = torch.from_numpy(draws.standard_normal((*pictures.shape[:2], 8, 8), dtype=np.float32))
    size = tuple(pictures.shape[2:])
    blotches = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return _to_bytes(pictures.float() + level * 255 * blotches)


def moved(pictures: Tensor, down: int, across: int) -> Tensor:
    """Pictures (..., H, W) moved by whole pixels, edges repeated."""
    height, width = pictures.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - across).clamp(0, width - 1)
    return pictures[..., rows[:, None].to(pictures.device), columns.to(pictures.device)]


def _to_bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


DEGRADATIONS: dict[str, Degradation] = {
    "blur": blurred,
    "noise": noisy,
    "misalignment": misaligned,
    "mottling": mottled,
}
# Each worse than the one before.
LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.0, 1 / 64, 1 / 32, 1 / 16),
    "noise": (0.0, 0.03, 0.1, 0.3),
    "misalignment": (0.0, 1 / 32, 1 / 16, 1 / 8),
    "mottling": (0.0, 0.05, 0.1, 0.2),
}
