"""What the convolutions of a training step take alone: how near a step comes to them.

Each different convolution of a step, forward and backward, is timed by itself on tensors of its
shapes; together they are what a step takes that does nothing else and reads from a warm cache.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from models.zoo import make_config
from reproduce.speed.counting import step_of_shapes
from reproduce.speed.machine import DTYPES, measure_machine, timed

_FORWARD, _BACKWARD = torch.ops.aten.convolution, torch.ops.aten.convolution_backward
_TENSORS = 3  # so many arguments of both come first that are tensors, or None
Call = tuple[bool, tuple[Any, ...]]  # whether it goes backward; shapes, then settings


def time_primitives(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """Seconds and FLOP of all convolutions of a step in the ways ``about["ways"]``, each the median
    of ``about["steps"]`` calls, times how often a step calls it; and the machine's ceilings."""
    device, precision = about["device"], about["precision"]
    config = make_config(about["method"], about["settings"])
    calls = _Collected()
    step_of_shapes(about["method"], config, about["size"], about["batch"], about["ways"], calls)
    machine = measure_machine(device, precision)
    seconds, flop = 0.0, 0
    for call, count in calls.counts.items():
        work = _work(call, device, DTYPES[precision])
        timed(work, device)
        taken = statistics.median(timed(work, device)[0] for _ in range(about["steps"]))
        seconds += count * taken
        flop += count * calls.flop[call]
        tick()
    return {
        "seconds": seconds, "flop": flop, "calls": calls.counts.total(),
        "different": len(calls.counts),
        "machine": {"before": machine, "after": measure_machine(device, precision)},
    }  # fmt: skip


class _Collected(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """How often each convolution is called, and its FLOP."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[Call] = Counter()
        self.flop: dict[Call, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        out = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in (_FORWARD, _BACKWARD):
            call = packet is _BACKWARD, tuple(_plain(value) for value in args)
            self.counts[call] += 1
            self.flop[call] = flop_registry[packet](*args, out_val=out)
        return out


def _plain(value: object) -> object:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    return tuple(value) if isinstance(value, list) else value


def _work(call: Call, device: str, dtype: torch.dtype) -> Callable[[], object]:
    backward, values = call
    shapes, settings = values[:_TENSORS], values[_TENSORS:]
    tensors = [s and torch.rand(s, device=device).to(dtype) for s in shapes]
    plain = [list(value) if isinstance(value, tuple) else value for value in settings]
    return lambda: (_BACKWARD if backward else _FORWARD)(*tensors, *plain)
