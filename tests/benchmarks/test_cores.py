from __future__ import annotations

import os

import pytest

from benchmarks.devices import cores


def test_cores_are_those_that_a_job_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 64, 65}, raising=False)
    assert cores() == 3
