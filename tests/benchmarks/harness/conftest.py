"""What tests of the commands that measure share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.__main__ import main


@pytest.fixture
def refused(refused_by: Callable[..., str]) -> Callable[..., str]:
    """A function: run a command that must be refused, maybe only as it measures, and get its line."""
    return lambda *words: refused_by(main, [*words, "--no-progress"], printed=True)
