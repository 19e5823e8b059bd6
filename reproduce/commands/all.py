"""``python -m reproduce all``: whatever of a preset is missing or stale."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "all", run,
        help="make whatever of a preset is missing or stale: tables, figures and all behind them",
        epilog="examples:\n  python -m reproduce all --preset quick\n  python -m reproduce all "
        "--preset cpu --seeds 0 1 2 --dry-run",
    )  # fmt: skip
    options.add(sub, "seeds", help="of weights, order, noise: everything is trained once with "
        "each (default: those on record for the preset, else 0)")  # fmt: skip
    options.add_making(sub)
    options.add(sub, *options.MEASURING)


def run(arguments: argparse.Namespace) -> int:
    from reproduce.workflow.run import Graph, make, up_to_date

    seeds = None if arguments.seeds is None else sorted(arguments.seeds)
    request, how = options.request_of(arguments, seeds), options.how_of(arguments)
    if seeds is None:
        told = " ".join(map(str, request.seeds))
        print(f"note: --seeds {told}, as on record (0 if none is)", file=sys.stderr)
    made = make(request, how)
    if made == 0:
        print(up_to_date(Graph(request, how)))
    elif made:
        folder = request.places.results / request.scale.name
        print(f"Made {made} jobs. Tables and figures: {folder}")
    return 0
