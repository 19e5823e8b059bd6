"""Inception-v3 (Szegedy et al., CVPR 2016) with torchvision's ImageNet weights, to be fine-tuned.

The weights come from a file the user names, from torch's own cache, or from a download the user
allowed. They are read as weights only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmarks.networks.weight_files import (
    cached,
    check_sha256,
    check_state,
    hash_digits,
    parse_state,
    read_bytes,
)
from models.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import Inception3

INCEPTION_URL = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"
IMAGENET_CLASSES = 1000
_LARGEST_FILE = 2**28  # bytes; torchvision's file has 109 million
_REMEDY = "pass torchvision's inception_v3_google-0cc3c7bd.pth by its path"
_HEADS = ("fc.", "AuxLogits.fc.")  # of ImageNet's classes


@dataclass(frozen=True)
class ImageNetWeights:
    """The layers of an Inception-v3 below its two heads.

    ``sha256`` is of the file; ``verified``: whether it is torchvision's own, by that.
    """

    state: Mapping[str, Tensor]
    file: str
    sha256: str
    verified: bool


def imagenet_weights(
    path: Path | None = None, sha256: str | None = None, allow_download: bool = False
) -> ImageNetWeights:
    """The weights in ``path``, else in torch's cache, else downloaded if allowed.

    With ``sha256`` (at least its first 8 digits) the file must have that hash. Raises UserError
    when there is no file, or it is broken, hostile or of another network.
    """
    if path is None:
        path = cached(INCEPTION_URL, allow_download, _REMEDY)
        sha256 = sha256 or hash_digits(path)
    content = read_bytes(path, _LARGEST_FILE, _REMEDY)
    found = check_sha256(path, content, sha256)
    state = parse_state(path, content, _LARGEST_FILE, _REMEDY)
    with torch.device("meta"):
        wanted = inception(IMAGENET_CLASSES).state_dict()
    # Files by old versions of PyTorch do not count the batches of their norms.
    counters = {k: v for k, v in wanted.items() if k.endswith("num_batches_tracked")}
    state = {k: torch.zeros((), dtype=v.dtype) for k, v in counters.items()} | state
    check_state(path, state, wanted, "torchvision's Inception-v3", _REMEDY)
    below = {k: v for k, v in state.items() if not k.startswith(_HEADS)}
    if any(v.is_floating_point() and v.dtype != torch.float32 for v in below.values()):
        raise UserError(f"{path}: weights are not float32: {_REMEDY}")
    official = found.startswith(hash_digits(Path(INCEPTION_URL)))
    return ImageNetWeights(below, path.name, found, official)


def inception(classes: int) -> Inception3:
    """The network with a head and an auxiliary head of ``classes`` each, without dropout, whose
    draws would come from the global generator. It takes [-1, 1], as its weights were trained."""
    from torchvision.models import Inception3  # it takes a second, and few commands need it

    return Inception3(num_classes=classes, aux_logits=True, init_weights=False, dropout=0.0)
