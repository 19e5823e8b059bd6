"""The claims of a preset, judged from its records and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce.claims.causes import FILE, load_causes
from reproduce.claims.evidence import Evidence
from reproduce.claims.statements import claims as claims_of
from reproduce.claims.statistics import Draws
from reproduce.claims.table import ClaimsTable
from reproduce.claims.verdicts import Court
from reproduce.experiments import Preset


def claims_table(preset: Preset, results: Path, seeds: Sequence[int] | None = None) -> ClaimsTable:
    """The verdicts on all claims about a preset, from its records of ``seeds`` (None: of all)."""
    stated = claims_of(preset)
    causes = load_causes(results / preset.name / FILE, stated)
    evidence = Evidence(results, preset.name, seeds)
    findings = Court(stated, evidence, Draws()).verdicts()
    return ClaimsTable(preset.name, findings, evidence.metrics, causes)
