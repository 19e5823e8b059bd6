"""Silhouettes: against closed forms, and against what the drawn pictures know of themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.metrics.ground_truth import silhouette, silhouette_iou
from reproduce.tasks.drawn.dataset import draw
from reproduce.tasks.drawn.kinds import KINDS
from reproduce.tasks.drawn.render import render_mask, render_photo


def square(left: int, right: int, colour: float = -1.0) -> torch.Tensor:
    picture = torch.ones(3, 16, 16)
    picture[:, 4:12, left:right] = colour
    return picture


def mask(left: int, right: int) -> torch.Tensor:
    return (square(left, right).mean(0) < 0).float()


def twice(picture: torch.Tensor, true: torch.Tensor) -> float:
    """An interval needs two inputs."""
    return silhouette_iou({"x": picture, "y": picture}, {"x": true, "y": true}).value


@pytest.mark.parametrize(("right", "expected"), [(12, 1.0), (8, 0.5), (6, 0.25), (4, 0.0)])
def test_closed_forms(right, expected):
    assert twice(square(4, right), mask(4, 12)) == pytest.approx(expected)


def test_any_colour_that_is_not_near_white_counts():
    for colour in ((1.0, 1.0, -1.0), (-1.0, 1.0, 1.0), (0.5, 0.5, 0.5)):
        picture = torch.ones(3, 16, 16)
        picture[:, 2:5, 2:5] = torch.tensor(colour).view(3, 1, 1)
        assert int(silhouette(picture).sum()) == 9
    assert int(silhouette(torch.full((3, 4, 4), 0.99)).sum()) == 0


def test_the_mean_is_over_inputs_whatever_their_order():
    pictures = {"b": square(4, 8), "a": square(4, 12), "c": square(4, 6)}
    masks = {name: mask(4, 12) for name in "abcd"}
    one = silhouette_iou(pictures, masks, seed=3)
    two = silhouette_iou(dict(reversed(pictures.items())), masks, seed=3)
    assert one == two
    assert one.value == pytest.approx((0.5 + 1 + 0.25) / 3)
    assert one.interval.low <= one.value <= one.interval.high
    assert one.protocol["N"] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_real_photos_agree_with_their_masks(kind):
    size = 32
    pictures, masks = {}, {}
    for i in range(25):
        content, style = draw(kind, 0, "test", i)
        photo = np.asarray(render_photo(content, style, size), dtype=np.float32)
        pictures[str(i)] = torch.from_numpy(photo).permute(2, 0, 1) / 127.5 - 1
        masks[str(i)] = torch.from_numpy(np.asarray(render_mask(content, size), dtype=np.float32))
        masks[str(i)] = masks[str(i)].reshape(size, size, -1).mean(-1) / 255
    found = silhouette_iou(pictures, masks)
    assert found.value > 0.95
    shuffled = {str(i): pictures[str((i + 1) % 25)] for i in range(25)}
    assert silhouette_iou(shuffled, masks).value < found.value - 0.1
