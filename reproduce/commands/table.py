"""``python -m reproduce table``: make a table of the MUNIT paper."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from models.errors import UserError
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "table", run, help="train and measure what is missing; print the table",
        epilog="examples:\n  python -m reproduce table 1 --preset cpu\n  python -m reproduce table "
        "2 --preset cpu --task cifar-animals-vehicles\n  python -m reproduce table 1 --preset cpu "
        "--stored\n  python -m reproduce table 1 --preset cpu --row 'Mine=out/mine'\n"
        "  python -m reproduce table 1 --preset quick --task path/to/folder",
    )  # fmt: skip
    sub.add_argument("number", type=int, help="table of the MUNIT paper: 1 or 2")
    options.add(sub, "seed", default=None)
    options.add(sub, "seeds", help="instead of --seed: several trainings, to print their means "
        "(default: 0; with --stored all seeds with records)")  # fmt: skip
    options.add_making(sub, stored="print the table")
    options.add(sub, *options.MEASURING)
    sub.add_argument("--row", action="append", default=[], metavar="NAME=OUTPUTS", dest="rows",
        help="add a row for your own method: measure OUTPUTS, its translations of the pictures that the "
        "command inputs writes, like the other rows, also with --stored; repeatable")  # fmt: skip
    sub.add_argument("--readme", type=Path,
        help="also write the table between its markers in this file")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from reproduce.analysis.table import fill_readme, place_in_readme
    from reproduce.experiments.preset import TABLES

    number, asked = arguments.number, _seeds(arguments)
    if number not in TABLES:
        raise UserError(f"no table {number} here: use {' or '.join(map(str, TABLES))}")
    if arguments.human and number != 1:
        raise UserError("--human fills the Quality of table 1: leave it out")
    rows: dict[str, str] = {}
    if arguments.rows:  # the metrics take seconds to import
        from reproduce.measuring.submission import measure_row, open_row, parse_rows

        rows = parse_rows(arguments.rows)
    request = options.request_of(arguments, asked, f"table/{number}", rows=rows)
    preset, places, seeds = request.scale, request.places, list(request.seeds)
    # Refuse settings without effect and outputs that do not fit before spending hours.
    runs = preset.table_runs(number, seeds[0], request.overrides, request.sources)
    by_task = {task: [r for r in runs if r.task == task] for task in preset.tables[number]}
    if arguments.readme is not None:
        place_in_readme(arguments.readme, f"table{number}-{preset.name}")
    for label, path in rows.items():
        for of_task in by_task.values():
            open_row(preset, of_task[0], number, label, Path(path))
    write = not arguments.stored
    if arguments.stored:
        from reproduce.measuring.people import take_in

        for task, path in request.human.items():
            write = bool(take_in(preset, task, Path(path), seeds[0], places)) or write
        for label, path in rows.items():
            for of in by_task.values():
                found = measure_row(preset, of, places, number, label, Path(path))
                write = bool(found) or write
                told = number == 2 or preset.measure.scores == "none"
                if found and not told and not any(key.startswith("quality") for key in found):
                    print(f"note: no Quality of {label} on {of[0].task}: it is preference over MUNIT, "
                        "which was not measured here; leave --stored out to train MUNIT",
                        file=sys.stderr)  # fmt: skip
    elif options.make(arguments, request) is None:
        return 0
    from reproduce.analysis.tables import table_of
    from reproduce.records.current import Current

    if arguments.stored and asked and not rows:  # raises instead of printing only dashes
        Current.stored(places.results, preset.name, asked)
    text, _ = table_of(number, preset, places.results, seeds, write=arguments.stored and write)
    if arguments.readme is not None:
        fill_readme(arguments.readme, f"table{number}-{preset.name}", text)
    print(text)
    if write:
        print(f"Tables and figures: {places.results / preset.name}")
    return 0


def _seeds(arguments: argparse.Namespace) -> list[int] | None:
    """The seeds asked for; None for those on record."""
    seed, seeds = arguments.seed, arguments.seeds or []
    if seed is not None and seeds not in ([], [seed]):
        raise UserError(f"--seed {seed} and --seeds: give only one of them")
    on_record = arguments.stored and not arguments.human
    return seeds or ([seed] if seed is not None else None if on_record else [0])
