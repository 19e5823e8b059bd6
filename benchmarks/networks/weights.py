"""The weights of LPIPS: an AlexNet trunk and one weight per channel.

The trunk was trained on ImageNet and is part of this package
(``networks/alexnet_features.safetensors``; ``networks/NOTICE.md`` states its origin and licence);
users may name another file. The channel weights are those of the lpips package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmarks.networks.weight_files import check_state, parse_state, read_bytes

Version = Literal["0.0", "0.1"]
Name = Literal["lpips", "lpips-unverified"]

PACKAGED = Path(__file__).parent / "alexnet_features.safetensors"
# ``hash_of`` the values of torchvision's ImageNet trunk, independent of the file.
IMAGENET_TRUNK = "195266a4c8e96483085621ac3389a6c24f1dd0963c9ac0e001705d24ece83273"
LARGEST_FILE = 2**30  # bytes; torchvision's file, including the classifier, has 244 million

# (out, in, height, width) of the convolutions of torchvision's AlexNet.
TRUNK_SHAPES: dict[str, tuple[int, int, int, int]] = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
}
_REMEDY = "use torchvision's AlexNet, or leave --lpips-weights out for the one that is installed"


@dataclass(frozen=True)
class LpipsWeights:
    """Parameters of one LPIPS network: torchvision's ``features.*`` tensors and the weights (C,),
    >= 0, of the channels of five layers. ``name``: "lpips" for torchvision's ImageNet weights,
    recognised by their values; "lpips-unverified" for any other AlexNet. ``version``: "0.0" feeds
    pixels in [-1, 1] directly to the trunk, "0.1" normalises the channels first."""

    name: Name
    version: Version
    trunk: Mapping[str, torch.Tensor]
    channels: tuple[torch.Tensor, ...]
    source: str

    @property
    def sha256(self) -> str:
        """Hash of the version and of every parameter's name, shape and values."""
        named = dict(self.trunk) | {f"lin{k}": w for k, w in enumerate(self.channels)}
        return hash_of(named, f"lpips v{self.version}\n")


def trained(version: Version, path: Path | str | None = None) -> LpipsWeights:
    """Return LPIPS weights with the AlexNet in ``path``, by default the one in this package.
    ``path`` is a ``.pth`` or ``.safetensors`` state dict of torchvision's AlexNet (the classifier
    may be missing). Pickles are read as weights only. Raises UserError if the file is missing,
    broken, malicious or of another network; it never falls back to other weights."""
    path = PACKAGED if path is None else Path(path)
    trunk = _trunk(path)
    name: Name = "lpips" if hash_of(trunk) == IMAGENET_TRUNK else "lpips-unverified"
    return LpipsWeights(name, version, trunk, package_channels(version), path.name)


def hash_of(tensors: Mapping[str, torch.Tensor], about: str = "") -> str:
    """Return the sha256 (hex) of ``about`` and the tensors' names, shapes and float32 values, which
    is independent of the file format."""
    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def package_channels(version: Version) -> tuple[torch.Tensor, ...]:
    """Return the lpips package's channel weights (C,), by layer, fitted to human judgement."""
    import lpips  # imported late: it imports torchvision, which is slow

    file = Path(lpips.__file__).parent / "weights" / f"v{version}" / "alex.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    return tuple(state[f"lin{k}.model.1.weight"].flatten() for k in range(len(TRUNK_SHAPES)))


def _trunk(path: Path) -> dict[str, torch.Tensor]:
    """Read the convolutions in ``path`` as float32; checks that names and shapes are AlexNet's."""
    content = read_bytes(path, LARGEST_FILE, _REMEDY)
    state = parse_state(path, content, LARGEST_FILE, _REMEDY)
    state = {str(n): t for n, t in state.items() if not str(n).startswith("classifier.")}
    wanted: dict[str, torch.Tensor] = {}
    for name, shape in TRUNK_SHAPES.items():
        wanted[f"{name}.weight"] = torch.empty(shape, device="meta")
        wanted[f"{name}.bias"] = torch.empty(shape[:1], device="meta")
    check_state(path, state, wanted, "AlexNet", _REMEDY)
    return {name: state[name].detach().float().contiguous() for name in wanted}
