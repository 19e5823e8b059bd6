"""Training a classifier of modes by its recipe, and its trial on held-out pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from benchmarks.networks.classifier_training import Labelled, fit
from benchmarks.networks.imagenet_inception import ImageNetWeights
from benchmarks.networks.mode_classifiers import ModeClassifier, Trial, check_modes, logits_of
from benchmarks.networks.mode_recipes import (
    MODE,
    InceptionModes,
    InceptionNetwork,
    ModeNetwork,
    ModeRecipe,
)
from models.errors import UserError
from models.init import initialise


def train_mode_classifier(
    recipe: ModeRecipe,
    modes: Sequence[str],
    train: Labelled,
    held_out: Labelled,
    *,
    weights: ImageNetWeights | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    facts: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> ModeClassifier:
    """Train by ``recipe`` on ``train``, then try on ``held_out``, looked at once.

    Both hold pictures of one size and, under the head "mode", indices into ``modes``; every mode
    has one training picture at least and two held-out ones, one to fit the temperature, one to
    measure calibration. ``weights``: where Inception-v3 begins. ``facts`` are kept in the record.
    Raises UserError for pictures, labels or modes that do not fit.
    """
    names = check_modes(list(modes))
    heads = {MODE: names}
    for labelled, what, least in (
        (train, "training picture", 1),
        (held_out, "held-out picture", 2),
    ):
        labelled.check(heads, f"{what}s")
        labelled.check_every_class(heads, what, least)
    height, width = train.pictures.shape[2:]
    if held_out.pictures.shape[2:] != (height, width):
        raise UserError(
            f"held-out pictures are {list(held_out.pictures.shape[2:])}, training pictures "
            f"{[height, width]}: use one size"
        )
    draws = np.random.default_rng([0x30DE5, seed & (2**64 - 1)])
    first = Generator().manual_seed(int(draws.integers(2**62)))
    network = _start(recipe, len(names), weights, first)
    network.to(device).to(memory_format=torch.channels_last)
    labels = torch.from_numpy(train.labels[MODE])

    def loss_of(rows: Tensor) -> Tensor:
        pictures = recipe.augmented(train.pictures[rows].to(device), draws)
        return network.loss(pictures, labels[rows].to(device))

    fit(network, recipe, len(train.pictures), loss_of, draws, progress)
    network.finish()
    logits = logits_of(network.eval(), held_out.pictures)
    about: dict[str, Any] = {
        "train": len(train.pictures),
        "held_out": len(held_out.pictures),
        "seed": seed,
    }
    if weights is not None:
        about["weights"] = {"file": weights.file, "sha256": weights.sha256}
    return ModeClassifier(
        recipe,
        names,
        (height, width),
        network,
        Trial.of(logits, held_out.labels[MODE]),
        verified=weights is None or weights.verified,
        facts=about | dict(facts or {}),
    )


def _start(
    recipe: ModeRecipe, modes: int, weights: ImageNetWeights | None, draws: Generator
) -> ModeNetwork:
    """The network before its first step."""
    if isinstance(recipe, InceptionModes) != (weights is not None):
        needs = "ImageNet weights" if weights is None else "no weights"
        raise UserError(f"recipe {recipe.name} starts from {needs}: pass weights accordingly")
    with torch.random.fork_rng(devices=[]):  # the layers' own draws, which are thrown away
        network = recipe.network(modes)
    if weights is None:
        initialise(network, "kaiming", draws)
        return network
    assert isinstance(network, InceptionNetwork)
    network.inception.load_state_dict(dict(weights.state), strict=False)
    for head in (network.inception.fc, network.inception.AuxLogits.fc):
        nn.init.normal_(head.weight, 0.0, 0.01, generator=draws)
        nn.init.zeros_(head.bias)
    return network
