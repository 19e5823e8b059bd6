"""What a training step asks of a machine, counted from shapes alone: no number is computed.

The step runs on PyTorch's "meta" device, so a count takes about as long at 256 px as at 32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from models.choices import choose
from models.losses import Terms
from models.method import Method, MethodConfig, Phase
from models.zoo import recipe
from reproduce.training.trainer import Trainer

# Adam reads a weight, its gradient and two moments, and writes all but the gradient.
_ADAM_PASSES = 7


def count_step(
    method: str, config: MethodConfig, size: int, batch: int, ways: Iterable[str]
) -> dict[str, int]:
    """Of one step of ``method``, forward, backward and update, on pictures (batch, 3, size, size),
    computed in these ``ways`` (``models.choices``): ``flop`` of convolutions and matrix products (a
    product and a sum are two), ``bytes`` that all kernels together read and write in float32 if none
    stay in a cache, ``calls`` of kernels, and ``parameters``, the numbers in the networks."""
    tally = _Tally()
    weights = step_of_shapes(method, config, size, batch, ways, tally)
    moved = tally.bytes + _ADAM_PASSES * sum(p.nbytes for p in weights)
    numbers = sum(p.numel() for p in weights)
    return {"flop": tally.flop, "bytes": moved, "calls": tally.calls, "parameters": numbers}


def step_of_shapes(
    method: str, config: MethodConfig, size: int, batch: int, ways: Iterable[str],
    looking: TorchDispatchMode,
) -> list[Tensor]:  # fmt: skip
    """One step of tensors without values, whose kernels ``looking`` sees; returns the weights. The
    update, for which there is no such kernel, is left out."""
    with torch.device("meta"):
        network: Method = recipe(method).method(config, None)  # type: ignore[call-arg]
    choose(network, ways)
    network.fast = network.fast - {"optimiser"}
    trainer = _Shapes(network, 0, 1)
    x = torch.empty((batch, 3, size, size), device="meta")
    with looking:
        trainer.step(x, x.clone(), 0)
    return [p for phase in trainer.weights.values() for p in phase]


class _Shapes(Trainer):
    """A trainer of tensors without values: no loss can be read, nothing is updated."""

    def _finish(self, phase: Phase, terms: Terms, step: int) -> dict[str, float]:
        return {}


class _Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts kernels, the bytes of their inputs and outputs, and floating point operations by the
    rules of PyTorch's ``FlopCounterMode``, whose hooks in every module would take longer than the
    step. Views move nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flop = self.bytes = self.calls = 0

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
        rule = flop_registry.get(func.overloadpacket)
        if rule is not None:
            self.flop += rule(*args, **kwargs, out_val=out)
        return out
