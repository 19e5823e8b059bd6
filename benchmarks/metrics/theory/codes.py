"""Content codes as rows of numbers, batch by batch: what is compared, and what is classified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from models.errors import UserError

GRID = 16  # a side of the maps that are compared; larger ones are averaged
COARSE = 4  # a side of the maps that the classifier sees
FloatRows = NDArray[np.float32]


@dataclass(frozen=True)
class Codes:
    """Codes of N pictures: ``maps`` (N, D) are compared, ``summary`` (N, E) is classified."""

    maps: FloatRows
    summary: FloatRows

    def __post_init__(self) -> None:
        if not (np.isfinite(self.maps).all() and np.isfinite(self.summary).all()):
            raise UserError("codes must be finite, got NaN or infinity: use another checkpoint")

    def __len__(self) -> int:
        return len(self.maps)


@torch.no_grad()
def describe(codes: Tensor) -> Codes:
    """Codes (N, C, H, W) as rows: the map, averaged to at most 16 x 16, and for the classifier each
    channel's mean, deviation, least and greatest value and its map averaged to at most 4 x 4."""
    codes = codes.float()
    places = (2, 3)
    parts = [
        codes.mean(places), codes.std(places, correction=0), codes.amin(places), codes.amax(places),
        _averaged(codes, COARSE).flatten(1),
    ]  # fmt: skip
    return Codes(_rows(_averaged(codes, GRID).flatten(1)), _rows(torch.cat(parts, dim=1)))


def joined(parts: Sequence[Codes]) -> Codes:
    """Batches as one."""
    return Codes(
        np.concatenate([part.maps for part in parts]),
        np.concatenate([part.summary for part in parts]),
    )


def _averaged(codes: Tensor, side: int) -> Tensor:
    return adaptive_avg_pool2d(codes, (min(side, codes.shape[2]), min(side, codes.shape[3])))


def _rows(numbers: Tensor) -> FloatRows:
    rows: FloatRows = numbers.cpu().numpy()
    return rows
