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
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from benchmarks.metrics.degrade import DEGRADATIONS, LEVELS
from benchmarks.metrics.preference import Preference

SURE = 0.99  # level of the intervals: of the many comparisons, hardly one misses by chance
FLOOR = 0.01  # a share under which losing more can no longer be seen


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
    """Questions about Q inputs: uint8 pictures (Q, 3, H, W).

    ``first`` and ``second``: two different samples of the reference; ``names`` (Q,): of the
    inputs, one row each.
    """

    real: Tensor
    first: Tensor
    second: Tensor
    names: Sequence[str]

    def swapped(self, pictures: Tensor) -> Tensor:
        """Every input given another's picture."""
        return pictures.roll(1, dims=0)


def comparisons(about: Examination, seed: int = 0) -> list[Comparison]:
    """All that are named above, in order."""
    found = [
        Comparison("real", about.real, "reference", about.second),
        Comparison("reference", about.first, "reference", about.second),
    ]
    originals = {"real": about.real, "reference": about.first}
    for name, pictures in originals.items():
        other = about.swapped(pictures)
        found.append(Comparison(f"{name} of another input", other, name, pictures))
    for name, pictures in originals.items():
        for kind, levels in LEVELS.items():
            for level in levels:
                worse = DEGRADATIONS[kind](pictures, level, seed)
                shown = f"{name} with {kind}"
                found.append(Comparison(shown, worse, "reference", about.second, level))
    return found


def failures(findings: Sequence[Finding]) -> list[str]:
    """What the findings do not bear out, in words; empty where the judges can judge.

    Wins, losses and 50% must agree with the intervals. "More loses more" is asked of the shares
    themselves, which come from the same questions, down to a floor of 1 %.
    """
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
