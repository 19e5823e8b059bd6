"""``python -m reproduce rerun``: reproduce a stored record."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "rerun", run, help="reproduce a stored record, and compare",
        description="Open or draw the record's pictures, take its weights from the runs folder or train "
        "again, measure with the record's protocol, and compare the new value with the stored one. Exit "
        "code 1 means that it lies outside the stored interval. The same machine and number of threads "
        "give a bit-identical value.",
        epilog="examples:\n  python -m reproduce rerun 77f0fda72038\n  python -m reproduce rerun "
        "77f0 --runs elsewhere/runs --data elsewhere/data",
    )  # fmt: skip
    sub.add_argument("record", help="id of the record, or its beginning (see the command results)")
    options.add(sub, *options.PLACES)
    sub.add_argument("--append", action="store_true",
        help="append the new record to the stored ones")  # fmt: skip
    options.add(sub, "source", *options.WEIGHTS, "device")
    options.add(sub, "threads", help="CPU threads (default: as in the record)")
    options.add(sub, "no-progress")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce a record. Returns 1 if the new value lies outside the stored interval."""
    from reproduce.analysis.records_text import described
    from reproduce.measuring.rerun import Rerun
    from reproduce.records.query import find, read_all
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import Interrupted, ManyUntaken

    places = options.places_of(arguments)
    record, every = find(arguments.results, arguments.record), read_all(arguments.results)
    sources = options.by_task("source", arguments.source, [record["task"]])
    for line in described(record):
        print(line)
    try:
        outcome = Rerun(record, every, places, arguments.threads, sources, arguments.append).make()
    except Interrupted as stop:
        print(f"saved after step {stop.step}; run the same command to go on", file=sys.stderr)
        return 130
    except (ManyUntaken, NonFiniteWeight) as error:
        print(f"error: {error}: the training diverged again", file=sys.stderr)
        return 1
    made = outcome.made["value"]
    print(f"again       {made!r}")
    print(f"difference  {made - record['value']:.3g}: {outcome.words}")
    return 0 if outcome.agrees else 1
