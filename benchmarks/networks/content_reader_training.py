"""Training a reader of content by its recipe, and its trial on held-out pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmarks.networks.augmentation import disturbed
from benchmarks.networks.classifier_training import fit
from benchmarks.networks.content_reader import (
    ContentReader,
    ContentRecipe,
    FloatArray,
    Scale,
    check_factors,
    read_factors,
)
from models.errors import UserError
from models.init import initialise


@dataclass(frozen=True)
class Described:
    """uint8 pictures (N, 3, H, W) and the true values (N, F) of their factors."""

    pictures: Tensor
    values: FloatArray

    def check(self, factors: Sequence[str], what: str) -> None:
        """UserError unless there are pictures, each with a number for each of ``factors``."""
        count = len(self.pictures)
        if count == 0 or self.pictures.dtype != torch.uint8 or self.pictures.ndim != 4:
            raise UserError(f"{what}: a reader needs uint8 pictures (N, 3, H, W), at least one")
        if self.values.shape != (count, len(factors)):
            raise UserError(
                f"{what}: true contents are {self.values.shape}, {count} pictures of "
                f"{len(factors)} factors need ({count}, {len(factors)})"
            )
        if not np.isfinite(self.values).all():
            row, column = np.argwhere(~np.isfinite(self.values))[0].tolist()
            raise UserError(
                f"{what}: {factors[column]} of picture {row} is NaN or infinite: mend the truth"
            )


def train_content_reader(
    recipe: ContentRecipe,
    factors: Sequence[str],
    train: Described,
    held_out: Described,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    facts: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> ContentReader:
    """Train by ``recipe`` on ``train``, then try on ``held_out``, looked at once.

    Minimises the mean squared error of the factors, standardised by ``train``. Both hold pictures
    of one size and values in the order of ``factors``. ``facts`` are kept in the record. Raises
    UserError for pictures or values that do not fit.
    """
    names = check_factors(factors)
    train.check(names, "training pictures")
    held_out.check(names, "held-out pictures")
    height, width = train.pictures.shape[2:]
    if held_out.pictures.shape[2:] != (height, width):
        raise UserError(
            f"held-out pictures are {list(held_out.pictures.shape[2:])}, training pictures "
            f"{[height, width]}: use one size"
        )
    draws = np.random.default_rng([0xC047, seed & (2**64 - 1)])
    with torch.random.fork_rng(devices=[]):  # the layers' own draws, which are thrown away
        network = recipe.network(len(names))
    initialise(network, "kaiming", Generator().manual_seed(int(draws.integers(2**62))))
    network.to(device).to(memory_format=torch.channels_last)
    scale = Scale.of(train.values)
    wanted = torch.from_numpy(scale.standardised(train.values)).float()

    def loss_of(rows: Tensor) -> Tensor:
        pictures = disturbed(train.pictures[rows].to(device).float(), recipe.mottle, draws)
        return F.mse_loss(network(pictures), wanted[rows].to(device))

    fit(network, recipe, len(train.pictures), loss_of, draws, progress)
    read = read_factors(network.eval(), held_out.pictures)
    counts = {"train": len(train.pictures), "held_out": len(held_out.pictures), "seed": seed}
    return ContentReader(
        recipe,
        scale,
        (height, width),
        network,
        dict(zip(names, r_squared(read, scale.standardised(held_out.values)), strict=True)),
        counts | dict(facts or {}),
    )


def r_squared(read: FloatArray, true: FloatArray) -> list[float]:
    """By column of (N, F): 1 minus the mean squared error over the variance of ``true``.

    0 where ``true`` never varies: there is nothing to explain.
    """
    error, variance = np.square(read - true).mean(axis=0), true.var(axis=0)
    return [1 - float(e / v) if v > 0 else 0.0 for e, v in zip(error, variance, strict=True)]
