"""Studies that the tests share."""

from pathlib import Path

import pytest
from study_case import copied, draw_material

from benchmarks.study.folder import Study
from benchmarks.study.prepare import Plan, prepare


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return draw_material(tmp_path_factory.mktemp("material"), inputs=40)


@pytest.fixture(scope="session")
def prepared(material: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of 2 x 40 questions for 5 raters each, that nobody changes."""
    folder = tmp_path_factory.mktemp("prepared") / "study"
    prepare(material, folder)
    return folder


@pytest.fixture
def study(prepared: Path, tmp_path: Path) -> Study:
    return copied(prepared, tmp_path / "study")
