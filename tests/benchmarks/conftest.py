"""What tests of the program ``benchmarks`` share."""

from collections.abc import Callable

import pytest

from benchmarks.__main__ import main


@pytest.fixture
def refused(refused_by: Callable[..., str]) -> Callable[..., str]:
    """A function: run a command that must be refused, and get its one line. What measures may have
    said before what it understood."""

    def run(command: str, *words: object) -> str:
        measures = command != "study"
        more = ["--no-progress"] if measures else []
        return refused_by(main, [command, *words, *more], printed=measures)

    return run
