"""``python -m reproduce inputs``: what a row of one's own has to translate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from models.errors import UserError
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "inputs", run, help="write the test inputs that outputs of your own must translate",
        description="Writes exactly the pictures that table 1 or 2 measures translations of, at the "
        "preset's size, and says how many samples of each it takes.",
        epilog="examples:\n  python -m reproduce inputs drawn-shoes --preset cpu --out in\n"
        "  (translate them with any program into out/drawn-shoes, then)\n"
        "  python -m reproduce table 1 --preset cpu --row 'Mine=out'",
    )  # fmt: skip
    sub.add_argument("task", help="a task's name, e.g. drawn-shoes")
    sub.add_argument("--out", type=Path, required=True, help="folder for the PNGs")
    options.add_preset(sub)
    options.add_settings(sub)
    options.add_places(sub, "data")
    options.add_sources(sub)
    options.add_protocol(sub)
    options.add_progress(sub)


def run(arguments: argparse.Namespace) -> int:
    from benchmarks.files import check_folder
    from models.zoo import nearest
    from reproduce.experiments.places import Places
    from reproduce.experiments.preset import TABLES, fitting
    from reproduce.experiments.run import parse_settings
    from reproduce.measuring.subject import open_pictures
    from reproduce.measuring.submission import FILE, write_inputs
    from reproduce.tasks.specs import TASKS
    from reproduce.workflow.jobs import Request

    check_folder("--data", arguments.data, written=False)
    check_folder("--out", arguments.out)
    here = Path()
    places = Places(arguments.data, here, here, progress=not arguments.no_progress)
    overrides = parse_settings(arguments.settings)
    preset = Request(
        arguments.preset, places, [0], overrides=overrides, **options.measuring_of(arguments)
    ).scale  # fmt: skip
    number = next((n for n in TABLES if arguments.task in fitting(n)), None)
    if number is None:
        raise UserError(f"{arguments.task}: {nearest(arguments.task, TASKS)}")
    sources = options.by_task("source", arguments.source, [arguments.task])
    run = preset.of_tasks([arguments.task]).table_runs(number, 0, overrides, sources)[0]
    folders = write_inputs(open_pictures(run, places), preset, number, arguments.out)
    for folder, samples in folders:
        count = sum(1 for path in folder.rglob("*.png"))
        print(f"{folder}: {count} inputs, {run.size}x{run.size}; translate each {samples} times")
    where = f"OUT/{Path(arguments.task).name}"
    print(
        f"Write {where}{'' if number == 1 else '/a2b and /b2a'} as {{input}}_{{sample}}.png, as a "
        f"folder an input, or as one .npz array (inputs, samples, {run.size}, {run.size}, 3) of "
        f"uint8 in the inputs' order, and say whose it is in OUT/{FILE}. Then:\n"
        f"  python -m reproduce table {number} --preset {preset.base} --row 'Mine=OUT'"
    )
    return 0
