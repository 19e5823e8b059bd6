import os
from pathlib import Path

import pytest

from benchmarks.devices import cores


def test_cores_are_those_that_a_job_was_given(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 64, 65}, raising=False)
    assert cores(tmp_path) == 3


def test_a_quota_counts_where_it_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert cores(tmp_path) == 16
    for told, count in (("max 100000", 16), ("250000 100000", 2), ("50000 100000", 1)):
        (tmp_path / "cpu.max").write_text(f"{told}\n")
        assert cores(tmp_path) == count
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    for quota, count in ((-1, 16), (400000, 4)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        assert cores(tmp_path) == count
    for told, count in (("3", 3), ("8", 4), ("", 4)):
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", told)
        assert cores(tmp_path) == count
