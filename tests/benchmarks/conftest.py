"""What tests of the program ``benchmarks`` share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.__main__ import main


@pytest.fixture
def refused(refused_by: Callable[..., str]) -> Callable[..., str]:
    """A function: run a command that must be refused, and get its one line."""
    return lambda *words: refused_by(main, words)
