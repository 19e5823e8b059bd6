"""The numbers inside LPIPS: an AlexNet trunk and one weight a channel.

The trunk is trained on ImageNet by others and comes with this package
(``networks/alexnet_features.safetensors``, whose origin and licence ``networks/NOTICE.md`` gives),
or from a file the user names. There is also a trunk drawn from a seed. It is no stand-in: what it measures carries another name, ``lpips-untrained``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from benchmarks.weight_files import cached, parse_state, read_bytes
from models.errors import UserError

Version = Literal["0.0", "0.1"]
Name = Literal["lpips", "lpips-unverified", "lpips-untrained"]

PACKAGED = Path(__file__).parent / "networks" / "alexnet_features.safetensors"
# sha256 of the numbers of torchvision's ImageNet trunk (``trunk_sha256``), whatever file holds them.
IMAGENET_TRUNK = "195266a4c8e96483085621ac3389a6c24f1dd0963c9ac0e001705d24ece83273"
ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
# sha256 prefixes that torchvision gives in the names of its two releases of the same weights.
ALEXNET_SHA256_PREFIXES = ("7be5be79", "4df8aa71")
LARGEST_FILE = 2**30  # bytes; torchvision's file has 244 million

# (out, in, height, width) of the convolutions of torchvision's AlexNet.
TRUNK_SHAPES: dict[str, tuple[int, int, int, int]] = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
}
_REMEDY = (
    "pass torchvision's alexnet-owt-7be5be79.pth (--lpips-weights PATH), or measure with the "
    "untrained trunk (--lpips untrained)"
)


@dataclass(frozen=True)
class LpipsWeights:
    """Parameters of one LPIPS network.

    ``name`` says what its distances may be called: "lpips" for torchvision's ImageNet weights,
    recognised by the file's sha256; "lpips-unverified" for any other AlexNet file;
    "lpips-untrained" for a trunk drawn from a seed. ``version`` is LPIPS's own: "0.0" feeds the
    trunk with [-1, 1] as it is, "0.1" standardises the colours first. ``trunk`` holds
    torchvision's ``features.*`` tensors, ``channels`` the five layers' weights, (C,) each, >= 0.
    """

    name: Name
    version: Version
    trunk: Mapping[str, torch.Tensor]
    channels: tuple[torch.Tensor, ...]
    source: str

    @property
    def sha256(self) -> str:
        """Hash of every parameter's name, shape and bytes: of the numbers, not of a file."""
        digest = hashlib.sha256(f"lpips v{self.version}".encode())
        named = dict(self.trunk) | {f"lin{k}": w for k, w in enumerate(self.channels)}
        for name, tensor in sorted(named.items()):
            digest.update(f"\n{name} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.contiguous().numpy().astype("<f4").tobytes())
        return digest.hexdigest()


def trained(
    version: Version,
    path: Path | str | None = None,
    sha256: str | None = None,
    allow_download: bool = False,
) -> LpipsWeights:
    """LPIPS over an AlexNet from ``path``, else over the one that comes with this package.

    ``path`` is a ``.pth`` or ``.safetensors`` state dict of torchvision's AlexNet (the
    classifier may be missing); with ``sha256`` the file must have that hash. Pickles are read as
    weights only. Raises UserError when there is no file, or it is broken, hostile or of another
    network; it never falls back to other weights.
    """
    _check_version(version)
    path = PACKAGED if path is None else Path(path)
    content = read_bytes(path, LARGEST_FILE, _REMEDY)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and not (len(sha256) >= 8 and found.startswith(sha256.lower())):
        raise UserError(
            f"{path}: sha256 is {found}, expected {sha256}: delete the file and fetch it again, "
            "or mend the expected hash"
        )
    trunk = _trunk(path, parse_state(path, content, LARGEST_FILE, _REMEDY))
    name: Name = "lpips" if trunk_sha256(trunk) == IMAGENET_TRUNK else "lpips-unverified"
    return LpipsWeights(name, version, trunk, package_channels(version), path.name)


def trunk_sha256(trunk: Mapping[str, torch.Tensor]) -> str:
    """Hash of a trunk's names, shapes and float32 numbers: equal for every file that holds them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(trunk.items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def untrained(version: Version, seed: int = 0) -> LpipsWeights:
    """An AlexNet trunk drawn from ``seed``, every channel of every layer weighing 1/5.

    Convolutions are normal with variance 2 / fan-in (He et al. 2015) and have no bias, so that
    activations keep their scale through the layers. A layer's distance is then a mean over
    positions of 2 - 2 cos(angle between the two channel vectors), in [0, 2] as ReLU leaves no
    negative numbers, whatever the number of its channels; the whole distance is the
    mean over the five layers, in [0, 2] too. It tells equal from different pictures, but was
    never fitted to human judgement and is not comparable with LPIPS.
    """
    _check_version(version)
    trunk: dict[str, torch.Tensor] = {}
    for layer, (name, shape) in enumerate(TRUNK_SHAPES.items()):
        draw = np.random.default_rng([0xA1E8, seed & (2**64 - 1), layer]).standard_normal(shape)
        scale = (2.0 / float(np.prod(shape[1:]))) ** 0.5
        trunk[f"{name}.weight"] = torch.from_numpy(draw * scale).float()
        trunk[f"{name}.bias"] = torch.zeros(shape[0])
    share = 1.0 / len(TRUNK_SHAPES)
    channels = tuple(torch.full((shape[0],), share) for shape in TRUNK_SHAPES.values())
    return LpipsWeights("lpips-untrained", version, trunk, channels, f"seed {seed}")


def package_channels(version: Version) -> tuple[torch.Tensor, ...]:
    """The five layers' channel weights (C,) fitted to human judgement, from the lpips package."""
    import lpips  # it imports torchvision, which takes a second

    file = Path(lpips.__file__).parent / "weights" / f"v{version}" / "alex.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    return tuple(state[f"lin{k}.model.1.weight"].flatten() for k in range(len(TRUNK_SHAPES)))


def _check_version(version: str) -> None:
    if version not in get_args(Version):
        raise UserError(f"unknown LPIPS version {version!r}: use one of {get_args(Version)}")


def _trunk(path: Path, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The convolutions of ``state`` in float32, once its names and shapes are AlexNet's."""
    wanted: dict[str, tuple[int, ...]] = {}
    for name, shape in TRUNK_SHAPES.items():
        wanted |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    foreign = [str(n) for n in state if n not in wanted and not str(n).startswith("classifier.")]
    if foreign:
        raise UserError(f"{path}: {foreign[0]!r} is no part of AlexNet: {_REMEDY}")
    trunk = {}
    for name, expected in wanted.items():
        tensor = state.get(name)
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != expected:
            shape_found = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else "missing"
            raise UserError(f"{path}: {name} is {shape_found}, AlexNet has {expected}: {_REMEDY}")
        if tensor.layout != torch.strided or not tensor.is_floating_point():
            raise UserError(f"{path}: {name} holds no dense real numbers: {_REMEDY}")
        trunk[name] = tensor.detach().float().contiguous()
        if not torch.isfinite(trunk[name]).all():
            raise UserError(f"{path}: {name} holds NaN or infinity: {_REMEDY}")
    return trunk
