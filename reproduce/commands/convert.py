"""``python -m reproduce convert``: import and export checkpoints of the original releases."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from models.errors import UserError
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "convert", run, help="import or export checkpoints of the original releases",
        epilog="examples:\n  python -m reproduce convert gen_01000000.pt --method munit "
        "--out munit.safetensors\n  python -m reproduce convert runs/a/last.safetensors --out "
        "gen.pt",
    )  # fmt: skip
    sub.add_argument("checkpoint", type=Path, help="file to import, or our .safetensors to export")
    sub.add_argument("--method", help="method of an original's file: munit, unit-release, "
        "cyclegan or bicyclegan")  # fmt: skip
    sub.add_argument("--out", type=Path, required=True,
        help="file to write; a folder to export cyclegan or bicyclegan")  # fmt: skip
    sub.add_argument("--size", type=at_least(1), default=256,
        help="side in pixels at which an original was trained")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from reproduce.training.originals import export_original, import_original

    path, method = arguments.checkpoint, arguments.method
    if path.suffix == ".safetensors":
        if method is not None:
            raise UserError(f"{path} names its method itself: leave --method {method} out")
        written = export_original(path, arguments.out)
    elif method is None:
        known = "munit, unit-release, cyclegan, bicyclegan"
        raise UserError(f"{path} does not name its method: add --method with one of {known}")
    else:
        written = import_original(path, method, arguments.out, arguments.size)
    for path in written:
        print(path)
    return 0
