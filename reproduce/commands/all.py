"""``python -m reproduce all``: make everything of a preset that is missing or stale."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "all", run,
        help="make everything of a preset that is missing or stale, down to tables and figures",
        epilog="examples:\n  python -m reproduce all --preset quick\n  python -m reproduce all "
        "--preset cpu --seeds 0 1 2 --dry-run",
    )  # fmt: skip
    options.add(sub, "seeds", help="train everything once with each seed (default: the seeds on "
        "record for the preset, else 0)")  # fmt: skip
    options.add_making(sub)
    options.add(sub, *options.MEASURING)


def run(arguments: argparse.Namespace) -> int:
    from reproduce.workflow.run import up_to_date

    seeds = None if arguments.seeds is None else sorted(arguments.seeds)
    request = options.request_of(arguments, seeds)
    if seeds is None:
        told = " ".join(map(str, request.seeds))
        print(f"note: --seeds {told}, from the records (0 if there are none)", file=sys.stderr)
    made = options.make(arguments, request)
    if made == 0:
        print(up_to_date(request))
    elif made:
        folder = request.places.results / request.scale.name
        print(f"Made {made} jobs. Tables and figures: {folder}")
    return 0
