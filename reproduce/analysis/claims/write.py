"""The claims of a preset, judged from its records and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce.analysis.claims.causes import FILE, load_causes, with_numbers
from reproduce.analysis.claims.statements import claims as claims_of
from reproduce.analysis.claims.table import ClaimsTable
from reproduce.analysis.claims.verdicts import verdicts
from reproduce.experiments.preset import Preset
from reproduce.records.current import Current


def claims_table(preset: Preset, results: Path, seeds: Sequence[int] | None = None) -> ClaimsTable:
    """The verdicts on all claims about a preset, from its records of ``seeds`` (None: of all)."""
    stated = claims_of(preset)
    by_hand = results / preset.name / FILE
    causes = load_causes(by_hand, stated)
    evidence = Current(results, preset.name, seeds)
    causes = with_numbers(causes, evidence.mean, by_hand)
    return ClaimsTable(preset.name, verdicts(stated, evidence), evidence.metrics, causes)
