"""The smallest methods that have every part, and pictures and noise for them."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.method import Method, Phase
from models.zoo import METHODS, make_config, make_method

MUNIT: dict[str, object] = dict(
    dim=2, mlp_dim=4, style_dim=3, n_downsample=1, n_style_downsample=2, n_res=1,
    dis_dim=2, dis_layers=2, dis_scales=2,
)  # fmt: skip
UNIT: dict[str, object] = dict(
    dim=2, n_downsample=1, n_res=1, dis_dim=2, dis_layers=2, dis_scales=2
)
CYCLEGAN: dict[str, object] = dict(dim=2, dis_dim=2, dis_layers=1)
TINY: dict[str, dict[str, object]] = {
    "unit": UNIT,
    "unit-release": UNIT,
    "cyclegan": CYCLEGAN | dict(n_blocks=1),
    "cyclegan-noise": CYCLEGAN | dict(depth=3),
    "munit-wo-x": MUNIT,
    "munit-wo-c": MUNIT,
    "munit-wo-s": MUNIT,
    "munit": MUNIT,
    "bicyclegan": dict(dim=2, depth=3, enc_dim=2, enc_blocks=2, dis_dim=2, dis_layers=1),
}
EVERY = pytest.mark.parametrize("name", METHODS)
# Ablations have the networks of MUNIT.
EVERY_NETWORK = pytest.mark.parametrize("name", [n for n in METHODS if not METHODS[n].ablates])
# Those whose steps differ by more than which terms count.
UNLIKE = pytest.mark.parametrize("name", ["unit", "cyclegan-noise", "munit", "bicyclegan"])
SIZE = 16


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fresh(name: str, **settings: object) -> Any:
    """A tiny method as training starts with it."""
    return make_method(name, make_config(name, TINY[name] | settings), draws(0))


def scattered(name: str, settings: Mapping[str, object], seed: int = 0) -> Any:
    """A method far from its first weights, where all is nearly zero."""
    generator = draws(seed)
    method = make_method(name, make_config(name, settings), generator)
    with torch.no_grad():
        for p in method.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.2)
    return method


def make(name: str, seed: int = 0, **settings: object) -> Any:
    """A tiny method, scattered."""
    return scattered(name, TINY[name] | settings, seed)


def pictures(n: int, h: int = SIZE, w: int = SIZE, seed: int = 0) -> Tensor:
    """(n, 3, h, w), uniform in [-1, 1)."""
    return torch.rand(n, 3, h, w, generator=draws(seed)) * 2 - 1


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal draws in float64."""
    return torch.randn(shape, generator=draws(seed), dtype=torch.float64)


class Features(nn.Module):
    """In the place of VGG-16."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x, x.square()), dim=1)


def training_noise(
    method: Method, phase: Phase, n: int, h: int = SIZE, w: int = SIZE, seed: int = 5
) -> dict[str, Tensor]:
    generator = draws(seed)
    return {k: s.draw(n, generator) for k, s in method.training_noise(phase, h, w).items()}
