"""The history of translations that CycleGAN shows its discriminators."""

import math

import torch
from tiny_methods import draws
from torch import Tensor

from models.image_pool import ImagePool


def numbered(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_pool_shows_new_pictures_until_it_is_full() -> None:
    pool = ImagePool(5)
    for i in range(0, 4, 2):
        assert torch.equal(pool.query(numbered(i, i + 1), draws(i)), numbered(i, i + 1))
    assert pool.count == 4
    pool.query(numbered(4), draws(9))
    assert pool.count == 5 and pool.state is not None
    assert torch.equal(pool.state, numbered(0, 1, 2, 3, 4))


def test_full_pool_swaps_half_of_the_time() -> None:
    pool, swaps, steps = ImagePool(50), 0, 600
    pool.query(numbered(*range(50)), draws(0))
    for i in range(50, 50 + steps):
        before = pool.state.clone() if pool.state is not None else torch.empty(0)
        value = pool.query(numbered(i), draws(i))[0, 0, 0, 0].item()
        assert pool.state is not None
        changed = (pool.state != before).flatten(1).any(1).nonzero().flatten().tolist()
        if value == i:
            assert changed == []  # a picture that is shown is not kept
        else:
            assert len(changed) == 1 and before[changed[0], 0, 0, 0] == value
            assert pool.state[changed[0], 0, 0, 0] == i
            swaps += 1
    assert abs(swaps - steps / 2) < 5 * math.sqrt(steps / 4)
