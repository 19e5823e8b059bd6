"""Validation of judges of pictures by questions with known answers.

Every comparison is asked like an ordinary question:

- real pictures against the reference: they win;
- a picture of another input against one of the right input: it loses;
- two different samples of the reference: 50 %, up to chance;
- degraded (blur, noise, misalignment, mottling) real or reference pictures against the reference: the
  stronger the degradation, the fewer questions they win.
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

SURE = 0.99  # level of the intervals, high because there are many comparisons
FLOOR = 0.01  # shares below it are not required to fall further


# Maps uint8 pictures (N, 3, H, W), a level and a seed to degraded pictures. Blur and misalignment
# are relative to the height, and blotches are an eighth of it, so levels are independent of the
# size.
Degradation = Callable[[Tensor, float, int], Tensor]


def blurred(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Apply a Gaussian blur of standard deviation ``level`` x height, repeating edges."""
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
    """Add independent normal noise of standard deviation ``level`` x 255 and clamp. For one seed, a
    higher level scales the same noise."""
    draws = np.random.default_rng([0x9015E, seed & (2**64 - 1)])
    noise = torch.from_numpy(draws.standard_normal(tuple(pictures.shape), dtype=np.float32))
    return _to_bytes(pictures.float() + level * 255 * noise)


def misaligned(pictures: Tensor, level: float, seed: int = 0) -> Tensor:
    """Shift each picture by ``level`` x height in one of eight directions, repeating edges."""
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
    """Add soft blotches of colour, an eighth of the picture wide: normal, of standard deviation
    ``level`` x 255 at their centres. One seed gives the same blotches at every level."""
    draws = np.random.default_rng([0x307713, seed & (2**64 - 1)])
    coarse = torch.from_numpy(draws.standard_normal((*pictures.shape[:2], 8, 8), dtype=np.float32))
    size = tuple(pictures.shape[2:])
    blotches = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return _to_bytes(pictures.float() + level * 255 * blotches)


def moved(pictures: Tensor, down: int, across: int) -> Tensor:
    """Shift pictures (..., H, W) by whole pixels, repeating edges."""
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
# In increasing strength.
LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.0, 1 / 64, 1 / 32, 1 / 16),
    "noise": (0.0, 0.03, 0.1, 0.3),
    "misalignment": (0.0, 1 / 32, 1 / 16, 1 / 8),
    "mottling": (0.0, 0.05, 0.1, 0.2),
}


@dataclass(frozen=True)
class Comparison:
    """One question per input: which of ``pictures`` and ``others`` (Q, 3, H, W) is better?"""

    shown: str
    pictures: Tensor
    against: str
    others: Tensor
    level: float = 0.0


@dataclass(frozen=True)
class Finding:
    """The preference of ``shown`` over ``against``; ``level`` is that of its degradation."""

    shown: str
    against: str
    level: float
    found: Preference


@dataclass(frozen=True)
class Examination:
    """The pictures of Q inputs, uint8 (Q, 3, H, W): ``real`` ones, and two different samples of the
    reference, ``first`` and ``second``; ``names`` (Q,): the inputs' names."""

    real: Tensor
    first: Tensor
    second: Tensor
    names: Sequence[str]


def comparisons(about: Examination, seed: int = 0) -> list[Comparison]:
    """Return all comparisons listed above, in order."""
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
    """Return messages on the findings that contradict the expected answers; empty for a valid
    judge. Wins, losses and 50 % are tested by the intervals. Shares under growing degradation,
    which come from the same questions, must fall themselves, down to a floor of 1 %."""
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
