"""Small classifiers with several heads (e.g. category, pattern) on shared features. The features
serve fidelity metrics; the heads measure preserved content and covered styles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.networks.colours import CONES, LAB, FloatArray
from benchmarks.networks.precision import full_precision
from benchmarks.networks.weight_files import Trained, hash_of_numbers, load_trained
from benchmarks.pictures import to_bytes
from models.errors import UserError

TO_CONES, TO_LAB = torch.from_numpy(CONES), torch.from_numpy(LAB)
BATCH = 64  # pictures per forward pass in measurements
Heads = Mapping[str, tuple[str, ...]]  # head -> names of its classes


@dataclass(frozen=True)
class Schedule:
    """A training schedule: ``steps`` of AdamW on ``batch`` pictures; ``lr`` is the peak learning
    rate. ``side``: larger side, in pixels, of the network's input."""

    name: str
    side: int
    steps: int
    batch: int
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class Recipe(Schedule):
    """The architecture and training of a classifier, identified by its name.

    ``dims``: length of the feature vector. ``side``: larger pictures are averaged down to it.
    ``shift``: training pictures are shifted by up to this many pixels, and half of them mirrored.
    ``mottle``: half of them are blurred and get noise of up to this many grey levels. Translations
    are less clean than photos and would otherwise be misclassified.
    """

    width: int
    dims: int
    shift: int
    mottle: float


INCEPTION = "inception-v3"  # the extractor for photographs
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "small-resnet-2", width=16, dims=64, side=64, steps=3200, batch=32, lr=4e-3,
            weight_decay=0.05, shift=2, mottle=60.0,
        ),
    )
}  # fmt: skip


class _Block(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016, "basic block")."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.shortcut(x) + self.second_norm(self.second(inner)))


CHANNELS = 5  # of ``network_input``


class SmallResNet(nn.Module):
    """Three stages of ``depth`` residual blocks, global pooling (half of the channels by their
    mean, half by their maximum), and one linear layer per head."""

    def __init__(self, recipe: Recipe, heads: Heads, depth: int = 1) -> None:
        super().__init__()
        w = recipe.width
        self.stem = nn.Conv2d(CHANNELS, w, 3, 1, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(w)
        blocks: list[nn.Module] = []
        for before, after in pairwise((w, 2 * w, 4 * w, recipe.dims)):
            blocks += [_Block(before, after, 2)]
            blocks += [_Block(after, after, 1) for _ in range(depth - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.heads = nn.ModuleDict({h: nn.Linear(recipe.dims, len(c)) for h, c in heads.items()})

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return features (N, D) and, by head, logits (N, C) of input (N, 5, H, W)."""
        x = F.relu(self.stem_norm(self.stem(x)))  # (N, w, H, W)
        mean, highest = self.blocks(x).chunk(2, dim=1)  # (N, D / 2, H / 8, W / 8) each
        features = torch.cat((mean.mean(dim=(2, 3)), highest.amax(dim=(2, 3))), dim=1)  # (N, D)
        return features, {name: head(features) for name, head in self.heads.items()}


def network_input(pictures: Tensor, side: int) -> Tensor:
    """Convert uint8 (N, 3, H, W) to float32 (N, 5, H, W), averaged down if larger than ``side``:
    OKLab, scaled to about [-1, 1], and the colour differences to the pixels below and to the right,
    with which patterns of any two colours are learned in minutes instead of hours."""
    x = pictures.float() / 255
    height, width = x.shape[2:]
    if max(height, width) > side:
        scale = side / max(height, width)
        shape = (max(1, round(height * scale)), max(1, round(width * scale)))
        x = F.interpolate(x, size=shape, mode="area")
    linear = torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    cones = torch.einsum("ij,njhw->nihw", TO_CONES.to(x), linear).clamp_min(0) ** (1 / 3)
    lab = torch.einsum("ij,njhw->nihw", TO_LAB.to(x), cones)
    lab = torch.cat((lab[:, :1] * 2 - 1, lab[:, 1:] * 5), dim=1)
    down = (lab[:, :, 1:] - lab[:, :, :-1]).norm(dim=1, keepdim=True)
    right = (lab[:, :, :, 1:] - lab[:, :, :, :-1]).norm(dim=1, keepdim=True)
    return torch.cat((lab, F.pad(down, (0, 0, 0, 1)), F.pad(right, (0, 1))), dim=1)


class Classifier(Trained):
    """A trained classifier. ``accuracy``: by head, on held-out pictures. ``facts``: JSON values on
    its training: counts of pictures, their size, seed, digest of the data."""

    kind = "classifier"
    network: SmallResNet

    def __init__(
        self, recipe: Recipe, heads: Heads, network: SmallResNet, accuracy: Mapping[str, float],
        facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.recipe, self.heads = recipe, dict(heads)
        self.accuracy, self.facts = dict(accuracy), dict(facts)
        self.network = network.requires_grad_(False).eval()
        self.sha256 = hash_of_numbers([recipe.name, self.heads], self.network)

    @property
    def device(self) -> torch.device:
        return self.network.stem.weight.device

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> tuple[Tensor, dict[str, NDArray[np.float64]]]:
        """Return features (N, D) and, by head, probabilities (N, C) of uint8 (N, 3, H, W)."""
        with full_precision(self.device):
            features, logits = self.network(
                network_input(pictures.to(self.device), self.recipe.side)
            )
        probabilities = {k: v.double().softmax(1).cpu().numpy() for k, v in logits.items()}
        return features.cpu(), probabilities

    def require(self, floors: Mapping[str, float]) -> None:
        """Raise UserError if the held-out accuracy of a head is below its floor (head -> share)."""
        for head, floor in floors.items():
            if not self.accuracy[head] >= floor:
                raise UserError(
                    f"classifier {self.recipe.name} is {self.accuracy[head]:.3f} accurate at "
                    f"{head}, under the floor of {floor}: train it on more or larger pictures "
                    "(--set train=..., --set size=...)"
                )

    def record(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.name,
            "heads": self.heads,
            "accuracy": self.accuracy,
            "facts": self.facts,
            "sha256": self.sha256,
        }


def load_classifier(path: Path, device: torch.device | str = "cpu") -> Classifier:
    """Read a file that ``Classifier.save`` wrote; raises UserError for others."""
    return load_trained(path, Classifier, _build, device)


def _build(state: dict[str, Tensor], about: dict[str, Any]) -> Classifier:
    recipe = RECIPES[about["recipe"]]
    heads = {str(k): tuple(str(c) for c in v) for k, v in about["heads"].items()}
    accuracy = {name: float(about["accuracy"][name]) for name in heads}
    with torch.device("meta"):
        network = SmallResNet(recipe, heads)
    network.load_state_dict(state, assign=True)
    return Classifier(recipe, heads, network, accuracy, dict(about["facts"]))


def outputs_of(network: nn.Module, pictures: Tensor) -> FloatArray:
    """Return the outputs (N, K) of a network in evaluation mode for uint8 pictures (N, 3, H, W)."""
    device = next(network.parameters()).device
    with torch.no_grad(), full_precision(device):
        parts = [network(part.to(device)).double().cpu() for part in torch.split(pictures, BATCH)]
    return torch.cat(parts).numpy()


def learned_size(pictures: Tensor, size: tuple[int, int], name: str) -> Tensor:
    """Convert pictures (N, 3, H, W) in [-1, 1] to uint8, as in saved files. Raises UserError for
    values out of range and any ``size`` but that on which ``name`` was trained."""
    pixels = to_bytes(pictures)
    if pixels.shape[2:] != size:
        found, learned = ("x".join(map(str, s)) for s in (pixels.shape[2:], size))
        raise UserError(
            f"pictures are {found}, {name} was trained on {learned}: train one on pictures of that size"
        )
    return pixels
