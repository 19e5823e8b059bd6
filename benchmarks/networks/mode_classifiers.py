"""The classifier behind IS and CIS: which mode of one domain a picture shows, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from benchmarks.networks.calibration import Calibration, Floats, Ints, calibrate
from benchmarks.networks.classifiers import hash_of_numbers
from benchmarks.networks.mode_recipes import MODE_RECIPES, ModeNetwork, ModeRecipe
from benchmarks.networks.precision import full_precision
from benchmarks.networks.weight_files import load_tensors, save_tensors
from benchmarks.pictures import to_bytes
from models.errors import UserError

BATCH = 64  # pictures that a network sees at once when it measures
KIND = "mode-classifier"
_LARGEST_FILE = 2**27  # bytes; an Inception-v3 without its auxiliary head has 87 million
_REMEDY = "remove the file, so that the classifier is trained again"


@dataclass(frozen=True)
class Trial:
    """What a classifier did on held-out pictures, which its training never saw.

    ``confusion`` (K, K): counts, a row for each true mode, a column for each named one.
    """

    confusion: NDArray[np.int64]
    calibration: Calibration

    @classmethod
    def of(cls, logits: Floats, labels: Ints) -> Trial:
        """From logits (N, K) of pictures whose modes are ``labels`` (N,)."""
        modes = logits.shape[1]
        pairs = labels * modes + logits.argmax(axis=1)
        counts = np.bincount(pairs, minlength=modes**2).reshape(modes, modes)
        return cls(counts.astype(np.int64), calibrate(logits, labels))

    @property
    def accuracy(self) -> float:
        """Share of the pictures whose most probable mode is the true one."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, the accuracy among them."""
        return {
            "accuracy": self.accuracy,
            "confusion": self.confusion.tolist(),
            "calibration": self.calibration.as_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], modes: int) -> Trial:
        """What ``as_dict`` gave; KeyError, TypeError or ValueError for anything else."""
        counts = np.array(values["confusion"], dtype=object)
        whole = all(type(count) is int and 0 <= count < 2**31 for count in counts.flat)
        if counts.shape != (modes, modes) or not whole or not all(counts.sum(axis=1)):
            raise ValueError(f"no confusion matrix of {modes} modes")
        calibration = Calibration.from_dict(values["calibration"])
        if calibration.fitted_on + calibration.measured_on != counts.sum():
            raise ValueError("confusion matrix and calibration count other pictures")
        return cls(counts.astype(np.int64), calibration)


class ModeClassifier:
    """A trained classifier of the ``modes`` of one domain.

    ``size``: (height, width) of the pictures that it learned from, and takes. ``verified``: False
    where it began with weights that are not the recipe's own. ``facts``: JSON values of its
    training. ``sha256``: of recipe, modes, size, temperature and every parameter.
    """

    def __init__(
        self,
        recipe: ModeRecipe,
        modes: Sequence[str],
        size: tuple[int, int],
        network: ModeNetwork,
        trial: Trial,
        verified: bool,
        facts: Mapping[str, Any],
    ) -> None:
        self.recipe, self.modes, self.size = recipe, tuple(modes), size
        self.trial, self.verified, self.facts = trial, verified, dict(facts)
        self.network = network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        about = [recipe.name, self.modes, size, verified, trial.calibration.temperature]
        self.sha256 = hash_of_numbers(about, self.network)

    @property
    def name(self) -> str:
        """The recipe's name, marked where the weights it began with are not the recipe's own."""
        return self.recipe.name if self.verified else f"{self.recipe.name}-unverified"

    @property
    def accuracy(self) -> float:
        """On held-out pictures."""
        return self.trial.accuracy

    @property
    def confusion(self) -> Ints:
        """(K, K) counts on held-out pictures: true modes by row, named ones by column."""
        return self.trial.confusion

    @property
    def calibration(self) -> Calibration:
        """On one half of the held-out pictures, with a temperature fitted on the other."""
        return self.trial.calibration

    def to(self, device: torch.device | str) -> ModeClassifier:
        """The same classifier, moved."""
        self.network.to(device)
        return self

    def probabilities(self, pictures: Tensor) -> Floats:
        """Pictures (B, 3, H, W) in [-1, 1] to the probabilities (B, K) of their modes.

        They are rounded to 8 bits first, so that saved pictures have the same probabilities.
        UserError for values out of range and for another size than ``size``.
        """
        pixels = to_bytes(pictures)
        if pixels.shape[2:] != self.size:
            raise UserError(
                f"pictures are {_by(pixels.shape[2:])}, {self.name} was trained on "
                f"{_by(self.size)}: train one on pictures of that size"
            )
        logits = logits_of(self.network, pixels)
        found: Floats = softmax(logits / self.calibration.temperature, axis=1)
        return found

    def require(self, floor: float | None = None) -> None:
        """Refuse a classifier whose held-out accuracy is under ``floor``, by default the
        recipe's."""
        floor = self.recipe.floor if floor is None else floor
        if not self.accuracy >= floor:
            shown = ", ".join(self.modes)
            raise UserError(
                f"classifier {self.name} of {shown} is {self.accuracy:.3f} accurate on held-out "
                f"pictures, under the floor of {floor:g}: train it on more or larger pictures "
                "(--set train=..., --set size=...)"
            )

    def require_modes(self, modes: Sequence[str]) -> None:
        """Refuse a classifier of other modes, or of the same in another order."""
        if tuple(modes) != self.modes:
            raise UserError(
                f"classifier {self.name} tells {', '.join(self.modes)} apart, wanted are "
                f"{', '.join(modes)}: train one on the modes of this domain"
            )

    def record(self) -> dict[str, Any]:
        """Plain JSON values: everything known about it but the weights."""
        return {
            "recipe": self.recipe.name,
            "modes": self.modes,
            "size": self.size,
            "verified": self.verified,
            "held_out": self.trial.as_dict(),
            "facts": self.facts,
            "sha256": self.sha256,
        }

    def save(self, path: Path) -> None:
        """Write a ``.safetensors`` file of the weights and the record: whole or not at all."""
        save_tensors(path, self.network.state_dict(), KIND, self.record())


def logits_of(network: ModeNetwork, pictures: Tensor, batch_size: int = BATCH) -> Floats:
    """uint8 pictures (N, 3, H, W) to logits (N, K) on the CPU; ``network`` is in evaluation mode."""
    device = next(network.parameters()).device
    with torch.no_grad(), full_precision(device):
        parts = [
            network(part.to(device)).double().cpu() for part in torch.split(pictures, batch_size)
        ]
    found: Floats = torch.cat(parts).numpy()
    return found


def load_mode_classifier(path: Path, device: torch.device | str = "cpu") -> ModeClassifier:
    """What ``ModeClassifier.save`` wrote; UserError for any other file, and for one whose record
    is that of other weights."""
    return load_tensors(path, KIND, _build, _LARGEST_FILE, _REMEDY).to(device)


def _build(state: dict[str, Tensor], about: dict[str, Any]) -> ModeClassifier:
    recipe = MODE_RECIPES[about["recipe"]]
    modes, (height, width) = check_modes(about["modes"]), about["size"]
    with torch.device("meta"):
        network = recipe.network(len(modes))
    network.finish()
    network.load_state_dict(state, assign=True)
    trial = Trial.from_dict(about["held_out"], len(modes))
    size, verified = (int(height), int(width)), about["verified"] is True
    found = ModeClassifier(recipe, modes, size, network, trial, verified, dict(about["facts"]))
    if found.sha256 != about["sha256"]:
        raise ValueError(f"weights have sha256 {found.sha256}, recorded is {about['sha256']}")
    return found


def check_modes(modes: object) -> tuple[str, ...]:
    """``modes`` as a tuple; UserError unless they are two or more different names."""
    names = tuple(modes) if isinstance(modes, list | tuple) else ()
    named = all(isinstance(name, str) and name for name in names)
    if not named or len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"modes are {modes!r}: name two or more, each once")
    return names


def _by(size: Sequence[int]) -> str:
    return "x".join(str(side) for side in size)
