"""Seconds and bytes: of any work, of what this machine can do at best, and how they spread."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

T = TypeVar("T")
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
_REPEATS = 5
_CALLS = 500


def best(machine: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The higher ceilings of two measurements, ``before`` and ``after``: other work can only lower
    them."""
    before, after = machine["before"], machine["after"]
    return {k: (min if k == "call_s" else max)(before[k], after[k]) for k in before}


def measure_machine(device: str, precision: str) -> dict[str, float]:
    """The ceilings of ``device`` (cpu: with this process's threads), the best of a few trials:
    ``flop_per_s`` of a matrix product, ``bytes_per_s`` of a copy (read and written bytes both count),
    ``call_s`` seconds of a kernel that has almost nothing to do.

    The matrix product is in ``precision``, float32 with TF32 where convolutions may use it. Takes
    about half a second on two cores.
    """
    gpu = device.startswith("cuda")
    side, numbers = (8192, 2**28) if gpu else (1024, 2**24)
    a, b = (torch.rand(side, side, device=device).to(DTYPES[precision]) for _ in range(2))
    product = torch.empty_like(a)
    source = torch.ones(numbers, device=device)
    target = torch.empty_like(source)
    small = torch.zeros(8, device=device)

    def calls() -> None:
        for _ in range(_CALLS):
            small.add_(1)

    rule = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if gpu and torch.backends.cudnn.allow_tf32 else rule)
    try:
        multiplied = _fastest(lambda: torch.mm(a, b, out=product), device)
    finally:
        torch.set_float32_matmul_precision(rule)
    return {
        "flop_per_s": 2 * side**3 / multiplied,
        "bytes_per_s": 2 * source.nbytes / _fastest(lambda: target.copy_(source), device),
        "call_s": _fastest(calls, device) / _CALLS,
    }


def timed(work: Callable[[], T], device: str) -> tuple[float, T]:
    """Wall-clock seconds of ``work``, until the device has done it, and what it returned."""
    _finish(device)
    begin = time.perf_counter()
    made = work()
    _finish(device)
    return time.perf_counter() - begin, made


def _fastest(work: Callable[[], object], device: str) -> float:
    work()
    return min(timed(work, device)[0] for _ in range(_REPEATS))


def _finish(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device.startswith("mps"):
        torch.mps.synchronize()


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles (linear interpolation), least and greatest of ``values``, and how many."""
    low, middle, high = np.percentile(np.asarray(values, np.float64), [25, 50, 75])
    return {
        "median": float(middle), "q1": float(low), "q3": float(high),
        "min": float(min(values)), "max": float(max(values)), "n": len(values),
    }  # fmt: skip


def ratios(first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """The spread of ``first[i] / second[i]``. Whatever else slows a machine down for a while slows
    both of a pair, so their ratio is steadier than either."""
    return spread([a / b for a, b in zip(first, second, strict=True)])


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held(device: str = "cpu") -> int:
    """Resident bytes now; of a GPU what PyTorch reserved, since what a recorded step holds is not
    allocated."""
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
