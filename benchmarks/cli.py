"""Arguments of ``python -m benchmarks``, and what each command calls."""

from __future__ import annotations

import argparse
import sys

import benchmarks.study.cli as study
from benchmarks.console import Help, Parser, run_command
from benchmarks.metrics import lpips_command as lpips


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        prog="python -m benchmarks", formatter_class=Help, epilog=f"examples:\n{lpips.EXAMPLES}{study.EXAMPLES}",
        description="Measure the distance of two pictures (lpips), and translations with people (the "
        "human preference study).",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    lpips.add_lpips(commands)
    study.add_commands(commands)
    return top


def main(words: list[str] | None = None) -> int:
    """Run a command; 2 for bad input, 130 when interrupted."""
    arguments = parser().parse_args(sys.argv[1:] if words is None else words)
    return run_command(arguments.run, arguments)
