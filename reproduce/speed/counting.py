"""Count the FLOP, bytes and kernels of a training step from shapes, and time its convolutions alone."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from models.choices import choose
from models.losses import Terms
from models.method import Method, MethodConfig, Phase
from models.zoo import make_config, recipe
from reproduce.speed.machine import DTYPES, measure_machine, timed
from reproduce.training.trainer import Trainer

# Adam reads a weight, its gradient and two moments, and writes all but the gradient.
_ADAM_PASSES = 7


def count_step(
    method: str, config: MethodConfig, size: int, batch: int, ways: Iterable[str]
) -> dict[str, int]:
    """Count a training step (forward, backward, update) on pictures (batch, C, size, size), with the
    optimisations ``ways`` (``models.choices``): ``flop`` of convolutions and matrix products (a
    multiply-add is two), ``bytes`` that all kernels read and write in float32 without a cache, ``calls``
    of kernels, and ``parameters`` of the networks."""
    tally, weights = _tallied(method, config, size, batch, ways)
    moved = tally.bytes + _ADAM_PASSES * sum(p.nbytes for p in weights)
    numbers = sum(p.numel() for p in weights)
    return {"flop": tally.flop, "bytes": moved, "calls": tally.calls, "parameters": numbers}


def _tallied(
    method: str, config: MethodConfig, size: int, batch: int, ways: Iterable[str]
) -> tuple[_Tally, list[Tensor]]:
    """The kernels of one step on meta tensors, and the weights. Leaves out the update, which has no
    meta kernel."""
    with torch.device("meta"):
        network: Method = recipe(method).method(config, None)  # type: ignore[call-arg]
    choose(network, ways)
    network.fast = network.fast - {"optimiser"}
    trainer = _Shapes(network, 0, 1)
    shapes = ((batch, n, size, size) for n in (config.channels_a, config.channels_b))
    x_a, x_b = (torch.empty(shape, device="meta") for shape in shapes)
    with _Tally() as tally:
        trainer.step(x_a, x_b, 0)
    return tally, [p for phase in trainer.weights.values() for p in phase]


class _Shapes(Trainer):
    """A trainer for meta tensors: reads no losses, updates nothing."""

    def _finish(self, phase: Phase, terms: Terms, step: int) -> dict[str, float]:
        return {}


_FORWARD, _BACKWARD = torch.ops.aten.convolution, torch.ops.aten.convolution_backward
_TENSORS = 3  # the first arguments of both, which are tensors or None
Call = tuple[bool, tuple[Any, ...]]  # whether it is backward; shapes, then settings


class _Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts kernels, the bytes of their inputs and outputs, FLOP, and the calls and FLOP of each
    convolution. Uses the formulas of PyTorch's ``FlopCounterMode`` but not its module hooks, which
    would take longer than the step. Views move no bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flop = self.bytes = self.calls = 0
        self.convolutions: Counter[Call] = Counter()
        self.flop_of: dict[Call, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func.is_view:
            return out
        self.calls += 1
        touched = [*tree_leaves((args, kwargs)), *tree_leaves(out)]
        self.bytes += sum(t.nbytes for t in touched if isinstance(t, Tensor))
        packet = func.overloadpacket
        flop = flop_registry[packet](*args, **kwargs, out_val=out) if packet in flop_registry else 0
        self.flop += flop
        if packet in (_FORWARD, _BACKWARD):
            call = packet is _BACKWARD, tuple(map(_plain, args))
            self.convolutions[call] += 1
            self.flop_of[call] = flop
        return out


def time_primitives(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """Seconds and FLOP of all convolutions of a step with the optimisations ``about["ways"]``, each the
    median of ``about["steps"]`` calls times its calls in a step; and the machine's peak rates."""
    device, precision = about["device"], about["precision"]
    config = make_config(about["method"], about["settings"])
    tally, _ = _tallied(about["method"], config, about["size"], about["batch"], about["ways"])
    machine = measure_machine(device, precision)
    seconds, flop = 0.0, 0
    for call, count in tally.convolutions.items():
        work = _work(call, device, DTYPES[precision])
        timed(work, device)
        taken = statistics.median(timed(work, device)[0] for _ in range(about["steps"]))
        seconds += count * taken
        flop += count * tally.flop_of[call]
        tick()
    return {
        "seconds": seconds, "flop": flop, "calls": tally.convolutions.total(),
        "different": len(tally.convolutions),
        "machine": {"before": machine, "after": measure_machine(device, precision)},
    }  # fmt: skip


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
