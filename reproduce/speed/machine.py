"""What this machine can do at best: a large matrix product, a large copy, a call of a tiny kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

import torch

T = TypeVar("T")
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
_REPEATS = 5
_CALLS = 500


@dataclass(frozen=True)
class Machine:
    """Ceilings: ``flop_per_s`` of a matrix product, ``bytes_per_s`` of a copy (read and written
    bytes both count), ``call_s`` seconds of a kernel that has almost nothing to do."""

    flop_per_s: float
    bytes_per_s: float
    call_s: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    def best(self, other: Machine) -> Machine:
        """The higher ceilings of two measurements: other work can only lower them."""
        return Machine(
            max(self.flop_per_s, other.flop_per_s),
            max(self.bytes_per_s, other.bytes_per_s),
            min(self.call_s, other.call_s),
        )


def measure_machine(device: str, precision: str) -> Machine:
    """The ceilings of ``device`` (cpu: with this process's threads); the best of a few trials.

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
    return Machine(
        flop_per_s=2 * side**3 / multiplied,
        bytes_per_s=2 * source.nbytes / _fastest(lambda: target.copy_(source), device),
        call_s=_fastest(calls, device) / _CALLS,
    )


def timed(work: Callable[[], T], device: str) -> tuple[float, T]:
    """Wall-clock seconds of ``work``, until the device has done it, and what it returned."""
    _finish(device)
    begin = time.perf_counter()
    made = work()
    _finish(device)
    return time.perf_counter() - begin, made


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Wall-clock seconds of ``work``, until the device has done it."""
    return timed(work, device)[0]


def _fastest(work: Callable[[], object], device: str) -> float:
    work()
    return min(seconds_of(work, device) for _ in range(_REPEATS))


def _finish(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
