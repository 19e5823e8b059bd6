"""Named recipes for classifiers of a domain's modes: architecture and training.

``small-drawn`` and ``small-photos`` (32 to 64 pixels) train from scratch. ``inception-v3-finetune``
fine-tunes Inception-v3 from ImageNet, as in MUNIT (section 5.2); the schedule is our own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.networks.augmentation import disturbed, shifted, zoomed
from benchmarks.networks.classifiers import Recipe, Schedule, SmallResNet, network_input
from benchmarks.networks.weight_files import FoundWeights, Published
from models.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import Inception3

IMAGENET_CLASSES = 1000
PUBLISHED = Published(
    "torchvision", "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"
)
_HEADS = ("fc.", "AuxLogits.fc.")  # of ImageNet's classes
MODE = "mode"  # the head's name
AUXILIARY = 0.4  # weight of the auxiliary head's loss, TF-Slim's train_image_classifier.py


class ModeNetwork(nn.Module):
    """Base class of networks that map uint8 pictures (N, 3, H, W) to logits (N, K)."""

    def loss(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy of ``labels`` (N,), in training mode."""
        return F.cross_entropy(self(pictures), labels)

    def finish(self) -> None:
        """Drop the layers that only training needs."""


@dataclass(frozen=True)
class SmallModes(Recipe):
    """A residual network of three stages of ``depth`` blocks; ``floor``: smallest held-out accuracy
    that tables accept. Every training picture has its own shift."""

    depth: int
    floor: float

    def network(self, modes: int) -> ModeNetwork:
        """Create the network for ``modes`` modes, with PyTorch's default initialisation."""
        return _SmallNetwork(self, modes)

    def augmented(self, pictures: Tensor, draws: np.random.Generator) -> Tensor:
        """Return training pictures, uint8: mirrored, shifted, blurred and mottled."""
        return disturbed(shifted(pictures, self.shift, draws).float(), self.mottle, draws)


class _SmallNetwork(ModeNetwork):
    def __init__(self, recipe: SmallModes, modes: int) -> None:
        super().__init__()
        self.side = recipe.side
        classes = {MODE: tuple(str(k) for k in range(modes))}
        self.resnet = SmallResNet(recipe, classes, recipe.depth)

    def forward(self, pictures: Tensor) -> Tensor:
        _, logits = self.resnet(network_input(pictures, self.side))
        return logits[MODE]


@dataclass(frozen=True)
class InceptionModes(Schedule):
    """Inception-v3 from ImageNet, all layers trained, on pictures resized to ``side``. ``least``:
    training pictures are cropped to at least this share of their sides, and half of them are
    mirrored; ``floor``: smallest held-out accuracy that tables accept."""

    least: float
    floor: float

    def network(self, modes: int) -> ModeNetwork:
        """Create the network for ``modes`` modes, with PyTorch's default initialisation."""
        return InceptionNetwork(self.side, modes)

    def augmented(self, pictures: Tensor, draws: np.random.Generator) -> Tensor:
        """Return training pictures, uint8 (N, 3, side, side): cropped and mirrored."""
        x = zoomed(resized(pictures, self.side), self.least, draws)
        return x.round().byte()


class InceptionNetwork(ModeNetwork):
    """torchvision's Inception-v3 with new heads; the auxiliary head serves only training."""

    def __init__(self, side: int, modes: int) -> None:
        super().__init__()
        self.side = side
        self.inception = inception(modes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits (N, K); the network must be in evaluation mode."""
        return self.inception(self._input(pictures))

    def loss(self, pictures: Tensor, labels: Tensor) -> Tensor:
        main, auxiliary = self.inception(self._input(pictures))
        return F.cross_entropy(main, labels) + AUXILIARY * F.cross_entropy(auxiliary, labels)

    def finish(self) -> None:
        self.inception.AuxLogits, self.inception.aux_logits = None, False

    def _input(self, pictures: Tensor) -> Tensor:
        return resized(pictures, self.side) / 127.5 - 1


def resized(pictures: Tensor, side: int) -> Tensor:
    """Resize uint8 pictures (N, 3, H, W) to float32 (N, 3, side, side) of 0 to 255, bilinear with
    antialiasing."""
    x = pictures.float()
    if x.shape[2:] == (side, side):
        return x
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True).clamp(0, 255)


ModeRecipe = SmallModes | InceptionModes
MODE_RECIPES: dict[str, ModeRecipe] = {
    recipe.name: recipe
    for recipe in (
        SmallModes(
            "small-drawn", width=16, dims=64, depth=1, side=64, steps=500, batch=32, lr=4e-3,
            weight_decay=0.05, shift=2, mottle=60.0, floor=0.95,
        ),
        SmallModes(
            "small-photos", width=24, dims=192, depth=1, side=64, steps=4000, batch=64, lr=4e-3,
            weight_decay=0.05, shift=4, mottle=30.0, floor=0.75,
        ),
        InceptionModes(
            "inception-v3-finetune", side=299, steps=2000, batch=32, lr=1e-4, weight_decay=0.05,
            least=0.7, floor=0.8,
        ),
    )
}  # fmt: skip


def imagenet_weights(
    path: Path | None = None, sha256: str | None = None, allow_download: bool = False
) -> FoundWeights:
    """Return the weights of the layers below the two heads, read by ``Published.read``."""
    with torch.device("meta"):
        wanted = inception(IMAGENET_CLASSES).state_dict()
    found = PUBLISHED.read(path, sha256, allow_download, wanted)
    below = {k: v for k, v in found.state.items() if not k.startswith(_HEADS)}
    if any(v.is_floating_point() and v.dtype != torch.float32 for v in below.values()):
        raise UserError(f"{path or found.file}: weights are not float32: {PUBLISHED.remedy}")
    return replace(found, state=below)


def inception(classes: int) -> Inception3:
    """Create the network with a head and an auxiliary head of ``classes`` classes. It has no
    dropout, which would use the global generator. It takes [-1, 1], as its weights were trained."""
    from torchvision.models import Inception3  # imported late: slow, and few commands need it

    return Inception3(num_classes=classes, aux_logits=True, init_weights=False, dropout=0.0)
