"""The classifier behind IS and CIS: probabilities of a domain's modes, training by a recipe, and
evaluation on held-out pictures.

IS and CIS depend on probabilities, which a temperature calibrates: a correct but overconfident
classifier would distort them. Source: Guo et al., ICML 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax
from torch import Generator, Tensor, nn

from benchmarks.networks.classifier_training import Labelled, drawn, fit, one_size
from benchmarks.networks.classifiers import learned_size, outputs_of
from benchmarks.networks.colours import FloatArray
from benchmarks.networks.mode_recipes import (
    MODE,
    MODE_RECIPES,
    InceptionModes,
    InceptionNetwork,
    ModeNetwork,
    ModeRecipe,
)
from benchmarks.networks.weight_files import FoundWeights, Trained, hash_of_numbers, load_trained
from models.errors import UserError

HIGHEST = 10.0  # temperature


class ModeClassifier(Trained):
    """A trained classifier of the ``modes`` of one domain.

    ``size``: (height, width) of its training pictures, which inputs must have. ``accuracy``: on
    held-out pictures. Logits are divided by ``temperature``. ``verified``: False if it was
    initialised with weights other than the recipe's. ``facts``: JSON values on its training.
    ``sha256``: of recipe, modes, size, temperature and every parameter.
    """

    kind = "mode-classifier"
    network: ModeNetwork

    def __init__(
        self, recipe: ModeRecipe, modes: Sequence[str], size: tuple[int, int], network: ModeNetwork,
        temperature: float, accuracy: float, verified: bool, facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.recipe, self.modes, self.size = recipe, tuple(modes), size
        self.temperature, self.accuracy = temperature, accuracy
        self.verified, self.facts = verified, dict(facts)
        self.network = network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        about = [recipe.name, self.modes, size, verified, temperature]
        self.sha256 = hash_of_numbers(about, self.network)

    @property
    def name(self) -> str:
        """The recipe's name, with "-unverified" if initialised with other weights."""
        return self.recipe.name if self.verified else f"{self.recipe.name}-unverified"

    def probabilities(self, pictures: Tensor) -> FloatArray:
        """Return the modes' probabilities (B, K) of pictures (B, 3, H, W) in [-1, 1]. Raises
        UserError as ``learned_size``."""
        logits = outputs_of(self.network, learned_size(pictures, self.size, self.name))
        return softmax(logits / self.temperature, axis=1)

    def require(self) -> None:
        """Raise UserError if the held-out accuracy is below the recipe's floor."""
        if not self.accuracy >= self.recipe.floor:
            raise UserError(
                f"classifier {self.name} of {', '.join(self.modes)} is {self.accuracy:.3f} accurate "
                f"on held-out pictures, under the floor of {self.recipe.floor:g}: train it on more or "
                "larger pictures (--set train=..., --set size=...)"
            )

    def record(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.name,
            "modes": self.modes,
            "size": self.size,
            "verified": self.verified,
            "accuracy": self.accuracy,
            "temperature": self.temperature,
            "facts": self.facts,
            "sha256": self.sha256,
        }


def load_mode_classifier(path: Path, device: torch.device | str = "cpu") -> ModeClassifier:
    """Read a file that ``ModeClassifier.save`` wrote; raises UserError for others."""
    return load_trained(path, ModeClassifier, _build, device)


def _build(state: dict[str, Tensor], about: dict[str, Any]) -> ModeClassifier:
    recipe = MODE_RECIPES[about["recipe"]]
    modes, (height, width) = tuple(about["modes"]), about["size"]
    with torch.device("meta"):
        network = recipe.network(len(modes))
    network.finish()
    network.load_state_dict(state, assign=True)
    return ModeClassifier(
        recipe, modes, (int(height), int(width)), network, float(about["temperature"]),
        float(about["accuracy"]), about["verified"] is True, dict(about["facts"]),
    )  # fmt: skip


def train_mode_classifier(
    recipe: ModeRecipe, modes: Sequence[str], train: Labelled, held_out: Labelled, *,
    weights: FoundWeights | None = None, seed: int = 0, device: torch.device | str = "cpu",
    facts: Mapping[str, Any] | None = None, progress: bool = False,
) -> ModeClassifier:  # fmt: skip
    """Train a classifier by ``recipe`` on ``train`` and evaluate it once on ``held_out``.

    Both hold pictures of the same size and, under the head "mode", indices into ``modes``. Every
    mode needs at least one training picture and two held-out ones; every other held-out picture
    serves to fit the temperature. ``weights``: initial weights of Inception-v3. ``facts`` are saved
    in the record. Raises UserError for pictures, labels or modes that do not fit.
    """
    train.check({MODE: tuple(modes)}, "training picture", 1)
    held_out.check({MODE: tuple(modes)}, "held-out picture", 2)
    size = one_size(train.pictures, held_out.pictures)
    draws = np.random.default_rng([0x30DE5, seed & (2**64 - 1)])
    network = _start(recipe, len(modes), weights, draws)
    network.to(device).to(memory_format=torch.channels_last)
    labels = torch.from_numpy(train.labels[MODE])

    def loss_of(rows: Tensor) -> Tensor:
        pictures = recipe.augmented(train.pictures[rows].to(device), draws)
        return network.loss(pictures, labels[rows].to(device))

    fit(network, recipe, len(train.pictures), loss_of, draws, progress)
    network.finish()
    logits, true = outputs_of(network, held_out.pictures), held_out.labels[MODE]
    about: dict[str, Any] = {
        "train": len(train.pictures), "held_out": len(held_out.pictures), "seed": seed,
    }  # fmt: skip
    if weights is not None:
        about["weights"] = {"file": weights.file, "sha256": weights.sha256}
    return ModeClassifier(
        recipe, modes, size, network, temperature_of(logits, true),
        float((logits.argmax(axis=1) == true).mean()), weights is None or weights.verified,
        about | dict(facts or {}),
    )  # fmt: skip


def _start(
    recipe: ModeRecipe, modes: int, weights: FoundWeights | None, draws: np.random.Generator
) -> ModeNetwork:
    """Create the network with its initial weights."""
    if isinstance(recipe, InceptionModes) != (weights is not None):
        needs = "ImageNet weights" if weights is None else "no weights"
        raise UserError(f"recipe {recipe.name} starts from {needs}: pass weights accordingly")
    if weights is None:
        return drawn(lambda: recipe.network(modes), draws)
    with torch.random.fork_rng(devices=[]):  # for the layers' own draws, which are discarded
        network = recipe.network(modes)
    assert isinstance(network, InceptionNetwork)
    network.inception.load_state_dict(weights.state, strict=False)
    first = Generator().manual_seed(int(draws.integers(2**62)))
    for head in (network.inception.fc, network.inception.AuxLogits.fc):
        nn.init.normal_(head.weight, 0.0, 0.01, generator=first)
        nn.init.zeros_(head.bias)
    return network


def temperature_of(logits: FloatArray, labels: NDArray[np.int64]) -> float:
    """Fit the temperature on every other held-out picture of each class, from the first."""
    place = np.zeros(len(labels), np.int64)  # index of a picture within its class
    for label in np.unique(labels):
        of_class = labels == label
        place[of_class] = np.arange(of_class.sum())
    return fit_temperature(logits[place % 2 == 0], labels[place % 2 == 0])


def fit_temperature(logits: FloatArray, labels: NDArray[np.int64]) -> float:
    """Return the T in [1, 10] that maximises the likelihood of ``labels`` (N,) under
    softmax(logits / T). T >= 1 never sharpens: if nearly all pictures are classified correctly, few
    errors would determine the confidence on translations, which are less clean."""
    right = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]

    def slope(inverse: float) -> float:
        """Return the derivative of the mean log loss by 1 / T, which increases (convexity)."""
        expected = (softmax(logits * inverse, axis=1) * logits).sum(axis=1)
        return float((expected - right).mean())

    if slope(1.0) <= 0:
        return 1.0
    if slope(1 / HIGHEST) >= 0:
        return HIGHEST
    return 1 / float(brentq(slope, 1 / HIGHEST, 1.0, xtol=1e-12))
