"""What ``python -m reproduce claims`` does."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.files import write_text
from reproduce.analysis.claims.table import claims_table
from reproduce.analysis.table import fill_readme
from reproduce.experiments.preset import load_preset


def claims(arguments: argparse.Namespace) -> int:
    """Put the papers' claims to the test of the stored records; write and print the table."""
    preset = load_preset(arguments.preset)
    folder = arguments.results / preset.name
    table = claims_table(preset, arguments.results, arguments.seeds)
    if arguments.readme is not None:
        fill_readme(arguments.readme, f"claims-{preset.name}", table.markdown())
    table.write(folder, "claims")
    if arguments.csv == "-":
        print(table.csv(), end="")
        return 0
    if arguments.csv is not None:
        write_text(Path(arguments.csv), table.csv())
    print(table.markdown(), end="")
    print(f"\nTables: {folder}")
    return 0
