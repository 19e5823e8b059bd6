"""VGG-16 features for the domain-invariant perceptual loss (MUNIT section 5.1)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from models.errors import UserError
from reproduce.checkpoints import read_pickle

# Number of torchvision's feature layers up to and with the named activation.
LAYERS = {"relu4_3": 23, "relu5_3": 30}
CACHED = "vgg16-397923af.pth"


class VggFeatures(nn.Module):
    """x (N, 3, H, W) in [-1, 1] -> features (N, 512, h, w) of a frozen VGG-16."""

    mean: Tensor
    std: Tensor

    def __init__(self, layer: str) -> None:
        super().__init__()
        if layer not in LAYERS:
            raise UserError(f"unknown perceptual_layer '{layer}': use {' or '.join(LAYERS)}")
        self.layers = vgg16(weights=None).features[: LAYERS[layer]]
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(((x + 1) / 2 - self.mean) / self.std)


def vgg_features(layer: str, path: Path | None = None) -> VggFeatures:
    """The extractor with torchvision's ImageNet weights: from ``path``, or torch's cache."""
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
    if any(v is None or v.shape != own[k].shape for k, v in wanted.items()):
        raise UserError(f"{path} holds no torchvision VGG-16: its layers have other names or sizes")
    features.layers.load_state_dict(wanted)  # type: ignore[arg-type]
    return features
