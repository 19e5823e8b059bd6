"""The command line of ``python -m reproduce``: one module per command."""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks.console import Help, Parser, run_command

# Modules of this package, in the order of --help.
COMMANDS = (
    "table", "figure", "inputs", "train", "translate", "demo", "data", "convert", "all", "step",
    "ablate", "results", "rerun", "claims", "report", "store", "speed",
)  # fmt: skip
EXAMPLES = """examples:
  python -m reproduce table 1 --preset quick
  python -m reproduce table 1 --preset cpu --jobs 2
  python -m reproduce figure 4 --preset quick
  python -m reproduce train munit --task drawn-shoes --preset cpu --out runs/mine
  python -m reproduce train munit --task path/to/folder --preset cpu --set size=64 --out runs/real
  python -m reproduce translate runs/mine/last.safetensors path/to/edges --samples 19 --out out
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = Parser(
        prog="python -m reproduce", epilog=EXAMPLES, formatter_class=Help,
        description="Train UNIT, MUNIT and their baselines; reproduce the papers' tables and "
        "figures.",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        importlib.import_module(f"reproduce.commands.{command}").add(commands)
    return top


def main(words: list[str] | None = None) -> int:
    """Run a command. Returns 0, 2 for bad input, 1 for a diverged training, 130 if interrupted."""
    words = sys.argv[1:] if words is None else words
    arguments = parser().parse_args(words)
    arguments.words = words
    return run_command(arguments.run, arguments)
