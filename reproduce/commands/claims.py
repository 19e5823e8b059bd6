"""``python -m reproduce claims``: test the papers' claims."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import file_or_dash
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "claims", run, help="test the papers' claims against stored records",
        description="Print for each claim its number, its confidence interval over trainings and "
        "inputs, corrected for the number of claims, and whether it holds, fails or is undecided. "
        "Known causes come from causes.yaml beside the records.",
        epilog="examples:\n  python -m reproduce claims --preset cpu\n"
        "  python -m reproduce claims --preset cpu --seeds 0 --csv -",
    )  # fmt: skip
    options.add(sub, "seeds", help="training seeds to include (default: all with records)")
    sub.add_argument("--make", action="store_true",
        help="first train and measure whatever the claims need that is missing or stale")  # fmt: skip
    options.add_making(sub)
    options.add(sub, *options.MEASURING)
    sub.add_argument("--readme", type=Path,
        help="also write the table between this file's markers claims-PRESET, or a summary between its "
        "markers glance-PRESET")  # fmt: skip
    sub.add_argument("--csv", type=file_or_dash, default=False, metavar="FILE",
        help="also write CSV, nine digits per number; - prints it instead of the table")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from benchmarks.files import write_text
    from reproduce.analysis.claims.table import claims_table, glance
    from reproduce.analysis.table import fill_readme, place_in_readme

    seeds = arguments.seeds
    request = options.request_of(arguments, seeds if seeds or arguments.make else [0], "claims")
    readme, mark = arguments.readme, f"claims-{request.scale.name}"
    if readme is not None:
        short = f"glance-{request.scale.name}"
        if readme.is_file() and f"<!-- {short} -->" in readme.read_text(encoding="utf-8"):
            mark = short
        place_in_readme(readme, mark)
    if arguments.make:
        if options.make(arguments, request) is None:
            return 0
        seeds = request.seeds
    preset = request.scale
    folder = arguments.results / preset.name
    tables = claims_table(preset, arguments.results, seeds)
    if readme is not None:
        whole = mark.startswith("claims")
        text = tables.markdown() if whole else glance(preset, arguments.results, seeds)
        fill_readme(readme, mark, text)
    tables.write(folder, "claims")
    if arguments.csv is None:
        print(tables.csv(), end="")
        return 0
    if arguments.csv:
        write_text(arguments.csv, tables.csv())
    print(tables.markdown(), end="")
    print(f"\nTables: {folder}")
    return 0
