"""``python -m reproduce results``: look up stored records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.console import at_least, file_or_dash
from models.errors import UserError
from reproduce.commands import options

SHOWN = ("id", "preset", "task", "method", "translation", "seed", "metric", "value", "interval",
         "unit", "N", "K", "protocol")  # fmt: skip


def add(commands: Any) -> None:
    sub = options.command(
        commands, "results", run, help="look up stored records",
        description="Print the newest records that match all options, one per line; --all includes "
        "records of earlier networks and measurements. prune deletes those permanently, packs raw "
        "values into fewer files, and stores values that records share only once.",
        epilog="examples:\n  python -m reproduce results --method munit --metric diversity\n"
        "  python -m reproduce results --preset cpu --task drawn-shoes --metric quality-observed\n"
        "  python -m reproduce results --metric fid --csv fid.csv\n  python -m reproduce results "
        "--seed 0 --columns id,method,metric,value,low,high,time --csv -\n"
        "  python -m reproduce results prune --preset cpu",
    )  # fmt: skip
    sub.add_argument("action", nargs="?", choices=["prune"], help="prune: delete the records that no "
        "table shows any more (of --preset, or of all presets) and their raw values")  # fmt: skip
    for name, what in {
        "preset": "name of a preset's folder in the results",
        "task": "name of a task", "method": "e.g. munit, or real for real pictures",
        "translation": "a2b or b2a, for measurements in both directions",
        "metric": "name of a metric, or the beginning of several names: diversity, fid, quality",
    }.items():  # fmt: skip
        sub.add_argument(f"--{name}", help=what)
    sub.add_argument("--seed", type=at_least(0), help="seed of the training")
    sub.add_argument("--all", action="store_true", help="include older records")
    sub.add_argument("--columns", metavar="A,B,...",
        help="columns to show, by their names in the CSV")  # fmt: skip
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--csv", type=file_or_dash, default=False, metavar="FILE",
        help="write CSV, nine digits per number; - prints it")  # fmt: skip
    form.add_argument("--json", action="store_true", help="print whole records, or their --columns")
    options.add(sub, "results")


def run(arguments: argparse.Namespace) -> int:
    """Print matching records as a table, CSV or JSON; if none match, suggest values that would."""
    from benchmarks.files import comma_separated, write_text
    from models.zoo import nearest
    from reproduce.analysis.records_text import table, usual
    from reproduce.records.query import COLUMNS, NAMES, flat, query
    from reproduce.records.store import record_id

    if arguments.action == "prune":
        return _prune(arguments)
    columns = [word.strip() for word in arguments.columns.split(",")] if arguments.columns else []
    for column in columns:
        if column not in COLUMNS:
            raise UserError(f"--columns: no column '{column}': {nearest(column, COLUMNS)}")
    wanted = {field: getattr(arguments, field) for field in (*NAMES, "seed")}
    found = query(arguments.results, **wanted, newest=not arguments.all)
    rows = [flat(record) for record in found]
    if arguments.json:
        whole = [dict(record) | {"id": record_id(record)} for record in found]
        chosen = [{c: row[c] for c in columns} for row in rows] if columns else whole
        print(json.dumps(chosen, indent=1, sort_keys=not columns))
    elif arguments.csv is not False:
        names = columns or COLUMNS
        text = comma_separated(names, ([row[c] for c in names] for row in rows))
        if arguments.csv is None:
            print(text, end="")
        else:
            write_text(arguments.csv, text)
            print(arguments.csv)
    else:
        print(table(rows, columns or usual(rows, (*SHOWN, "time") if arguments.all else SHOWN)))
    if not found:
        print(f"note: {_instead(arguments.results, wanted, arguments.all)}", file=sys.stderr)
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    """Delete the records that ``results`` shows only with --all."""
    from reproduce.records.current import counting
    from reproduce.records.query import presets_of
    from reproduce.records.store import Records
    from reproduce.speed.store import PRESET as SPEED

    asked = {name: getattr(arguments, name) for name in ("task", "method", "metric", "seed")}
    if given := [name for name, value in asked.items() if value is not None]:
        raise UserError(f"prune works on whole presets: leave --{given[0]} out")
    # Speed records have no newest network: they are compared by what was measured.
    known = [name for name in presets_of(arguments.results) if name != SPEED]
    for preset in [arguments.preset] if arguments.preset else known:
        if preset not in known:
            raise UserError(f"no records of preset '{preset}' in {arguments.results}")
        done = Records(arguments.results, preset).prune(counting)
        print(
            f"{preset}: deleted {done.records} records and {done.files} files "
            f"of raw values, packed {done.packed}, freed {done.freed / 1e6:.1f} MB; "
            f"{done.left} records are left"
        )
    return 0


def _instead(folder: Path, wanted: Mapping[str, object], old: bool) -> str:
    """Say why no record matches, and which values would."""
    from reproduce.records.query import fits, query, values_of

    every = query(folder, newest=not old)
    if not every:
        return f"no records in {folder} yet; make some: python -m reproduce table 1 --preset quick"
    hints = []
    for field, value in wanted.items():
        others = {k: v for k, v in wanted.items() if k != field}
        known = values_of([r for r in every if fits(r, others)], field)
        if value is not None and known:
            hints.append(f"--{field} could be {', '.join(known)}")
    if not hints:
        return "no record matches: leave out more than one option"
    return f"no record matches; keeping the other options, {'; '.join(hints)}"
