"""The numbers inside LPIPS: an AlexNet trunk and one weight a channel.

The trunk was trained on ImageNet and comes with this package
(``networks/alexnet_features.safetensors``; ``networks/NOTICE.md`` gives its origin and licence),
or from a file the user names. The channel weights are the lpips package's.
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
# ``hash_of`` the numbers of torchvision's ImageNet trunk, whatever file holds them.
IMAGENET_TRUNK = "195266a4c8e96483085621ac3389a6c24f1dd0963c9ac0e001705d24ece83273"
LARGEST_FILE = 2**30  # bytes; torchvision's file, classifier and all, has 244 million

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
    >= 0, of the five layers' channels. ``name``: "lpips" for torchvision's ImageNet weights,
    recognised by their numbers; "lpips-unverified" for any other AlexNet. ``version``: "0.0" feeds
    the trunk with [-1, 1] as it is, "0.1" standardises the colours first."""

    name: Name
    version: Version
    trunk: Mapping[str, torch.Tensor]
    channels: tuple[torch.Tensor, ...]
    source: str

    @property
    def sha256(self) -> str:
        """Hash of the version and of every parameter's name, shape and numbers."""
        named = dict(self.trunk) | {f"lin{k}": w for k, w in enumerate(self.channels)}
        return hash_of(named, f"lpips v{self.version}\n")


def trained(version: Version, path: Path | str | None = None) -> LpipsWeights:
    """LPIPS over an AlexNet from ``path``, else over the one that comes with this package. ``path``
    is a ``.pth`` or ``.safetensors`` state dict of torchvision's AlexNet (the classifier may be
    missing). Pickles are read as weights only. Raises UserError when there is no file, or it is
    broken, hostile or of another network; it never falls back to other weights."""
    path = PACKAGED if path is None else Path(path)
    trunk = _trunk(path)
    name: Name = "lpips" if hash_of(trunk) == IMAGENET_TRUNK else "lpips-unverified"
    return LpipsWeights(name, version, trunk, package_channels(version), path.name)


def hash_of(tensors: Mapping[str, torch.Tensor], about: str = "") -> str:
    """sha256 (hex) of ``about`` and of the tensors' names, shapes and float32 numbers: equal for
    every file that holds them."""
    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def package_channels(version: Version) -> tuple[torch.Tensor, ...]:
    """The five layers' channel weights (C,) fitted to human judgement, from the lpips package."""
    import lpips  # it imports torchvision, which takes a second

    file = Path(lpips.__file__).parent / "weights" / f"v{version}" / "alex.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    return tuple(state[f"lin{k}.model.1.weight"].flatten() for k in range(len(TRUNK_SHAPES)))


def _trunk(path: Path) -> dict[str, torch.Tensor]:
    """The convolutions in ``path`` in float32, once their names and shapes are AlexNet's."""
    content = read_bytes(path, LARGEST_FILE, _REMEDY)
    state = parse_state(path, content, LARGEST_FILE, _REMEDY)
    state = {str(n): t for n, t in state.items() if not str(n).startswith("classifier.")}
    wanted: dict[str, torch.Tensor] = {}
    for name, shape in TRUNK_SHAPES.items():
        wanted[f"{name}.weight"] = torch.empty(shape, device="meta")
        wanted[f"{name}.bias"] = torch.empty(shape[:1], device="meta")
    check_state(path, state, wanted, "AlexNet", _REMEDY)
    return {name: state[name].detach().float().contiguous() for name in wanted}
