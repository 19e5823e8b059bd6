"""Records and runs that several files of tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rerun_records import Told, made_once, rerun

from reproduce.experiments.places import Places


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Trained methods with records of every kind; not to be written to."""
    return made_once(tmp_path_factory)


@pytest.fixture
def anew(made: Places, tmp_path: Path) -> Places:
    """The same runs without their records."""
    return replace(made, results=tmp_path / "results")


@pytest.fixture
def again(made: Places, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    return partial(rerun, made, capsys)
