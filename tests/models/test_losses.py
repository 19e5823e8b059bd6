"""Loss terms against closed forms and torch's own losses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.errors import UserError
from models.losses import gan, kl_gaussian, kl_unit, l1, perceptual, weighted_sum


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(
    ("kind", "of_torch"),
    [("lsgan", F.mse_loss), ("cross-entropy", F.binary_cross_entropy_with_logits)],
)
def test_gan_losses_are_torchs_summed_over_scales(
    kind: str, of_torch: Callable[[Tensor, Tensor], Tensor], real: bool
) -> None:
    maps = [draw(2, 1, 4, 4) * 5, draw(2, 1, 2, 2, seed=1)]
    expected = sum(of_torch(m, torch.full_like(m, float(real))) for m in maps)
    torch.testing.assert_close(gan(maps, real, kind), expected)
    if kind == "cross-entropy":
        far = [torch.full((1, 1, 1, 1), -200.0)]
        assert gan(far, real, kind).item() == pytest.approx(200 * real)  # no overflow


def test_perceptual_ignores_contrast_and_brightness_of_each_channel() -> None:
    x, y = draw(2, 3, 6, 6), draw(2, 3, 6, 6, seed=1)
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


def test_weighted_sum_refuses_names_that_do_not_match() -> None:
    with pytest.raises(ValueError, match=r"without a weight: \['a'\].*without a term: \['A'\]"):
        weighted_sum({"a": one(1)}, {"A": 1.0})


def test_weighted_sum_refuses_an_empty_objective() -> None:
    with pytest.raises(UserError, match="all loss weights are zero"):
        weighted_sum({"a": one(1)}, {"a": 0.0})


def test_losses_of_short_floats_are_computed_in_long_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand((2, 4, 3, 64, 64), generator=generator).bfloat16()
    losses = l1(x, y), kl_unit(x), kl_gaussian(x, y), perceptual(x, y), gan([x], True, "lsgan")
    assert {loss.dtype for loss in losses} == {torch.float32}
    assert l1(x, y) == l1(x.float(), y.float())
