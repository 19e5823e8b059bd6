"""Verdicts on claims from all records of a preset, corrected for the number of claims.

A claim **holds** if its corrected interval lies within its limits, **fails** if it lies wholly
outside, and is **undecided** otherwise. A claim without records is **not measured** and does not
count as a test. A claim measured on one training is undecided, whatever its value. Both outcomes
are tested, so a claim's p-value is twice the smaller one-sided p-value, and the correction bounds
the probability of any wrong verdict, in either direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reproduce.analysis.claims.statements import Claim, Part, in_words
from reproduce.analysis.estimate import holm, interval, tails
from reproduce.records.current import Current

Verdict = Literal["holds", "fails", "undecided", "not measured"]
LEVEL = 0.05  # probability of any wrong verdict among the claims of a preset


@dataclass(frozen=True)
class Finding:
    """The verdict on a claim. For a claim with several parts, ``value`` and interval are those of
    the least favourable ``part``."""

    claim: Claim
    verdict: Verdict
    seeds: tuple[int, ...] = ()
    part: Part | None = None
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    level: float = math.nan  # of the interval, after correction
    p: float = math.nan  # two-sided
    p_corrected: float = math.nan
    note: str = ""  # what is missing


@dataclass(frozen=True)
class _Tested:
    """A part before correction: its ``values`` by seed on the part's scale, and one-sided
    p-values."""

    part: Part
    values: Sequence[float]
    holds: float
    fails: float

    @property
    def value(self) -> float:
        return self.part.back(float(np.mean(self.values)))


def verdicts(claims: Sequence[Claim], evidence: Current) -> list[Finding]:
    """One finding per claim, in the order of ``claims``."""
    court = [(claim, *_measured(claim, evidence)) for claim in claims]
    tested = [
        [
            _Tested(part, of, *tails(of, part.scaled(claim.low), part.scaled(claim.high)))
            for part, of in parts if len(seeds) > 1
        ]
        for claim, seeds, parts in court
    ]  # fmt: skip
    p = [_two_sided(parts) for parts in tested if parts]
    decided = zip(p, *holm(p, LEVEL), strict=True)
    return [
        _finding(claim, seeds, tests, *next(decided))
        if tests
        else _untested(claim, seeds, parts, evidence)
        for (claim, seeds, parts), tests in zip(court, tested, strict=True)
    ]


_Parts = Sequence[tuple[Part, Sequence[float]]]


def _measured(claim: Claim, evidence: Current) -> tuple[tuple[int, ...], _Parts]:
    """The seeds at which every part of a claim was measured, and the parts' values at these seeds."""
    known = {q: evidence.values(q) for part in claim.parts for q in part.quantities}
    seeds = sorted(set(evidence.seeds).intersection(*known.values()))
    at_seed = [{quantity: of[seed] for quantity, of in known.items()} for seed in seeds]
    return tuple(seeds), [(part, [*map(part.at, at_seed)]) for part in claim.parts]


def _finding(
    claim: Claim, seeds: tuple[int, ...], parts: Sequence[_Tested], p: float, corrected: float,
    own: float,
) -> Finding:  # fmt: skip
    worst = max(parts, key=lambda t: (t.holds, max(claim.low - t.value, t.value - claim.high)))
    # A claim fails if any part does: Bonferroni correction for the number of parts.
    more = own / 2 / len(parts)
    below, above = (own / 2, more) if math.isinf(claim.high) else (more, own / 2)
    ends = interval(worst.values, below, above)
    low, high = (worst.part.within(worst.part.back(end)) for end in ends)
    verdict: Verdict = "undecided"
    if corrected <= LEVEL:
        verdict = "holds" if worst.holds <= own / 2 else "fails"
    return Finding(claim, verdict, seeds, worst.part, worst.value, low, high, 1 - own, p, corrected)


def _untested(claim: Claim, seeds: tuple[int, ...], parts: _Parts, evidence: Current) -> Finding:
    """The finding for one training (undecided) or none (not measured)."""
    if not seeds:
        return Finding(claim, "not measured", note=_missing(claim, evidence))
    values = [(part, part.back(number)) for part, (number,) in parts]
    part, value = max(values, key=lambda v: max(claim.low - v[1], v[1] - claim.high))
    return Finding(claim, "undecided", seeds, part, value, note="one training")


def _missing(claim: Claim, evidence: Current) -> str:
    every = (quantity for part in claim.parts for quantity in part.quantities)
    lacking = [in_words(quantity) for quantity in every if not evidence.values(quantity)]
    if not lacking:
        return "no seed at which all its methods were measured"
    first, others = lacking[0], len(set(lacking)) - 1
    return f"no record of {first}" + (f", and {others} others" if others else "")


def _two_sided(parts: Sequence[_Tested]) -> float:
    """The p-value of a claim, which holds if all its parts do, and fails if any does."""
    holds = max(tested.holds for tested in parts)
    fails = len(parts) * min(tested.fails for tested in parts)
    return min(1.0, 2 * min(holds, fails))
