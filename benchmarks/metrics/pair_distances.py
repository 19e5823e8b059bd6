"""Distances between the pictures of one input, each picture's features computed once, in full batches.

Batches are filled across inputs: the few pictures that are left of one input would cost nearly as
much as a full batch.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.networks.weights import LpipsWeights

NUMBERS = 2**20  # of features that the pairs of one step take up


class Distance(Interface):
    """What diversity asks of a distance; ``LpipsDistance`` is one."""

    weights: LpipsWeights

    def features(self, pictures: torch.Tensor) -> torch.Tensor: ...

    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor: ...


@dataclass
class _Input:
    """An input whose pictures wait for their features: ``index`` tells which of its distinct
    pictures each one is."""

    name: str
    index: list[int]
    distinct: int
    rows: list[torch.Tensor] = field(default_factory=list)


class PairDistances:
    """Distances of the ``pairs`` (P, 2) of the pictures of each input, by input in ``found``.

    Features are held of the inputs that are not done alone, at most one batch beyond one input.
    """

    def __init__(self, pairs: torch.Tensor, distance: Distance, batch_size: int) -> None:
        self._pairs, self._distance, self._batch_size = pairs.tolist(), distance, batch_size
        self._pictures: deque[torch.Tensor] = deque()
        self._inputs: deque[_Input] = deque()
        self.found: dict[str, NDArray[np.float32]] = {}

    def add(self, name: str, pictures: Sequence[torch.Tensor]) -> None:
        """All pictures (3, H, W) of an input.

        The last bits of a convolution may depend on the batch around a picture. Equal pictures share
        one feature vector, so that their distance is 0 on every device, not nearly 0.
        """
        row: dict[bytes, int] = {}
        index = []
        for picture in pictures:
            content = hashlib.sha256(picture.cpu().numpy().tobytes()).digest()
            if content not in row:
                row[content] = len(row)
                self._pictures.append(picture)
            index.append(row[content])
        self._inputs.append(_Input(name, index, len(row)))
        while len(self._pictures) >= self._batch_size:
            self._step()

    def finish(self) -> dict[str, NDArray[np.float32]]:
        """What is left, and the distances (P,) of every input."""
        while self._pictures:
            self._step()
        return self.found

    def _step(self) -> None:
        count = min(self._batch_size, len(self._pictures))
        batch = torch.stack([self._pictures.popleft() for _ in range(count)])
        for row in self._distance.features(batch):
            waiting = self._inputs[0]
            waiting.rows.append(row)
            if len(waiting.rows) == waiting.distinct:
                self.found[waiting.name] = self._distances(self._inputs.popleft())

    def _distances(self, of: _Input) -> NDArray[np.float32]:
        features = torch.stack(of.rows)
        rows = torch.tensor([[of.index[i], of.index[j]] for i, j in self._pairs])
        # As many pairs at a time as make no second copy of all features.
        parts = torch.split(rows.to(features.device), max(1, NUMBERS // features.shape[1]))
        found = [self._distance.distance(features[p[:, 0]], features[p[:, 1]]) for p in parts]
        return torch.cat(found).float().cpu().numpy()
