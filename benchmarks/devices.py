"""Devices that exist, and processor cores that this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from models.errors import UserError

OUTSIDE_DIGESTS = "where it is computed decides no number"


def check_device(name: str, *, measures: bool = False) -> str:
    """A device that exists, and on which what ``measures`` can compute; UserError otherwise."""
    known = "cpu or cuda" if measures else "cpu, cuda or mps"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device '{name}': use {known}") from None
    if measures and measuring_device(name) != name:
        raise UserError(f"'{name}' has no float64, which measuring needs: use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"PyTorch sees {torch.cuda.device_count() or 'no'} GPU, so no '{name}'{_why_none()}: "
            "use --device cpu, or another number"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("PyTorch sees no Apple GPU, so no 'mps': use --device cpu")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"device '{name}' is not supported: use {known}")
    return name


def measuring_device(name: str) -> str:
    """Where what measures computes beside trainings on the device ``name``: Apple's GPUs have no
    float64, so on the processor."""
    return "cpu" if name.startswith("mps") else name


def _why_none() -> str:
    """What is wrong where PyTorch could not use a GPU at all: a driver that is too old, e.g."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return f" ({str(error).split('. ')[0].splitlines()[0]})" if str(error) else ""
    return ""


def cores(control: Path = Path("/sys/fs/cgroup")) -> int:
    """Those that it was given: in a job of a cluster or a container fewer than its machine has.
    ``control``: where Linux tells of quotas, in either version's files."""
    known = hasattr(os, "sched_getaffinity")
    counts = [len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1, *_quotas(control)]
    with suppress(ValueError):
        counts.append(int(os.environ.get("SLURM_CPUS_PER_TASK", "")))
    return max(1, min(counts))


def _quotas(control: Path) -> Iterator[int]:
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # "max" where there is none, or -1
            quota, period = " ".join((control / name).read_text() for name in names).split()
            if int(quota) > 0:
                yield int(quota) // int(period)
