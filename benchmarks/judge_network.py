"""A judge: a small conditional network that says how true a translation looks, and its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from benchmarks.weight_files import read_bytes, save_tensors
from models.errors import UserError

COARSEST = 8  # pixels: pictures are halved until a side is no longer


@dataclass(frozen=True)
class JudgeConfig:
    """How judges are built and trained.

    ``judges``: how many. ``share`` of the training inputs each of them sees. ``other_inputs``:
    share of training questions that ask for the right picture against that of another input;
    ``degraded``: that ask for a picture against a more degraded copy of it.
    ``noise``: standard deviation of the noise that judges see on every picture, in [-1, 1] units.
    ``shift``: pictures move by up to this share of their height in training.
    """

    judges: int = 5
    share: float = 0.6
    other_inputs: float = 0.25
    degraded: float = 0.125
    steps: int = 400
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 1e-4
    width: int = 24
    noise: float = 0.1
    shift: float = 1 / 16

    def __post_init__(self) -> None:
        for name, least in {"judges": 1, "steps": 1, "batch": 1, "width": 1}.items():
            if getattr(self, name) < least:
                raise UserError(f"judges with {name}={getattr(self, name)}: use at least {least}")
        taught = self.other_inputs + self.degraded
        for name, value in {"share": self.share, "other_inputs + degraded": taught}.items():
            if not 0 <= value <= 1:
                raise UserError(f"judges with {name}={value}: use a share, 0 to 1")


class JudgeNetwork(nn.Module):
    """Convolutions down to about 8x8 positions, the mean over them, two linear layers.

    It sees the picture, and beside it the input where ``paired``. ``halvings`` fits its depth to
    the pictures' size; any size is taken.
    """

    def __init__(self, width: int, halvings: int, paired: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(6 if paired else 3, width, 3, 1, 1)]
        channels = width
        for _ in range(halvings):
            wider = min(2 * channels, 4 * width)
            layers += [nn.LeakyReLU(0.2), nn.Conv2d(channels, wider, 4, 2, 1)]
            channels = wider
        layers += [nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, 1, 1), nn.LeakyReLU(0.2)]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(channels, channels), nn.LeakyReLU(0.2), nn.Linear(channels, 1)
        )

    def forward(self, pictures: Tensor, inputs: Tensor | None) -> Tensor:
        """Pictures, and inputs if paired, (N, 3, H, W) in [-1, 1] -> logits (N,)."""
        seen = pictures if inputs is None else torch.cat([inputs, pictures], dim=1)
        return self.head(self.convolutions(seen).mean(dim=(2, 3)))[:, 0]


def halvings(height: int, width: int) -> int:
    """How often pictures of this size are halved."""
    side, count = min(height, width), 0
    while side > COARSEST:
        side, count = side // 2, count + 1
    return count


def draw_weights(network: JudgeNetwork, draws: torch.Generator) -> None:
    """He's initialisation from ``draws`` alone, biases zero; the last layer starts small, so that
    a new judge is undecided."""
    last = network.head[-1]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = (2 / module.weight[0].numel()) ** 0.5 * (0.1 if module is last else 1)
            nn.init.normal_(module.weight, 0.0, deviation, generator=draws)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


@dataclass(frozen=True)
class Judge:
    """A trained judge.

    ``accuracy``: how often it told the real picture from a translation, on training inputs that
    it had not seen (on all, where it saw all). ``facts``: JSON values of its training.
    """

    network: JudgeNetwork
    config: JudgeConfig
    seed: int
    halvings: int
    paired: bool
    accuracy: float
    facts: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Hash of every parameter: of numbers, not of a file."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.cpu().contiguous().numpy().astype("<f4").tobytes())
        return digest.hexdigest()

    @torch.no_grad()
    def logits(self, pictures: Tensor, inputs: Tensor | None, batch_size: int = 64) -> Tensor:
        """uint8 pictures (N, 3, H, W), and the inputs they translate, to logits (N,) on the CPU.

        The noise that a judge sees is one field for all pictures: two pictures are compared
        through the same noise, and the same picture always has the same logit.
        """
        if self.paired != (inputs is not None):
            needed = "needs the inputs" if self.paired else "was trained without inputs"
            raise UserError(f"a judge {needed}: ask it the questions that it was trained for")
        device = next(self.network.parameters()).device
        field = _field(self.seed, tuple(pictures.shape[1:])).to(device) * self.config.noise
        found = []
        for start in range(0, len(pictures), batch_size):
            rows = slice(start, start + batch_size)
            x = None if inputs is None else unit(inputs[rows].to(device))
            found.append(self.network(unit(pictures[rows].to(device)) + field, x).cpu())
        return torch.cat(found)

    def save(self, path: Path) -> None:
        """Write a ``.safetensors`` file with everything in it: whole or not at all."""
        about = {
            "config": asdict(self.config),
            "seed": self.seed,
            "halvings": self.halvings,
            "paired": self.paired,
            "accuracy": self.accuracy,
            "facts": dict(self.facts),
        }
        save_tensors(path, self.network.state_dict(), "judge", about)


def unit(pictures: Tensor) -> Tensor:
    """uint8 to float32 in [-1, 1]."""
    return pictures.float().div_(127.5).sub_(1)


def _field(seed: int, shape: tuple[int, ...]) -> Tensor:
    draws = np.random.default_rng([0xF1E1D, seed & (2**64 - 1)])
    return torch.from_numpy(draws.standard_normal(shape, dtype=np.float32))


LARGEST_FILE = 2**28  # bytes; a judge of 32x32 pictures has one million
_REMEDY = "remove the file, so that the judge is trained again"


def load_judge(path: Path, device: torch.device | str = "cpu") -> Judge:
    """What ``Judge.save`` wrote; UserError for any other file."""
    content = read_bytes(path, LARGEST_FILE, _REMEDY)
    try:
        state = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        about = json.loads(header["__metadata__"]["judge"])
        config = JudgeConfig(**about["config"])
        depth, paired = int(about["halvings"]), bool(about["paired"])
        if not 0 <= depth <= 16:
            raise ValueError(f"{depth} halvings")
        with torch.device("meta"):
            network = JudgeNetwork(config.width, depth, paired)
        network.load_state_dict(state, assign=True)
        seed, accuracy, facts = int(about["seed"]), float(about["accuracy"]), dict(about["facts"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, AttributeError,
            RuntimeError) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: no judge of this version ({reason}): {_REMEDY}") from error
    if any(v.dtype != torch.float32 or not torch.isfinite(v).all() for v in state.values()):
        raise UserError(f"{path}: weights are not finite float32 numbers: {_REMEDY}")
    return Judge(ready(network).to(device), config, seed, depth, paired, accuracy, facts)


def ready(network: JudgeNetwork) -> JudgeNetwork:
    """A network that is trained and judges."""
    return network.requires_grad_(False).eval()
