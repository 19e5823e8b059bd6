"""Where trainings run: devices that exist, and how many trainings side by side."""

from __future__ import annotations

from benchmarks.devices import cores


def default_jobs(jobs: int, device: str) -> int:
    """How many trainings side by side."""
    if jobs:
        return jobs
    return 1 if device != "cpu" else min(4, cores())
