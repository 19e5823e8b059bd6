"""``python -m reproduce rerun``: a stored record, made again."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "rerun", run, help="make a stored record again, and compare",
        description="Opens or draws the record's pictures, takes its weights from the runs folder or "
        "trains them again, measures by the record's protocol, and says how near the new value comes; "
        "exit code 1 where it lies outside the stored interval. Bits are equal on the same machine "
        "with the same number of threads.",
        epilog="examples:\n  python -m reproduce rerun 77f0fda72038\n  python -m reproduce rerun "
        "77f0 --runs elsewhere/runs --data elsewhere/data",
    )  # fmt: skip
    sub.add_argument("record", help="its id, or how it begins (python -m reproduce results)")
    options.add(sub, *options.PLACES)
    sub.add_argument("--append", action="store_true",
        help="add the new record to the stored ones, which stay")  # fmt: skip
    options.add(sub, "source", *options.WEIGHTS, "device")
    options.add(sub, "threads", help="CPU threads (default: as the record tells)")
    options.add(sub, "no-progress")


def run(arguments: argparse.Namespace) -> int:
    """Make a record again; 1 where the new value lies outside the stored interval."""
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
        print(f"saved after step {stop.step}; the same command goes on", file=sys.stderr)
        return 130
    except (ManyUntaken, NonFiniteWeight) as error:
        print(f"error: {error}: the training again diverged", file=sys.stderr)
        return 1
    made = outcome.made["value"]
    print(f"again       {made!r}")
    print(f"difference  {made - record['value']:.3g}: {outcome.words}")
    return 0 if outcome.agrees else 1
