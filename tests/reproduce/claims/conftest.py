"""A world of three trainings that several files of tests share."""

import shutil
from pathlib import Path

import pytest
from claims_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What the paper says, at three seeds; not to be written to."""
    return World(tmp_path_factory.mktemp("paper")).everything()


@pytest.fixture
def copied(world: World, tmp_path: Path) -> World:
    """The same, to be written to."""
    shutil.copytree(world.results, tmp_path / "results")
    return World(tmp_path)
