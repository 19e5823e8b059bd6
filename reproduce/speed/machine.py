"""Measure time, memory and this machine's peak rates, and summarise repeated measurements."""

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
    """The better peak rates of two measurements, ``before`` and ``after``: other work on the machine
    can only lower them."""
    before, after = machine["before"], machine["after"]
    return {k: (min if k == "call_s" else max)(before[k], after[k]) for k in before}


def measure_machine(device: str, precision: str) -> dict[str, float]:
    """Measure the peak rates of ``device`` (cpu: with this process's threads), the best of a few
    trials: ``flop_per_s`` of a matrix product, ``bytes_per_s`` of a copy (bytes read plus bytes
    written), ``call_s``, the seconds of an almost empty kernel.

    The matrix product is in ``precision``; float32 uses TF32 if convolutions may. Takes about half a
    second on two cores.
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
    """Wall-clock seconds of ``work``, including the device's, and what it returned."""
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
    """Median, quartiles (linear interpolation), minimum, maximum and number of ``values``."""
    low, middle, high = np.percentile(np.asarray(values, np.float64), [25, 50, 75])
    return {
        "median": float(middle), "q1": float(low), "q3": float(high),
        "min": float(min(values)), "max": float(max(values)), "n": len(values),
    }  # fmt: skip


def ratios(first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """The spread of ``first[i] / second[i]``. Other work slows both measurements of a pair, so their
    ratio is more stable than either."""
    return spread([a / b for a, b in zip(first, second, strict=True)])


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held(device: str = "cpu") -> int:
    """Resident bytes now; on a GPU, the bytes that PyTorch reserved, since the memory of a CUDA graph
    does not count as allocated."""
    if device.startswith("cuda"):
        return torch.cuda.memory_reserved(device)
    return _status("VmRSS") or peak()


def peak(device: str = "cpu") -> int:
    """Peak resident bytes so far, or since ``forget_peak``.

    ``getrusage`` is only the fallback: for a new process it may return its parent's peak.
    """
    if device.startswith("cuda"):
        return torch.cuda.max_memory_reserved(device)
    found = _status("VmHWM")
    if found:
        return found
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peaks(base: int, device: str = "cpu") -> dict[str, int]:
    """``peak_bytes`` and ``above_bytes``, by which it exceeds ``base`` (from ``held``).

    Linux counts pages in batches per thread, so two readings differ by a few pages, and the peak may
    read too low: it is read once, and the excess is at least 0.
    """
    found = peak(device)
    return {"peak_bytes": found, "above_bytes": max(0, found - base)}


def forget_peak(device: str = "cpu") -> None:
    """Reset the peak, where the system supports it; else it stays that of the whole process."""
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
