"""Worlds of three trainings that several files of tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from claims_world import World
from seeds_world import three_trainings


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Not to be written to."""
    return three_trainings(tmp_path_factory.mktemp("seeds"))


@pytest.fixture
def copied(world: World, tmp_path: Path) -> World:
    shutil.copytree(world.results, tmp_path / "results")
    return World(tmp_path)
