"""``python -m benchmarks``: the numbers of anyone's translations, and the human preference study."""

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
        description="Measure translations by any method under the MUNIT paper's protocols, or ask "
        "people about them.",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    measure.add_commands(commands)
    study.add_commands(commands)
    return top


def main(words: list[str] | None = None) -> int:
    """Run a command; 2 for bad input, 130 when interrupted."""
    arguments = parser().parse_args(sys.argv[1:] if words is None else words)
    again = "nothing is kept: run the same command to start again"
    return run_command(arguments.run, arguments, again)


if __name__ == "__main__":
    sys.exit(main())
