"""How many trainings run side by side."""

from __future__ import annotations

import os


def default_jobs(jobs: int, device: str) -> int:
    """How many trainings side by side."""
    if jobs:
        return jobs
    return 1 if device != "cpu" else min(4, os.cpu_count() or 1)
