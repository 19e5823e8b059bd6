"""Verdicts: does a claim hold, by all records of a preset, corrected for how many claims there are?

A claim **holds** where its corrected interval lies within its limits, **fails** where it lies
wholly outside, and else is **undecided**. What lacks records is **not measured** and not counted.
Both outcomes are tested, so a claim's p-value is twice the smaller of the two one-sided ones, and the
correction bounds the probability of any wrong verdict, in either direction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.intervals import FloatArray
from reproduce.claims.evidence import Evidence
from reproduce.claims.samples import Sample
from reproduce.claims.statements import Claim, Part, Quantity, combined
from reproduce.claims.statistics import Draws, holm, interval, tails
from reproduce.over_seeds import Means

Verdict = Literal["holds", "fails", "undecided", "not measured"]
LEVEL = 0.05  # of a wrong verdict among all claims of a preset


@dataclass(frozen=True)
class Finding:
    """What the records say of a claim. Of a claim with several parts, ``value`` and interval are
    those of the part that supports it least."""

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
    items: tuple[
        int, ...
    ] = ()  # how many inputs or pictures each quantity was measured on, without doubles
    note: str = ""  # what is missing


@dataclass(frozen=True)
class _Tested:
    """A part before correction. ``holds`` and ``fails``: one-sided p-values."""

    part: Part
    value: float
    draws: FloatArray
    holds: float
    fails: float


class Court:
    """Draws of all quantities that a list of claims is about."""

    def __init__(self, claims: Sequence[Claim], evidence: Evidence, draws: Draws) -> None:
        self.claims = claims
        asked = {q: None for claim in claims for part in claim.parts for q in part.quantities}
        self.means = Means(evidence, asked, draws)
        self.samples: Mapping[Quantity, dict[int, Sample]] = {
            q: self.means.samples(q) for q in asked
        }

    def verdicts(self, level: float = LEVEL) -> list[Finding]:
        """One finding a claim, in their order."""
        tested = {claim.id: self._tested(claim) for claim in self.claims if self._seeds(claim)}
        p = {name: _two_sided(parts) for name, parts in tested.items()}
        corrected, levels = holm(list(p.values()), level)
        decided = dict(zip(p, zip(corrected, levels, strict=True), strict=True))
        return [
            self._finding(claim, tested[claim.id], p[claim.id], *decided[claim.id], level)
            if claim.id in tested
            else Finding(claim, "not measured", note=self._missing(claim))
            for claim in self.claims
        ]

    def _finding(
        self, claim: Claim, parts: Sequence[_Tested], p: float, corrected: float, own: float,
        level: float,
    ) -> Finding:  # fmt: skip
        worst = max(parts, key=lambda t: (t.holds, max(claim.low - t.value, t.value - claim.high)))
        # That any of several parts fails is tried as often as there are parts.
        more = own / 2 / len(parts)
        below, above = (own / 2, more) if math.isinf(claim.high) else (more, own / 2)
        low, high = interval(worst.draws, below, above)
        verdict: Verdict = "undecided"
        if corrected <= level:
            verdict = "holds" if worst.holds <= own / 2 else "fails"
        counts = dict.fromkeys(
            len(sample.ids)
            for quantity in worst.part.quantities
            for sample in self.samples[quantity].values()
            if sample.ids
        )
        return Finding(
            claim, verdict, self._seeds(claim), worst.part, worst.value, low, high, 1 - own,
            p, corrected, tuple(counts),
        )  # fmt: skip

    def _seeds(self, claim: Claim) -> tuple[int, ...]:
        """Seeds at which every quantity of a claim was measured."""
        return self.means.seeds(q for part in claim.parts for q in part.quantities)

    def _missing(self, claim: Claim) -> str:
        lacking = [str(q) for part in claim.parts for q in part.quantities if not self.samples[q]]
        if not lacking:
            return "no seed at which all its methods were measured"
        first, others = lacking[0], len(set(lacking)) - 1
        return f"no record of {first}" + (f", and {others} others" if others else "")

    def _tested(self, claim: Claim) -> list[_Tested]:
        seeds, found = self._seeds(claim), []
        for part in claim.parts:
            terms = [[self.means.drawn(q, seeds) for q in term] for term in part.terms]
            values, draws = (
                combined(
                    part.combine, [np.mean([drawn[i] for drawn in term], axis=0) for term in terms]
                )
                for i in (0, 1)
            )
            holds, fails = tails(draws, claim.low, claim.high)
            found.append(_Tested(part, float(values[0]), draws, holds, fails))
        return found


def _two_sided(parts: Sequence[_Tested]) -> float:
    """p-value of a claim: it holds where all its parts do, and fails where any does."""
    holds = max(tested.holds for tested in parts)
    fails = len(parts) * min(tested.fails for tested in parts)
    return min(1.0, 2 * min(holds, fails))
