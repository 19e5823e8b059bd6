"""The stored results that these tests are about."""

import pytest
from regression_world import PRESET, RESULTS, World

from reproduce.experiments.preset import load_preset
from reproduce.measuring.stored_manifest import WEIGHTS


@pytest.fixture(scope="session")
def world() -> World:
    """Results and weights of the preset that is stored."""
    if not (RESULTS / PRESET / WEIGHTS).is_dir():
        pytest.fail("no weights are stored: python -m reproduce store --preset cpu --seeds 0")
    return World(RESULTS, load_preset(PRESET))
