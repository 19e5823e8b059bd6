"""What ``python -m reproduce claims`` does."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.files import write_text
from reproduce.analysis.claims.table import comma_separated, markdown, write_table
from reproduce.analysis.claims.write import claims_table
from reproduce.analysis.table_text import fill_readme
from reproduce.experiments.preset import load_preset


def claims(arguments: argparse.Namespace) -> int:
    """Put the papers' claims to the test of the stored records; write and print the table."""
    preset = load_preset(arguments.preset)
    folder = arguments.results / preset.name
    table = claims_table(preset, arguments.results, arguments.seeds)
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
