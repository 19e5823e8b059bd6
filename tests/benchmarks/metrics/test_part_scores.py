"""Borders between parts: closed forms, and what the drawn pictures know of themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from benchmarks.metrics.ground_truth import part_borders, parts_auc, rank_auc
from reproduce.tasks.drawn.dataset import draw
from reproduce.tasks.drawn.kinds import KINDS
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo

SIDE = 24


def halves(left: float = -0.5, right: float = 0.5, middle: int = 12) -> torch.Tensor:
    """An object of two parts, the second from column ``middle`` on, on white."""
    picture = torch.ones(3, SIDE, SIDE)
    picture[:, 3:21, 3:middle] = left
    picture[:, 3:21, middle:21] = right
    return picture


def truth() -> tuple[torch.Tensor, torch.Tensor]:
    edges = torch.ones(3, SIDE, SIDE)
    edges[:, 3:21, 11:13] = -1.0
    mask = torch.zeros(SIDE, SIDE)
    mask[3:21, 3:21] = 1.0
    return part_borders(edges, mask)


def test_which_pixels_are_on_a_border():
    on, off = truth()
    assert on.nonzero()[:, 1].unique().tolist() == [11, 12]
    assert on.nonzero()[:, 0].unique().tolist() == list(range(4, 20))  # off the outline
    assert off.nonzero()[:, 1].unique().tolist() == [*range(4, 10), *range(14, 20)]
    assert not (on & off).any()


def test_parts_that_are_seen_are_1_and_a_flat_picture_is_chance():
    assert parts_auc(halves(), truth()) == 1.0
    assert parts_auc(halves(0.1, 0.12), truth()) == 1.0  # however faint
    assert parts_auc(halves(0.3, 0.3), truth()) == 0.5


def test_a_border_one_pixel_off_is_half_seen_and_one_elsewhere_is_worse_than_chance():
    # One of the two columns of the true border sees it, the other ties with the flat pixels.
    assert parts_auc(halves(middle=13), truth()) == 0.75
    assert parts_auc(halves(middle=7), truth()) < 0.5


def test_too_few_pixels_are_not_judged():
    on, off = truth()
    few = torch.zeros_like(on)
    few[4, 11] = True
    assert parts_auc(halves(), (few, off)) is None
    assert parts_auc(halves(), (on, few)) is None


def test_ranks_agree_with_scipy_ties_included():
    draws = np.random.default_rng(1)
    high, low = draws.integers(0, 6, 40).astype(float), draws.integers(0, 5, 30).astype(float)
    expected = mannwhitneyu(high, low).statistic / (40 * 30)
    assert rank_auc(high, low) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_real_photos_show_their_parts_and_photos_of_others_do_not(kind):
    own, other, photos, borders = [], [], [], []
    for i in range(20):
        content, style = draw(kind, 0, "test", i)
        photo = torch.from_numpy(render_photo(content, style, 64)).permute(2, 0, 1)
        edges = torch.from_numpy(render_edges(content, 64)).permute(2, 0, 1)
        mask = torch.from_numpy(render_mask(content, 64).astype(np.float32) / 255)
        photos.append(photo / 127.5 - 1)
        borders.append(part_borders(edges / 127.5 - 1, mask))
    for i in range(20):
        own.append(parts_auc(photos[i], borders[i]))
        other.append(parts_auc(photos[(i + 1) % 20], borders[i]))
    assert np.mean(own) > 0.8
    assert np.mean(other) < np.mean(own) - 0.2
