"""Memory: what this process holds, and the most that it held; with a GPU as ``device``, there.

Of a GPU what PyTorch reserved counts, since what a recorded step holds is not allocated.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held(device: str = "cpu") -> int:
    """Resident bytes now."""
    if device.startswith("cuda"):
        return torch.cuda.memory_reserved(device)
    return _status("VmRSS") or peak()


def peak(device: str = "cpu") -> int:
    """The most resident bytes so far, or since ``forget_peak``.

    ``getrusage`` is second choice: its peak of a new process may be that of its parent.
    """
    if device.startswith("cuda"):
        return torch.cuda.max_memory_reserved(device)
    found = _status("VmHWM")
    if found:
        return found
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def above(base: int, device: str = "cpu") -> int:
    """How much the peak is above ``base``, of ``held``. Linux counts pages in batches, a thread at a
    time, so that a peak may read some pages below what was held."""
    return max(0, peak(device) - base)


def forget_peak(device: str = "cpu") -> None:
    """Let the peak begin anew, where the system can; else it stays that of the whole process."""
    if device.startswith("cuda"):
        torch.cuda.init()  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
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
