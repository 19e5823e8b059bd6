"""A reader of content: a small network that learned, from real pictures of a domain whose factors
are known, to tell the factors of any picture of that domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.networks.classifiers import (
    LARGEST_FILE,
    Recipe,
    SmallResNet,
    hash_of_numbers,
    network_input,
)
from benchmarks.networks.precision import full_precision
from benchmarks.networks.weight_files import load_tensors, save_tensors
from benchmarks.pictures import to_bytes
from models.errors import UserError

FloatArray = NDArray[np.float64]
BATCH = 64  # pictures that the network sees at once when it reads
KIND = "content-reader"
_REMEDY = "remove the file, so that the reader is trained again"


@dataclass(frozen=True)
class ContentRecipe(Recipe):
    """A residual network of three stages of ``depth`` blocks, whose last maps are averaged to
    ``grid`` x ``grid`` places: where things are is content, so they are not pooled away.

    ``shift`` is 0: pictures that are moved or mirrored have another content. ``floor``: factors
    with an R^2 below it on held-out pictures are not used.
    """

    depth: int
    grid: int
    maps: int
    floor: float

    def network(self, factors: int) -> ContentNetwork:
        """For so many factors, with weights by torch's own rules."""
        return ContentNetwork(self, factors)


class ContentNetwork(nn.Module):
    """uint8 pictures (N, 3, H, W) to standardised factors (N, F)."""

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
        found: Tensor = self.head(F.adaptive_avg_pool2d(x, self.grid).flatten(1))
        return found


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
        """That of ``values`` (N, F). A factor that never varies keeps its unit."""
        spread = values.std(axis=0)
        return cls(tuple(values.mean(axis=0).tolist()), tuple(np.where(spread, spread, 1).tolist()))

    def standardised(self, values: FloatArray) -> FloatArray:
        """``values`` (N, F) in standard deviations from the mean."""
        found: FloatArray = (values - np.array(self.mean)) / np.array(self.deviation)
        return found


class ContentReader:
    """A trained reader of the ``factors`` of one domain's pictures.

    ``r2``: by factor, the share of its variance on held-out pictures that the reader explains;
    those of the recipe's floor or more are ``used``. ``size``: (height, width) of the pictures that
    it learned from, and takes. ``facts``: JSON values of its training. ``sha256``: of recipe,
    factors, scale, size, R^2 and every parameter.
    """

    def __init__(
        self,
        recipe: ContentRecipe,
        scale: Scale,
        size: tuple[int, int],
        network: ContentNetwork,
        r2: Mapping[str, float],
        facts: Mapping[str, Any],
    ) -> None:
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
        """The recipe's."""
        return self.recipe.name

    def to(self, device: torch.device | str) -> ContentReader:
        """The same reader, moved."""
        self.network.to(device)
        return self

    def read(self, pictures: Tensor) -> FloatArray:
        """Pictures (N, 3, H, W) in [-1, 1] to the factors ``used`` (N, F), standardised.

        They are rounded to 8 bits first, so that saved pictures read the same. UserError for values
        out of range and for another size than ``size``.
        """
        pixels = to_bytes(pictures)
        if pixels.shape[2:] != self.size:
            found, learned = ("x".join(map(str, s)) for s in (pixels.shape[2:], self.size))
            raise UserError(
                f"pictures are {found}, {self.name} was trained on {learned}: train a reader on "
                "pictures of that size"
            )
        return read_factors(self.network, pixels)[:, self._columns]

    def standardised(self, values: FloatArray) -> FloatArray:
        """True values (N, all factors) to the factors ``used`` (N, F), as ``read`` gives them."""
        if values.ndim != 2 or values.shape[1] != len(self.factors):
            raise UserError(
                f"true contents are {values.shape}, {self.name} knows {len(self.factors)} factors "
                f"({', '.join(self.factors)}): pass one row a picture, of these"
            )
        return self.scale.standardised(values)[:, self._columns]

    def record(self) -> dict[str, Any]:
        """Plain JSON values: everything known about it but the weights."""
        return {
            "recipe": self.recipe.name,
            "factors": list(self.factors),
            "scale": {"mean": self.scale.mean, "deviation": self.scale.deviation},
            "size": self.size,
            "r2": [self.r2[factor] for factor in self.factors],  # names sort, lists keep order
            "facts": self.facts,
            "sha256": self.sha256,
        }

    def save(self, path: Path) -> None:
        """Write a ``.safetensors`` file of the weights and the record: whole or not at all."""
        save_tensors(path, self.network.state_dict(), KIND, self.record())


def read_factors(network: ContentNetwork, pictures: Tensor) -> FloatArray:
    """uint8 pictures (N, 3, H, W) to standardised factors (N, F); in evaluation mode."""
    device = network.head.weight.device
    with torch.no_grad(), full_precision(device):
        parts = [network(part.to(device)).double().cpu() for part in torch.split(pictures, BATCH)]
    found: FloatArray = torch.cat(parts).numpy()
    return found


def load_content_reader(path: Path, device: torch.device | str = "cpu") -> ContentReader:
    """What ``ContentReader.save`` wrote; UserError for any other file, and for one whose record is
    that of other weights."""
    return load_tensors(path, KIND, _build, LARGEST_FILE, _REMEDY).to(device)


def _build(state: dict[str, Tensor], about: dict[str, Any]) -> ContentReader:
    recipe = CONTENT_RECIPES[about["recipe"]]
    factors, (height, width) = check_factors(about["factors"]), about["size"]
    mean, deviation, r2 = (
        tuple(float(value) for value in values)
        for values in (about["scale"]["mean"], about["scale"]["deviation"], about["r2"])
    )
    if not len(mean) == len(deviation) == len(r2) == len(factors) or min(deviation) <= 0:
        raise ValueError("scale and R^2 do not fit the factors")
    with torch.device("meta"):
        network = recipe.network(len(factors))
    network.load_state_dict(state, assign=True)
    size, explained = (int(height), int(width)), dict(zip(factors, r2, strict=True))
    found = ContentReader(
        recipe, Scale(mean, deviation), size, network, explained, dict(about["facts"])
    )
    if found.sha256 != about["sha256"]:
        raise ValueError(f"weights have sha256 {found.sha256}, recorded is {about['sha256']}")
    return found


def check_factors(factors: Sequence[str]) -> tuple[str, ...]:
    """``factors`` as a tuple; UserError unless they are one or more different names."""
    names = tuple(factors)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UserError(f"factors are {factors!r}: name one or more")
    if len(set(names)) < len(names):
        raise UserError(f"factors are {', '.join(names)}: name each once")
    return names
