"""Memory of this process: what it holds, and the most that it held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held() -> int:
    """Resident bytes now."""
    return _status("VmRSS") or peak()


def peak() -> int:
    """The most resident bytes so far, or since ``forget_peak``.

    ``getrusage`` is second choice: its peak of a new process may be that of its parent.
    """
    found = _status("VmHWM")
    if found:
        return found
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def above(base: int) -> int:
    """How much the peak is above ``base``, of ``held``. Linux counts pages in batches, a thread at a
    time, so that a peak may read some pages below what was held."""
    return max(0, peak() - base)


def forget_peak() -> None:
    """Let the peak begin anew, where the system can; else it stays that of the whole process."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def _status(field: str) -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    kib = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(kib[0]) * 1024 if kib else 0
