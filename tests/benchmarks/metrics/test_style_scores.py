"""Coverage and constancy of styles: closed forms, invariances, and references from scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks.metrics import style_scores
from benchmarks.metrics.style_scores import entropy, intraclass_correlation, shares, spread
from benchmarks.networks.colours import oklab
from models.errors import UserError

DRAWS = np.random.default_rng(0)


def test_body_colour_is_the_median_inside_the_body():
    colour = np.array([0.8, 0.2, 0.1])
    picture = torch.ones(3, 8, 8)
    body = np.zeros((8, 8), dtype=bool)
    body[2:6, 2:6] = True
    picture[:, 2:6, 2:6] = torch.tensor(colour * 2 - 1).float().view(3, 1, 1)
    picture[:, 2, 2:6] = 1.0  # a highlight on a quarter of it
    assert style_scores.body_colour(picture, body) == pytest.approx(oklab(colour), abs=1e-6)
    with pytest.raises(UserError, match="a body of 3 pixels shows no colour"):
        style_scores.body_colour(picture, np.eye(8, dtype=bool) & (np.arange(8) < 3))


def test_energy_distance_agrees_with_scipy_in_one_dimension():
    x, y = DRAWS.normal(0, 1, (40, 1)), DRAWS.normal(0.5, 2, (60, 1))
    biased = stats.energy_distance(x[:, 0], y[:, 0]) ** 2
    # scipy averages over all pairs, a point with itself included.
    expected = biased - spread(x) / 40 - spread(y) / 60
    assert style_scores.energy_distance(x, y, spread(y)) == pytest.approx(expected, abs=1e-9)


def test_entropy_and_shares():
    same = shares([[2, 2, 2, 2], [0, 1, 2, 3]], 4)
    assert same.tolist() == [[0, 0, 1, 0], [0.25] * 4]
    assert entropy(same) == pytest.approx([0, math.log(4)], abs=1e-15)
    mixed = DRAWS.integers(0, 5, (6, 30))
    expected = [stats.entropy(np.bincount(row, minlength=5)) for row in mixed]
    assert entropy(shares(mixed, 5)) == pytest.approx(expected, abs=1e-12)


def test_total_variation():
    truth = [0.5, 0.3, 0.2]
    assert style_scores.total_variation([truth], truth) == pytest.approx([0])
    assert style_scores.total_variation([[1, 0, 0], [0, 0, 1]], truth) == pytest.approx([0.5, 0.8])
    assert style_scores.total_variation([[1.0, 0.0]], [0.0, 1.0]) == pytest.approx([1])


def colours(style: float, content: float, noise: float, styles: int = 40, contents: int = 60):
    """Colours (M, N, 3) that are a sum of a style's, a content's and their own."""
    draws = np.random.default_rng(5)
    return (
        style * draws.normal(size=(styles, 1, 3))
        + content * draws.normal(size=(1, contents, 3))
        + noise * draws.normal(size=(styles, contents, 3))
    )


def test_consistency_is_1_when_the_style_decides_and_0_when_the_content_does():
    assert intraclass_correlation(colours(1, 0, 0)) == pytest.approx(1, abs=1e-12)
    assert intraclass_correlation(colours(0, 1, 0)) == 0
    assert intraclass_correlation(colours(0, 0, 1)) < 0.02


def test_consistency_agrees_with_analysis_of_variance():
    x = colours(1, 0.5, 1)[:, :, :1]
    f = stats.f_oneway(*x[:, :, 0]).statistic
    contents = x.shape[1]
    assert intraclass_correlation(x) == pytest.approx((f - 1) / (f + contents - 1), rel=1e-9)


def test_consistency_of_a_translator_without_styles_is_undefined():
    assert style_scores.style_consistency(colours(0, 1, 0)) is None
    assert math.isnan(intraclass_correlation(np.zeros((4, 5, 3))))
    with pytest.raises(UserError, match="5 styles on 60 contents"):
        style_scores.style_consistency(colours(1, 1, 1, styles=5))


def test_consistency_has_an_interval_that_covers_the_truth():
    hits = 0
    for seed in range(40):
        draws = np.random.default_rng([9, seed])
        x = draws.normal(size=(20, 1, 3)) + draws.normal(size=(20, 50, 3))
        found = style_scores.style_consistency(x, {"note": 1})
        hits += found.interval.low <= 0.5 <= found.interval.high
    assert hits >= 34
    assert found.protocol == {"N": 50, "K": 20, "note": 1}
