"""``python -m reproduce convert``: checkpoints of the original releases, in and out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from models.errors import UserError
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "convert", run, help="original releases' checkpoints, in and out",
        epilog="examples:\n  python -m reproduce convert gen_01000000.pt --method munit "
        "--out munit.safetensors\n  python -m reproduce convert runs/a/last.safetensors --out "
        "gen.pt",
    )  # fmt: skip
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("--method", help="what an original's file holds: munit, unit-release, "
        "cyclegan or bicyclegan")  # fmt: skip
    sub.add_argument("--out", type=Path, required=True)
    sub.add_argument("--size", type=at_least(1), default=256,
        help="picture size it was trained at")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from reproduce.training.originals import export_original, import_original

    if arguments.checkpoint.suffix == ".safetensors":
        if arguments.method is not None:
            raise UserError(
                f"{arguments.checkpoint} tells its method itself: leave --method {arguments.method} out"
            )
        written = export_original(arguments.checkpoint, arguments.out)
    elif arguments.method is None:
        raise UserError(
            "say what the file holds: --method munit, unit-release, cyclegan, bicyclegan"
        )
    else:
        written = import_original(
            arguments.checkpoint, arguments.method, arguments.out, arguments.size
        )
    for path in written:
        print(path)
    return 0
