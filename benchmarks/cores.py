"""Processor cores that this process may use."""

from __future__ import annotations

import os

OUTSIDE_DIGESTS = "how many cores compute decides no number"


def cores() -> int:
    """Those that it was given: in a job of a cluster fewer than its machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
