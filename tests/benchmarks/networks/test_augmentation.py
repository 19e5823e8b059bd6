"""What training pictures go through: each result is one that was announced."""

import numpy as np
import pytest
import torch

from benchmarks.networks.augmentation import disturbed, shifted, zoomed


def pictures(count: int, height: int = 9, width: int = 11) -> torch.Tensor:
    draws = np.random.default_rng(1)
    return torch.from_numpy(draws.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


def test_each_picture_is_mirrored_and_shifted_by_itself():
    original = pictures(60)
    found = shifted(original, 2, np.random.default_rng(0))
    assert (found.shape, found.dtype) == (original.shape, torch.uint8)
    padded = torch.nn.functional.pad(original.float(), (2,) * 4, mode="replicate").byte()
    seen = set()
    for before, after in zip(padded, found, strict=True):
        places = [
            (mirrored, y, x)
            for mirrored in (False, True)
            for y in range(5)
            for x in range(5)
            if torch.equal(
                before[:, y : y + 9, x : x + 11].flip(2) if mirrored
                else before[:, y : y + 9, x : x + 11],
                after,
            )
        ]  # fmt: skip
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 25
    assert {mirrored for mirrored, _, _ in seen} == {False, True}


def test_zooming_shows_a_part_of_the_picture():
    ramp = torch.linspace(0, 255, 64).expand(200, 3, 64, 64)  # from left to right
    found = zoomed(ramp, 0.5, np.random.default_rng(0))
    left, right = found[:, 0, 0, 0], found[:, 0, 0, -1]
    share = (right - left).abs() / 255
    assert share.min() == pytest.approx(0.5, abs=0.03)
    assert share.max() == pytest.approx(1.0, abs=0.03)
    assert 70 < int((right < left).sum()) < 130  # mirrored
    middle = (left + right) / 2 / 255
    assert middle.min() < 0.4 < 0.6 < middle.max()
    assert torch.allclose(found[:, :, :1], found, atol=1e-3)  # rows stay alike


def test_half_of_the_pictures_are_disturbed():
    original = pictures(400)
    found = disturbed(original.float(), 60.0, np.random.default_rng(0))
    assert found.dtype == torch.uint8
    changed = (found != original).flatten(1).any(1)
    assert 160 < int(changed.sum()) < 240
    flat = torch.full((200, 3, 16, 16), 128.0)
    spread = disturbed(flat, 60.0, np.random.default_rng(0)).float().std(dim=(1, 2, 3))
    assert 15 < spread.max() < 40
    assert disturbed(flat, 0.0, np.random.default_rng(0)).eq(128).all()
