"""A history of translations for discriminators; original: CycleGAN's ``ImagePool``."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


class ImagePool:
    """History of translations (Shrivastava et al., CVPR 2017): half of the time the discriminator
    sees an old translation instead of the new one, which replaces it in the history.

    ``state``: a tensor (size, C, H, W) after the first query; ``count``: number of filled slots.
    """

    def __init__(self, size: int) -> None:
        self.size, self.count = size, 0
        self.state: Tensor | None = None

    def query(self, pictures: Tensor, generator: Generator) -> Tensor:
        """Return the pictures to show for ``pictures`` (N, C, H, W); draws from ``generator``."""
        if self.state is None:
            self.state = pictures.new_zeros(self.size, *pictures.shape[1:])
        shown = pictures.clone()
        coins = torch.rand(len(pictures), generator=generator)
        slots = torch.randint(self.size, (len(pictures),), generator=generator)
        for i in range(len(pictures)):
            if self.count < self.size:
                self.state[self.count] = pictures[i]
                self.count += 1
            elif coins[i] > 0.5:
                shown[i] = self.state[slots[i]]
                self.state[slots[i]] = pictures[i]
        return shown
