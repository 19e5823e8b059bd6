"""Available devices, and the CPU cores that this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from models.errors import UserError

OUTSIDE_DIGESTS = "the device does not define a result"


def check_device(name: str, *, measures: bool = False) -> str:
    """Return ``name`` if the device exists and has float64 (if ``measures``); else UserError."""
    known = "cpu or cuda" if measures else "cpu, cuda or mps"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device '{name}': use {known}") from None
    if measures and measuring_device(name) != name:
        raise UserError(f"'{name}' has no float64, which metrics need: use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"'{name}' is not available, PyTorch sees {torch.cuda.device_count() or 'no'} GPU"
            f"{_why_none()}: use --device cpu, or another number"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("'mps' is not available, PyTorch sees no Apple GPU: use --device cpu")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"device '{name}' is not supported: use {known}")
    return name


def measuring_device(name: str) -> str:
    """Return the device for metrics beside ``name``: the CPU for Apple GPUs, which lack float64."""
    return "cpu" if name.startswith("mps") else name


def _why_none() -> str:
    """Return why PyTorch cannot use any GPU, e.g. an outdated driver; empty if unknown."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return f" ({str(error).split('. ')[0].splitlines()[0]})" if str(error) else ""
    return ""


def cores(control: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the number of CPU cores assigned to this process: in a cluster job or container, fewer
    than the machine has. ``control``: root of Linux's cgroup files (v1 or v2)."""
    known = hasattr(os, "sched_getaffinity")
    counts = [len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1, *_quotas(control)]
    with suppress(ValueError):
        counts.append(int(os.environ.get("SLURM_CPUS_PER_TASK", "")))
    return max(1, min(counts))


def _quotas(control: Path) -> Iterator[int]:
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # "max" or -1 means no quota
            quota, period = " ".join((control / name).read_text() for name in names).split()
            if int(quota) > 0:
                yield int(quota) // int(period)
