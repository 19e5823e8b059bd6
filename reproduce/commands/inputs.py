"""``python -m reproduce inputs``: write the test inputs for a table row of your own."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "inputs", run, help="write a table's test inputs, to translate with your own method",
        description="Write the test inputs of table 1 or 2, at the preset's size, and print how many "
        "samples of each the table needs.",
        epilog="examples:\n  python -m reproduce inputs drawn-shoes --preset cpu --out in\n"
        "  (translate them into out/drawn-shoes with any program, then)\n"
        "  python -m reproduce table 1 --preset cpu --row 'Mine=out'",
    )  # fmt: skip
    sub.add_argument("task", type=options.task,
        help="name of a task, e.g. drawn-shoes, or a folder of your own pictures")  # fmt: skip
    sub.add_argument("--out", type=Path, required=True, help="folder for the PNGs")
    options.add(sub, "preset", "set", "data", "source", *options.PROTOCOL, "no-progress")


def run(arguments: argparse.Namespace) -> int:
    from benchmarks.files import check_folder
    from reproduce.experiments.places import Places
    from reproduce.experiments.preset import TABLES
    from reproduce.experiments.run import parse_settings
    from reproduce.measuring.subject import open_pictures
    from reproduce.measuring.submission import FILE, write_inputs
    from reproduce.workflow.jobs import Request

    check_folder("--data", arguments.data, written=False)
    check_folder("--out", arguments.out)
    here = Path()
    places = Places(arguments.data, here, here, progress=not arguments.no_progress)
    asked = options.tasks_of([arguments.task], places, [*TABLES])
    (task,), overrides = asked["tasks"], parse_settings(arguments.settings)
    request = Request(
        arguments.preset, places, [0], overrides=overrides, own=asked["own"],
        **options.measuring_of(arguments),
    )  # fmt: skip
    preset = request.scale
    if task not in preset.table_tasks:
        preset = replace(request, tasks=[task]).scale
    sources = asked["sources"] or options.by_task("source", arguments.source, [task])
    number = next(n for n, tasks in preset.tables.items() if task in tasks)
    runs = preset.table_runs(number, 0, overrides, sources)
    run = next(run for run in runs if run.task == task)
    folders = write_inputs(open_pictures(run, places), preset, number, arguments.out)
    for folder, samples in folders:
        count = sum(1 for path in folder.rglob("*.png"))
        print(f"{folder}: {count} inputs, {run.size}x{run.size}; translate each {samples} times")
    where = f"OUT/{task}"
    print(
        f"Write {where}{'' if number == 1 else '/a2b and /b2a'} as {{input}}_{{sample}}.png, as one "
        f"folder per input, or as one .npz array (inputs, samples, {run.size}, {run.size}, 3) of "
        f"uint8 in the inputs' order, and describe the method in OUT/{FILE}. Then run:\n"
        f"  python -m reproduce table {number} {shlex.join(preset.words())} --row 'Mine=OUT'"
    )
    return 0
