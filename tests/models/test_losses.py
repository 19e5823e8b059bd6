"""Loss terms against closed forms and torch's own losses."""

import pytest
import torch
import torch.nn.functional as F
from tiny_methods import normal
from torch import Tensor

from models.errors import UserError
from models.losses import gan, kl_gaussian, kl_unit, l1, perceptual, weighted_sum


@pytest.mark.parametrize("real", [True, False])
def test_cross_entropy_is_torchs_summed_over_scales(real: bool) -> None:
    maps = [normal(2, 1, 4, 4) * 5, normal(2, 1, 2, 2, seed=1)]
    of_torch = F.binary_cross_entropy_with_logits
    expected = sum(of_torch(m, torch.full_like(m, float(real))) for m in maps)
    torch.testing.assert_close(gan(maps, real, "cross-entropy"), expected)
    far = [torch.full((1, 1, 1, 1), -200.0)]
    assert gan(far, real, "cross-entropy").item() == pytest.approx(200 * real)  # no overflow


def test_perceptual_ignores_contrast_and_brightness_of_each_channel() -> None:
    x, y = normal(2, 3, 6, 6), normal(2, 3, 6, 6, seed=1)
    assert perceptual(x, 3 * x + 2).item() < 1e-9
    assert perceptual(x, y) > 0.5
    torch.testing.assert_close(perceptual(x, 5 * y - 1), perceptual(x, y), rtol=1e-4, atol=0)

    def normed(t: Tensor) -> Tensor:
        mean, var = t.mean((2, 3), keepdim=True), t.var((2, 3), keepdim=True, unbiased=False)
        return (t - mean) / (var + 1e-5).sqrt()

    torch.testing.assert_close(perceptual(x, y), (normed(x) - normed(y)).square().mean())


def one(value: float) -> Tensor:
    return torch.tensor(float(value), requires_grad=True)


def test_weighted_sum() -> None:
    terms = {"a": one(2.0), "b": one(3.0), "c": one(float("nan"))}
    weights = {"a": 10.0, "b": 0.5, "c": 0.0, "d": 0.0}
    total = weighted_sum(terms, weights)
    assert total.item() == pytest.approx(21.5)  # a monitored term of weight zero cannot spoil it
    total.backward()
    assert (terms["a"].grad, terms["b"].grad) == (10.0, 0.5)
    assert terms["c"].grad is None


@pytest.mark.parametrize(
    ("weights", "error", "told"),
    [
        ({"A": 1.0}, ValueError, r"without a weight: \['a'\].*without a term: \['A'\]"),
        ({"a": 0.0}, UserError, "all loss weights are zero"),
    ],
)
def test_weights_that_do_not_fit_the_terms(weights, error, told):
    with pytest.raises(error, match=told):
        weighted_sum({"a": one(1)}, weights)


def test_losses_of_short_floats_are_computed_in_long_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand((2, 4, 3, 64, 64), generator=generator).bfloat16()
    losses = l1(x, y), kl_unit(x), kl_gaussian(x, y), perceptual(x, y), gan([x], True, "lsgan")
    assert {loss.dtype for loss in losses} == {torch.float32}
    assert l1(x, y) == l1(x.float(), y.float())
