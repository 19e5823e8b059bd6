"""``python -m benchmarks``: measure translations by any method, or run the preference study."""

from __future__ import annotations

import argparse
import sys

import benchmarks.harness.commands as measure
import benchmarks.study.cli as study
from benchmarks.console import Help, Parser, run_command


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        prog="python -m benchmarks", formatter_class=Help, epilog=f"examples:\n{measure.EXAMPLES}{study.EXAMPLES}",
        description="Measure translations by any method with the MUNIT paper's protocols,\n"
        "or run a human preference study on them.",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    measure.add_commands(commands)
    study.add_commands(commands)
    return top


def main(words: list[str] | None = None) -> int:
    """Run a command and return its exit code: 2 for bad input, 130 if interrupted."""
    arguments = parser().parse_args(sys.argv[1:] if words is None else words)
    again = "nothing was saved: run the same command to start again"
    return run_command(arguments.run, arguments, again)


if __name__ == "__main__":
    sys.exit(main())
