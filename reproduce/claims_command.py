"""What ``python -m reproduce claims`` does."""

from __future__ import annotations

import argparse
from pathlib import Path

from reproduce.claims.causes import FILE, load_causes
from reproduce.claims.evidence import Evidence
from reproduce.claims.statements import claims as claims_of
from reproduce.claims.statistics import Draws
from reproduce.claims.table import ClaimsTable, comma_separated, markdown, write_table
from reproduce.claims.verdicts import Court
from reproduce.experiments import load_preset
from reproduce.files import write_text
from reproduce.table_text import fill_readme


def claims(arguments: argparse.Namespace) -> int:
    """Put the papers' claims to the test of the stored records; write and print the table."""
    preset = load_preset(arguments.preset)
    folder = arguments.results / preset.name
    stated = claims_of(preset)
    causes = load_causes(folder / FILE, stated)
    evidence = Evidence(arguments.results, preset.name, arguments.seeds)
    findings = Court(stated, evidence, Draws()).verdicts()
    table = ClaimsTable(preset.name, findings, evidence.metrics, causes)
    if arguments.readme is not None:
        fill_readme(arguments.readme, f"claims-{preset.name}", markdown(table))
    write_table(table, folder)
    if arguments.csv == "-":
        print(comma_separated(table), end="")
        return 0
    if arguments.csv is not None:
        write_text(Path(arguments.csv), comma_separated(table))
    print(markdown(table), end="")
    print(f"\nTables: {folder}")
    return 0
