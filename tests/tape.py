"""A stand-in for a GPU, and for CUDA graphs on the processor: kernels and their tensors, taken down
and repeated.

As a GPU's graph it knows addresses alone. Work that read a value of Python's, asked for a number
back, or made a tensor elsewhere would be repeated with what was there when it was recorded.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

# What makes a device wait for the host or the host for the device, which no graph can hold.
ASKS_BACK = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "lift_fresh")


class Tape(TorchDispatchMode):
    """Takes down every kernel that is called in it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        name = func.overloadpacket.__name__
        if name in ASKS_BACK:
            raise RuntimeError(f"{name} is not permitted when a stream is capturing")
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.calls.append((func, args, dict(kwargs or {}), out))
        return out

    def repeat(self) -> None:
        """Behind autograd's back, as a graph does: ``data`` does not count its changes."""
        with torch.no_grad():
            for func, args, kwargs, out in self.calls:
                args, kwargs, out = tree_map_only(Tensor, lambda x: x.data, (args, kwargs, out))
                again = func(*args, **kwargs)
                for there, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                    if isinstance(there, Tensor) and new.data_ptr() != there.data_ptr():
                        there.copy_(new)


class Gpu(str):
    """The processor, taken for a GPU: ``Gpu("cpu")``."""

    def startswith(self, prefix: str, *more: int) -> bool:  # type: ignore[override]
        return prefix == "cuda" or super().startswith(prefix, *more)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = str.__hash__


class Tapes:
    """A ``reproduce.training.graphed.Recorder``."""

    def __init__(self) -> None:
        self.repeated = 0

    def beside(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def free(self) -> None: ...

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        tape = Tape()
        with tape:
            work()

        def again() -> None:
            self.repeated += 1
            tape.repeat()

        return again


class Unable(Tapes):
    """A recorder that cannot record."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        work()
        raise RuntimeError("operation not permitted when stream is capturing\nand more")
