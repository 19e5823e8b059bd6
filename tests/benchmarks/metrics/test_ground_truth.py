"""Silhouettes and borders between parts: closed forms, and what the drawn pictures know of
themselves."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from benchmarks.metrics import ground_truth
from benchmarks.metrics.ground_truth import part_borders, parts_auc, silhouette_iou
from reproduce.tasks.drawn.dataset import draw
from reproduce.tasks.drawn.kinds import KINDS
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo

SIDE = 24


def drawn(kind: str, i: int, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Photo, edges and mask of an object."""
    content, style = draw(kind, 0, "test", i)
    pictures = render_photo(content, style, size), render_edges(content, size)
    photo, edges = (torch.from_numpy(x).permute(2, 0, 1) / 127.5 - 1 for x in pictures)
    return photo, edges, torch.from_numpy(render_mask(content, size)) / 255


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


@pytest.mark.parametrize(
    ("colour", "pixels"), [((1.0, 1.0, -1.0), 9), ((0.5, 0.5, 0.5), 9), ((0.99, 0.99, 0.99), 0)]
)
def test_any_colour_that_is_not_near_white_counts(colour, pixels):
    picture = torch.ones(3, 16, 16)
    picture[:, 2:5, 2:5] = torch.tensor(colour).view(3, 1, 1)
    assert int(ground_truth.silhouette(picture).sum()) == pixels


def test_the_mean_is_over_inputs_whatever_their_order():
    pictures = {"b": square(4, 8), "a": square(4, 12), "c": square(4, 6)}
    masks = {name: mask(4, 12) for name in "abcd"}
    one = silhouette_iou(pictures, masks, seed=3)
    two = silhouette_iou(dict(reversed(pictures.items())), masks, seed=3)
    assert one == two
    assert one.value == pytest.approx((0.5 + 1 + 0.25) / 3)
    assert one.interval.low <= one.value <= one.interval.high
    assert one.protocol["N"] == 3


# Parts


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
    assert ground_truth.rank_auc(high, low) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_photos_agree_with_what_they_were_drawn_from_and_not_with_others(kind):
    photos, edges, masks = zip(*(drawn(kind, i, 64) for i in range(8)), strict=True)
    others, known = (*photos[1:], photos[0]), {str(i): mask for i, mask in enumerate(masks)}
    own, other = (
        silhouette_iou({str(i): photo for i, photo in enumerate(shown)}, known).value
        for shown in (photos, others)
    )
    assert own > 0.95 and other < own - 0.1
    borders = list(map(part_borders, edges, masks))
    own, other = (np.mean(list(map(parts_auc, shown, borders))) for shown in (photos, others))
    assert own > 0.8 and other < own - 0.2
