"""Inception-v3 (Szegedy et al., CVPR 2016) with torchvision's ImageNet weights, to be fine-tuned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.networks.weight_files import FoundWeights, Published
from models.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import Inception3

IMAGENET_CLASSES = 1000
PUBLISHED = Published(
    "torchvision", "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"
)
_HEADS = ("fc.", "AuxLogits.fc.")  # of ImageNet's classes


def imagenet_weights(
    path: Path | None = None, sha256: str | None = None, allow_download: bool = False
) -> FoundWeights:
    """The layers below the two heads; from where, and errors: ``Published.read``."""
    with torch.device("meta"):
        wanted = inception(IMAGENET_CLASSES).state_dict()
    found = PUBLISHED.read(path, sha256, allow_download, wanted)
    below = {k: v for k, v in found.state.items() if not k.startswith(_HEADS)}
    if any(v.is_floating_point() and v.dtype != torch.float32 for v in below.values()):
        raise UserError(f"{path or found.file}: weights are not float32: {PUBLISHED.remedy}")
    return replace(found, state=below)


def inception(classes: int) -> Inception3:
    """The network with a head and an auxiliary head of ``classes`` each, without dropout, whose
    draws would come from the global generator. It takes [-1, 1], as its weights were trained."""
    from torchvision.models import Inception3  # it takes a second, and few commands need it

    return Inception3(num_classes=classes, aux_logits=True, init_weights=False, dropout=0.0)
