"""The command line of ``python -m reproduce``: what each command calls."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from benchmarks.console import run_command
from reproduce.commands.parsers import parser


def main(words: list[str] | None = None) -> int:
    """Run a command; 2 for bad input, 1 for a diverged training, 130 when interrupted."""
    words = sys.argv[1:] if words is None else words
    arguments = parser().parse_args(words)
    arguments.words = words
    return run_command(_run, arguments)


def _run(arguments: argparse.Namespace) -> int:
    # Imported late: --help and wrong arguments answer at once.
    from reproduce.commands import basic as commands

    if arguments.command == "speed":
        done: int = arguments.run(arguments)
        return done
    if arguments.command == "all":
        from reproduce.commands.all import everything

        return everything(arguments)
    if arguments.command == "step":
        from reproduce.commands.step import step

        return step(arguments)
    if arguments.command == "table":
        from reproduce.commands.table import table

        return table(arguments)
    if arguments.command == "figure":
        from reproduce.commands.figure import figure

        return figure(arguments)
    if arguments.command == "ablate":
        from reproduce.commands.ablate import ablate

        return ablate(arguments)
    if arguments.command == "report":
        from reproduce.commands.report import report

        return report(arguments)
    if arguments.command == "store":
        from reproduce.commands.store import store

        return store(arguments)
    if arguments.command == "claims":
        from reproduce.commands.claims import claims

        return claims(arguments)
    if arguments.command in ("results", "rerun"):
        from reproduce.commands import results as results_command

        return {"results": results_command.results, "rerun": results_command.rerun}[
            arguments.command
        ](arguments)
    return {
        "train": commands.train,
        "translate": commands.translate,
        "data": commands.data,
        "convert": commands.convert,
    }[arguments.command](arguments)


def resume_hint(words: Sequence[str]) -> str:
    """The command that goes on with what was begun with ``words`` and interrupted."""
    words = [w for w in words if w != "--resume"]
    return "python -m reproduce " + shlex.join([*words, "--resume"])
