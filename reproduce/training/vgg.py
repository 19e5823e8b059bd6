"""VGG-16 features for the domain-invariant perceptual loss (MUNIT section 5.1)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.errors import UserError
from reproduce.training.checkpoints import read_pickle

# Number of torchvision's feature layers up to and including the named activation.
LAYERS = {"relu4_3": 23, "relu5_3": 30}
POOLINGS = {"relu4_3": 3, "relu5_3": 4}  # poolings before it; each halves the resolution
CACHED = "vgg16-397923af.pth"
# Channels of the convolutions between poolings: configuration D of Simonyan and Zisserman (2015).
WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VggFeatures(nn.Module):
    """A frozen VGG-16: maps x (N, 3, H, W) in [-1, 1] to features (N, 512, h, w)."""

    mean: Tensor
    std: Tensor

    def __init__(self, layer: str) -> None:
        super().__init__()
        check_layer(layer)
        layers: list[nn.Module] = []
        before = 3
        for widths in WIDTHS:
            for width in widths:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers[: LAYERS[layer]])
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(((x + 1) / 2 - self.mean) / self.std)


def check_layer(layer: str) -> None:
    """Raise UserError unless the loss was published with ``layer``."""
    if layer not in LAYERS:
        raise UserError(f"unknown perceptual_layer '{layer}': use {' or '.join(LAYERS)}")


def vgg_features(layer: str, size: int, path: Path | None = None) -> VggFeatures:
    """Load the extractor with torchvision's ImageNet weights, from ``path`` or torch's cache;
    UserError if features of ``size``-pixel pictures are below 2x2, too few for instance norm."""
    check_layer(layer)
    smallest = 2 * 2 ** POOLINGS[layer]
    if size < smallest:
        raise UserError(f"the perceptual loss at {layer} needs size={smallest} at least")
    features = VggFeatures(layer)
    path = path or Path(torch.hub.get_dir()) / "checkpoints" / CACHED
    if not path.exists():
        raise UserError(
            f"the perceptual loss needs VGG-16 weights and {path} does not exist: download "
            f"https://download.pytorch.org/models/{CACHED} and pass it as --vgg PATH"
        )
    state = read_pickle(path)
    own = features.layers.state_dict()
    wanted = {k: state.get(f"features.{k}") for k in own}
    if any(not isinstance(v, Tensor) or v.shape != own[k].shape for k, v in wanted.items()):
        raise UserError(
            f"{path} holds no torchvision VGG-16 (its layers have other names or sizes): download "
            f"https://download.pytorch.org/models/{CACHED}"
        )
    features.layers.load_state_dict(wanted)  # type: ignore[arg-type]
    return features
