"""Layers against naive formulas, and counted dropout against what counting promises."""

import itertools

import pytest
import torch
from tiny_methods import normal
from torch import Tensor

from models.blocks import CountedDropout, LayerNorm
from models.choices import choose


def test_layer_norm_gain_stays_in_range_of_its_initial_draw() -> None:
    gamma = LayerNorm(4000).gamma
    assert gamma.min() >= 0 and gamma.max() <= 1
    assert abs(gamma.mean() - 0.5) < 0.03


@pytest.mark.parametrize("value", [0.0, 0.3])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-2), (torch.float64, 1e-10)])
def test_layer_norm_of_a_constant_picture_has_finite_gradients_in_one_pass_or_two(
    value: float, dtype: torch.dtype, near: float
) -> None:
    layer, x = LayerNorm(3).to(dtype), normal(3, 3, 4, 4).to(dtype)
    x[1] = value
    x.requires_grad_()
    found = []
    for ways in ([], ["norms"]):
        choose(layer, ways)
        out = layer(x)
        loss = (out * normal(3, 3, 4, 4)).sum()
        found.append([out, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for plain, fast in zip(*found, strict=True):
        assert bool(torch.isfinite(plain).all())
        torch.testing.assert_close(fast, plain, rtol=near, atol=near)


# Counted dropout -------------------------------------------------------------------------------


def mask(seeds: list[int], layer: int = 1, shape: tuple[int, ...] = (4, 16, 16)) -> Tensor:
    """What is kept of ones: (N, *shape), zero or 1 / (1 - p)."""
    dropout = CountedDropout(0.5)
    dropout.layer, dropout.seeds = layer, torch.tensor(seeds)
    return dropout(torch.ones(len(seeds), *shape))


SEEDS = [5, 2**61 + 3, 0, 17]


def test_mask_depends_on_its_own_seed_alone() -> None:
    whole = mask(SEEDS)
    assert torch.equal(mask(SEEDS[::-1]), whole.flip(0))
    for i, seed in enumerate(SEEDS):
        assert torch.equal(mask([seed]), whole[i : i + 1])
        assert torch.equal(mask([9, seed, 9])[1], whole[i])


def test_mask_depends_on_the_element_not_on_the_values() -> None:
    dropout = CountedDropout(0.5)
    dropout.layer, dropout.seeds = 3, torch.tensor([8])
    x = torch.randn(1, 2, 8, 8).abs() + 0.1
    kept = mask([8], layer=3, shape=(2, 8, 8))
    torch.testing.assert_close(dropout(x), x * kept)  # survivors are doubled
    assert set(kept.unique().tolist()) == {0.0, 2.0}


def test_keep_rate_is_binomial() -> None:
    p = 0.1
    dropout = CountedDropout(p)
    dropout.layer, dropout.seeds = 2, torch.arange(50) * 1_000_003
    kept = (dropout(torch.ones(50, 4, 32, 32)) > 0).double()
    n = kept.numel()
    bound = 5 * (p * (1 - p) / n) ** 0.5
    assert abs(kept.mean().item() - (1 - p)) < bound
    per_sample = kept.mean(dim=(1, 2, 3)) - (1 - p)
    assert per_sample.abs().max() < 5 * (p * (1 - p) / 4096) ** 0.5
    per_pixel = kept.mean(dim=0) - (1 - p)  # a pixel is not favoured over the seeds
    assert per_pixel.std() < 1.2 * (p * (1 - p) / 50) ** 0.5


def correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1].item()


def test_masks_of_layers_seeds_and_neighbours_are_unrelated() -> None:
    bound = 5 / 1024**0.5
    masks = [mask([seed], layer)[0] for seed in (0, 1, 7919, 1_000_003) for layer in (1, 2, 3)]
    for a, b in itertools.combinations(masks, 2):
        assert abs(correlation(a, b)) < bound
    flat = mask([4], shape=(1, 128, 128)).flatten()
    for lag in (1, 2, 128, 4096):
        assert abs(correlation(flat[:-lag], flat[lag:])) < 5 / (len(flat) - lag) ** 0.5


def test_layer_norm_keeps_the_precision_of_its_input():
    norm = LayerNorm(4)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    short = norm(x.bfloat16())
    assert short.dtype == torch.bfloat16
    torch.testing.assert_close(short.float(), norm(x), rtol=2e-2, atol=2e-2)
