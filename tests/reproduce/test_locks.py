"""A folder that several processes may want to make."""

from __future__ import annotations

import pytest

from models.errors import UserError
from reproduce.tasks.locks import only_process


def test_complete_data_need_no_lock(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / ".made.lock").mkdir()  # so that there can be no lock, whoever runs this
    with only_process(tmp_path / "made"):
        pass


def test_what_is_to_be_made_needs_one(tmp_path):
    (tmp_path / ".made.lock").mkdir()
    with (
        pytest.raises(UserError, match="choose another data folder"),
        only_process(tmp_path / "made"),
    ):
        pass
