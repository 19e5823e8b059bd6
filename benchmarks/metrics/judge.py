"""A judge's right pictures: the photos of the training inputs that are most like an input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.metrics.observer import Distance

CANDIDATES = 4000  # training inputs, among which a judge looks for similar ones
BATCH = 512  # of them at a time
_NETWORK_BATCH = 64


def most_like(
    inputs: Callable[[int], Tensor], count: int, candidates: Callable[[int], Tensor], known: int,
    nearest: int, distance: Distance,
) -> list[list[int]]:  # fmt: skip
    """Of each of ``count`` inputs the numbers of the ``nearest`` of ``known`` candidates, nearest
    first. Both are read by number, (3, H, W) in [-1, 1], of one size: likeness shows at 64 px."""

    def features(read: Callable[[int], Tensor], rows: range) -> Tensor:
        parts = [rows[i : i + _NETWORK_BATCH] for i in range(0, len(rows), _NETWORK_BATCH)]
        return torch.cat([distance.features(torch.stack([*map(read, part)])) for part in parts])

    asked = features(inputs, range(count))
    found = torch.empty(count, 0)
    for begin in range(0, known, BATCH):
        of = features(candidates, range(begin, min(begin + BATCH, known)))
        found = torch.cat([found, torch.cdist(asked, of).cpu()], dim=1)
    rows: list[list[int]] = found.argsort(dim=1, stable=True)[:, :nearest].tolist()
    return rows
