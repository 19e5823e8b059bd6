"""``python -m reproduce store``: store the weights behind the tables, for regression tests."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "store", run,
        help="store the weights behind the tables, for pytest tests/regression",
        description="Copy the weights behind the newest records of a preset's tables, and the networks "
        "of the metrics, to RESULTS/PRESET/weights: only what translating needs (no discriminators, no "
        "optimiser state), in float16, at most 40 MB in all. pytest tests/regression measures the "
        "tables again from them. With --small-run: make the reference runs with which these tests "
        "compare a new training.",
        epilog="examples:\n"
        "  python -m reproduce store --preset cpu --seeds 0 --only drawn-shoes drawn-housecats-dogs/munit\n"
        "  python -m reproduce store --small-run --seeds 0 1 2 3 4 5 6 7 8 9",
    )  # fmt: skip
    options.add(sub, "preset")
    options.add(sub, "seeds", default=[0], help="seeds of the runs (default: 0)")
    sub.add_argument("--only", nargs="+", default=[], metavar="TASK[/METHOD]",
        help="only these runs of the tables, if all are too large")  # fmt: skip
    sub.add_argument("--small-run", action="store_true",
        help="train and measure the small run with each seed, into RESULTS/regression")  # fmt: skip
    options.add(sub, *options.PLACES, "no-progress")


def run(arguments: argparse.Namespace) -> int:
    from models.errors import UserError
    from reproduce.experiments.places import Places
    from reproduce.experiments.preset import load_preset
    from reproduce.measuring.small_run import PRESET, record_small_runs
    from reproduce.measuring.storing import store_weights

    folders = arguments.data, arguments.runs, arguments.results
    places = Places(*folders, progress=not arguments.no_progress)
    if arguments.small_run and arguments.only:
        raise UserError("the small run is one task and method: leave --only out")
    if arguments.small_run:
        made = record_small_runs(arguments.seeds, places)
        print(f"{len(made)} records: {places.results / PRESET}")
        return 0
    manifest = store_weights(
        load_preset(arguments.preset), arguments.seeds, places,
        lambda words: print(f"note: {words}", file=sys.stderr), only=arguments.only,
    )  # fmt: skip
    print(f"{len(manifest.files)} files, {manifest.bytes / 1e6:.1f} MB: {manifest.folder}")
    return 0
