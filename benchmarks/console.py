"""Manners of a command line: examples in --help, and one line and exit code 2 for mistakes."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, TypeVar

from models.errors import UserError

T = TypeVar("T")


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Examples as they stand, and every default."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.default not in (None, False, [], 0) and "default" not in (action.help or "")
        return super()._get_help_string(action) if shown else action.help


class _Once(argparse.Action):
    """Keeps an option's value, and refuses another one."""

    _of: argparse.Namespace | None = None  # of which arguments it was given already

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
        option_string: str | None = None,
    ) -> None:  # fmt: skip
        if self._of is namespace and getattr(namespace, self.dest) != values:
            raise argparse.ArgumentError(self, "is given twice, with different values")
        self._of = namespace if option_string else None
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """One line and exit code 2 for wrong arguments, for empty ones, those that are no UTF-8 and options
    that are given twice; those of ``type=Path`` are read by ``path_of``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("type", None, _text)
        self.register("type", Path, type_of(path_of))
        for name in (None, "store"):
            self.register("action", name, _Once)

    def add_subparsers(self, **options: Any) -> Any:  # type: ignore[override]
        commands = super().add_subparsers(**options)
        commands.type = str  # the command's own parser reads its words
        return commands

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        for word in sys.argv[1:] if args is None else args:
            try:
                in_utf8(word)
            except UserError as error:
                self.error(str(error))
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def path_of(word: str) -> Path:
    """The path that a user wrote, ``~`` being a home; UserError for none."""
    if not word.strip():
        raise UserError("an empty path: name a file or folder (. is the one you are in)")
    try:
        return Path(word).expanduser()
    except RuntimeError:
        raise UserError(f"{word}: there is no such user: write the whole path") from None


def in_utf8(name: str) -> None:
    """UserError for a name that results, which are in UTF-8, cannot tell."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{name!a} is no name in UTF-8: rename it") from None


def type_of(read: Callable[[str], T]) -> Callable[[str], T]:
    """``read`` as the type of an argument, whose name stands before what its UserError says."""

    def typed(word: str) -> T:
        try:
            return read(word)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _text(word: str) -> str:
    if not word.strip():
        raise argparse.ArgumentTypeError("an empty value: name one, or leave the option out")
    return word


def file_or_dash(word: str) -> Path | None:
    """The type of an argument that names a file to write; None for ``-``, which prints instead."""
    return None if word == "-" else type_of(path_of)(word)


def sha256(word: str) -> str:
    """The type of an argument that is a SHA-256 or how it begins, in lower case."""
    if not re.fullmatch("[0-9a-fA-F]{8,64}", word):
        raise argparse.ArgumentTypeError(f"{word} is no SHA-256: give 8 to 64 hexadecimal digits")
    return word.lower()


def at_least(smallest: int, largest: float = math.inf) -> Callable[[str], int]:
    """The type of an argument that is a whole number from ``smallest`` up, ``largest`` at most."""

    def read(word: str) -> int:
        number = int(word)
        if number < smallest:
            raise argparse.ArgumentTypeError(f"{number} is too small, use at least {smallest}")
        if number > largest:
            raise argparse.ArgumentTypeError(f"{number} is too large, use at most {largest}")
        return number

    read.__name__ = "int"  # argparse names it where ``word`` is no number
    return read


def share(word: str) -> float:
    """The type of an argument that is a number from 0 to 1."""
    number = float(word)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{word} is not between 0 and 1")
    return number


def run_command(
    command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace,
    interrupted: str = "run the same command to go on",
) -> int:  # fmt: skip
    """Run ``command``; 2 for what a user can mend, 130 when ``interrupted``, with that advice."""
    try:
        return command(arguments)
    except UserError as error:
        return refuse(str(error))
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has left; what Python still wants to flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return refuse(NO_MEMORY)
    except OSError as error:
        return refuse(f"{error}: check the path, the space and the permissions")
    except RuntimeError as error:  # torch's, on the CPU and on the GPU
        if "allocate memory" in str(error) or "out of memory" in str(error):
            return refuse(NO_MEMORY)
        raise


NO_MEMORY = "not enough memory: use a smaller batch, size or dim (--set batch=1)"


def refuse(message: str) -> int:
    """Say ``message`` on one line; the exit code of wrong input."""
    print(f"error: {' '.join(message.splitlines())}", file=sys.stderr)
    return 2


def in_words(seconds: float | None) -> str:
    """``50 s``, ``12 min``, ``3.5 h``, or that nothing is known."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def aligned(lines: Sequence[Sequence[str]], left: Container[int]) -> list[list[str]]:
    """Cells padded to the widths of their columns; those ``left`` are flush left, others right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        [
            c.ljust(w) if i in left else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
