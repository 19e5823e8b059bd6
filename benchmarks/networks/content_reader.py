"""Content readers: small networks that predict the content factors of a domain's pictures, trained
by a recipe on real pictures with known factors and evaluated on held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.networks.augmentation import disturbed
from benchmarks.networks.classifier_training import drawn, fit, one_size
from benchmarks.networks.classifiers import (
    Recipe,
    SmallResNet,
    learned_size,
    network_input,
    outputs_of,
)
from benchmarks.networks.colours import FloatArray
from benchmarks.networks.weight_files import Trained, hash_of_numbers, load_trained


@dataclass(frozen=True)
class ContentRecipe(Recipe):
    """A residual network of three stages of ``depth`` blocks, whose last maps are averaged to
    ``grid`` x ``grid`` positions, because positions are content. ``shift`` is 0, because shifted or
    mirrored pictures have another content. ``floor``: factors with a smaller R^2 on held-out
    pictures are not used."""

    depth: int
    grid: int
    maps: int
    floor: float


class ContentNetwork(nn.Module):
    """Maps uint8 pictures (N, 3, H, W) to standardised factors (N, F)."""

    def __init__(self, recipe: ContentRecipe, factors: int) -> None:
        super().__init__()
        self.side, self.grid = recipe.side, recipe.grid
        self.resnet = SmallResNet(recipe, {}, recipe.depth)
        self.reduce = nn.Conv2d(recipe.dims, recipe.maps, 1)
        self.head = nn.Linear(recipe.maps * recipe.grid**2, factors)

    def forward(self, pictures: Tensor) -> Tensor:
        stem, norm = self.resnet.stem, self.resnet.stem_norm
        x = F.relu(norm(stem(network_input(pictures, self.side))))  # (N, w, H, W)
        x = F.relu(self.reduce(self.resnet.blocks(x)))  # (N, maps, H / 8, W / 8)
        return self.head(F.adaptive_avg_pool2d(x, self.grid).flatten(1))


CONTENT_RECIPES: dict[str, ContentRecipe] = {
    recipe.name: recipe
    for recipe in (
        ContentRecipe(
            "small-content", width=16, dims=64, side=64, steps=1000, batch=32, lr=4e-3,
            weight_decay=0.05, shift=0, mottle=30.0, depth=1, grid=4, maps=16, floor=0.5,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """Means and standard deviations (F,) of factors, by which they are standardised."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """Return the scale of ``values`` (N, F). A constant factor keeps its unit."""
        spread = values.std(axis=0)
        return cls(tuple(values.mean(axis=0).tolist()), tuple(np.where(spread, spread, 1).tolist()))

    def standardised(self, values: FloatArray) -> FloatArray:
        """Return ``values`` (N, F) in standard deviations from the mean."""
        return (values - np.array(self.mean)) / np.array(self.deviation)


class ContentReader(Trained):
    """A trained reader of the ``factors`` of one domain's pictures.

    ``r2``: by factor, the share of its variance on held-out pictures that the reader explains;
    factors with at least the recipe's floor are ``used``. ``size``: (height, width) of its training
    pictures, which inputs must have. ``facts``: JSON values on its training. ``sha256``: of recipe,
    factors, scale, size, R^2 and every parameter.
    """

    kind = "content-reader"
    network: ContentNetwork

    def __init__(
        self, recipe: ContentRecipe, scale: Scale, size: tuple[int, int], network: ContentNetwork,
        r2: Mapping[str, float], facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.recipe, self.scale, self.size = recipe, scale, size
        self.r2, self.facts = dict(r2), dict(facts)
        self.factors = tuple(self.r2)
        self.used = tuple(factor for factor, value in self.r2.items() if value >= recipe.floor)
        self._columns = [self.factors.index(factor) for factor in self.used]
        self.network = network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        about = [recipe.name, scale.mean, scale.deviation, size, list(self.r2.items())]
        self.sha256 = hash_of_numbers(about, self.network)

    @property
    def name(self) -> str:
        return self.recipe.name

    def read(self, pictures: Tensor) -> FloatArray:
        """Return the factors ``used`` (N, F), standardised, of pictures (N, 3, H, W) in [-1, 1].
        Raises UserError as ``learned_size``."""
        pixels = learned_size(pictures, self.size, self.name)
        return outputs_of(self.network, pixels)[:, self._columns]

    def standardised(self, values: FloatArray) -> FloatArray:
        """Standardise true values (N, all factors); returns the factors ``used`` (N, F)."""
        return self.scale.standardised(values)[:, self._columns]

    def record(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.name,
            "factors": list(self.factors),
            "scale": {"mean": self.scale.mean, "deviation": self.scale.deviation},
            "size": self.size,
            "r2": [self.r2[factor] for factor in self.factors],  # a list keeps the order
            "facts": self.facts,
            "sha256": self.sha256,
        }


def load_content_reader(path: Path, device: torch.device | str = "cpu") -> ContentReader:
    """Read a file that ``ContentReader.save`` wrote; raises UserError for others."""
    return load_trained(path, ContentReader, _build, device)


def _build(state: dict[str, Tensor], about: dict[str, Any]) -> ContentReader:
    recipe = CONTENT_RECIPES[about["recipe"]]
    factors, (height, width) = about["factors"], about["size"]
    mean, deviation, r2 = (
        tuple(float(value) for value in values)
        for values in (about["scale"]["mean"], about["scale"]["deviation"], about["r2"])
    )
    with torch.device("meta"):
        network = ContentNetwork(recipe, len(factors))
    network.load_state_dict(state, assign=True)
    size, explained = (int(height), int(width)), dict(zip(factors, r2, strict=True))
    facts = dict(about["facts"])
    return ContentReader(recipe, Scale(mean, deviation), size, network, explained, facts)


@dataclass(frozen=True)
class Described:
    """uint8 pictures (N, 3, H, W) and the true values (N, F) of their factors."""

    pictures: Tensor
    values: FloatArray


def train_content_reader(
    recipe: ContentRecipe, factors: Sequence[str], train: Described, held_out: Described, *,
    seed: int = 0, device: torch.device | str = "cpu", facts: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> ContentReader:  # fmt: skip
    """Train a reader by ``recipe`` on ``train`` and evaluate it once on ``held_out``. Minimises the
    mean squared error of the factors, standardised by ``train``. Both sets have pictures of the
    same size and values in the order of ``factors``. ``facts`` are saved in the record."""
    size = one_size(train.pictures, held_out.pictures)
    draws = np.random.default_rng([0xC047, seed & (2**64 - 1)])
    network = drawn(lambda: ContentNetwork(recipe, len(factors)), draws)
    network.to(device).to(memory_format=torch.channels_last)
    scale = Scale.of(train.values)
    wanted = torch.from_numpy(scale.standardised(train.values)).float()

    def loss_of(rows: Tensor) -> Tensor:
        pictures = disturbed(train.pictures[rows].to(device).float(), recipe.mottle, draws)
        return F.mse_loss(network(pictures), wanted[rows].to(device))

    fit(network, recipe, len(train.pictures), loss_of, draws, progress)
    explained = r_squared(
        outputs_of(network, held_out.pictures), scale.standardised(held_out.values)
    )
    counts = {"train": len(train.pictures), "held_out": len(held_out.pictures), "seed": seed}
    r2 = dict(zip(factors, explained, strict=True))
    return ContentReader(recipe, scale, size, network, r2, counts | dict(facts or {}))


def r_squared(read: FloatArray, true: FloatArray) -> list[float]:
    """Return, for each column of (N, F), 1 minus the mean squared error over the variance of
    ``true``; 0 for a constant column."""
    error, variance = np.square(read - true).mean(axis=0), true.var(axis=0)
    return [1 - float(e / v) if v > 0 else 0.0 for e, v in zip(error, variance, strict=True)]
