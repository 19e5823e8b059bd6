"""Evidence that whoever prefers pictures can judge: questions whose answer everybody knows.

Every comparison is put as an ordinary question:

- real pictures against the reference: they win;
- a picture of another input against that of the right one: it loses;
- the reference against itself, two different samples: 50 %, but for chance;
- blur, noise, misalignment and mottling of real and of the reference's pictures: the more, the fewer
  questions they win against the reference's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.metrics.preference import Preference

SURE = 0.99  # level of the intervals: of the many comparisons, hardly one misses by chance
FLOOR = 0.01  # a share under which losing more can no longer be seen


# Pictures made worse by a known amount: uint8 (N, 3, H, W), level and seed to the same. Blur and
# misalignment are in shares of the height, and blotches an eighth of it: a level means the same at
# every size.
Degradation = Callable[[Tensor, float, int], Tensor]


def blurred(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Gaussian blur of standard deviation ``level`` x height, edges repeated."""
    sigma = level * pictures.shape[2]
    if sigma == 0:
        return pictures
    reach = min(max(1, round(3 * sigma)), min(pictures.shape[2:]) - 1)
    steps = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(pictures.float(), (reach,) * 4, mode="replicate")
    rows = F.conv2d(padded, kernel, groups=3)
    return _to_bytes(F.conv2d(rows, kernel.transpose(2, 3), groups=3))


def noisy(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Independent normal noise on every value, of standard deviation ``level`` x 255, clamped. One
    seed gives one noise: at a higher level it is the same, stronger."""
    draws = np.random.default_rng([0x9015E, seed & (2**64 - 1)])
    noise = torch.from_numpy(draws.standard_normal(tuple(pictures.shape), dtype=np.float32))
    return _to_bytes(pictures.float() + level * 255 * noise)


def misaligned(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Each picture moved by ``level`` x height in one of eight directions, edges repeated."""
    reach = round(level * pictures.shape[2])
    if reach == 0:
        return pictures
    draws = np.random.default_rng([0x5817, seed & (2**64 - 1)])
    turns = draws.integers(8, size=len(pictures)) * (np.pi / 4)
    return torch.stack(
        [
            moved(picture, round(float(reach * np.sin(turn))), round(float(reach * np.cos(turn))))
            for picture, turn in zip(pictures, turns, strict=True)
        ]
    )


def mottled(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Soft blotches of colour, an eighth of the picture wide: normal, of standard deviation
    ``level`` x 255 where they are strongest. One seed gives the same blotches at every level."""
    draws = np.random.default_rng([0x307713, seed & (2**64 - 1)])
    coarse = torch.from_numpy(draws.standard_normal((*pictures.shape[:2], 8, 8), dtype=np.float32))
    size = tuple(pictures.shape[2:])
    blotches = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return _to_bytes(pictures.float() + level * 255 * blotches)


def moved(pictures: Tensor, down: int, across: int) -> Tensor:
    """Pictures (..., H, W) moved by whole pixels, edges repeated."""
    height, width = pictures.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - across).clamp(0, width - 1)
    return pictures[..., rows[:, None].to(pictures.device), columns.to(pictures.device)]


def _to_bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


DEGRADATIONS: dict[str, Degradation] = {
    "blur": blurred,
    "noise": noisy,
    "misalignment": misaligned,
    "mottling": mottled,
}
# Each worse than the one before.
LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.0, 1 / 64, 1 / 32, 1 / 16),
    "noise": (0.0, 0.03, 0.1, 0.3),
    "misalignment": (0.0, 1 / 32, 1 / 16, 1 / 8),
    "mottling": (0.0, 0.05, 0.1, 0.2),
}


@dataclass(frozen=True)
class Comparison:
    """A question about every input: which of ``pictures`` and ``others`` (Q, 3, H, W) is better?"""

    shown: str
    pictures: Tensor
    against: str
    others: Tensor
    level: float = 0.0


@dataclass(frozen=True)
class Finding:
    """How often ``shown`` was preferred to ``against``; ``level`` of its degradation."""

    shown: str
    against: str
    level: float
    found: Preference


@dataclass(frozen=True)
class Examination:
    """Questions about Q inputs: uint8 pictures (Q, 3, H, W). ``first`` and ``second``: two
    different samples of the reference; ``names`` (Q,): of the inputs, one row each."""

    real: Tensor
    first: Tensor
    second: Tensor
    names: Sequence[str]


def comparisons(about: Examination, seed: int = 0) -> list[Comparison]:
    """All that are named above, in order."""
    found = [
        Comparison("real", about.real, "reference", about.second),
        Comparison("reference", about.first, "reference", about.second),
    ]
    originals = {"real": about.real, "reference": about.first}
    for name, pictures in originals.items():
        other = pictures.roll(1, dims=0)
        found.append(Comparison(f"{name} of another input", other, name, pictures))
    for name, pictures in originals.items():
        for kind, levels in LEVELS.items():
            for level in levels:
                worse = DEGRADATIONS[kind](pictures, level, seed)
                shown = f"{name} with {kind}"
                found.append(Comparison(shown, worse, "reference", about.second, level))
    return found


def failures(findings: Sequence[Finding]) -> list[str]:
    """What the findings do not bear out, in words; empty where the judges can judge. Wins, losses
    and 50% must agree with the intervals. "More loses more" is asked of the shares themselves,
    which come from the same questions, down to a floor of 1 %."""
    wrong = []
    for finding in findings:
        share, interval = finding.found.share, finding.found.interval
        said = f"{finding.shown} against {finding.against}: {100 * share:.1f}%"
        if finding.shown == "real" and interval.low <= 0.5:
            wrong.append(f"{said}, and should win")
        if finding.shown.endswith("another input") and interval.high >= 0.5:
            wrong.append(f"{said}, and should lose")
        if finding.shown == "reference" and not interval.low <= 0.5 <= interval.high:
            wrong.append(f"{said}, and should be 50%")
    series: dict[str, list[Finding]] = {}
    for finding in findings:
        if " with " in finding.shown:
            series.setdefault(finding.shown, []).append(finding)
    for shown, members in series.items():
        shares = [member.found.share for member in sorted(members, key=lambda m: m.level)]
        steps = itertools.pairwise(shares)
        if not all(after < before or max(after, before) <= FLOOR for before, after in steps):
            listed = ", ".join(f"{100 * share:.1f}%" for share in shares)
            wrong.append(f"{shown}, more and more of it: {listed}, and should fall")
    return wrong
