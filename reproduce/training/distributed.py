"""Train with several processes, which ``torchrun`` starts.

Each process computes its share of every batch, and all make the same update. The weights equal
those of one process with the whole batch, up to the order of additions. Pictures and noise are
counted over the whole batch, so the number of processes is not part of a run, and a run may be
resumed with another number.

``World`` is the communication between the processes; the arithmetic is in ``shared``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from models.errors import UserError
from reproduce.training.processes import local_rank, rank, world_size

T = TypeVar("T")

# Messages between processes use gloo on CPUs, which waits for no GPU and notices a dead process at
# once. The timeout is long because the others wait while the first downloads or draws pictures.
PATIENCE = timedelta(days=1)
# GPU tensors (pictures, losses, gradients) use NCCL, which only notices a dead process by timeout.
GPU_PATIENCE = timedelta(minutes=10)
EXPECTED = (UserError, OSError, MemoryError, torch.OutOfMemoryError)


class EndedElsewhere(UserError):
    """Another process ended, and reports why."""


@dataclass(frozen=True)
class World:
    """The processes of a training: this one's rank, their number, and this one's device.

    All processes must call the same methods in the same order. A method raises ``EndedElsewhere``
    if another process has ended.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    gpus: Any = None  # the process group for GPU tensors

    def sum_(self, x: Tensor) -> Tensor:
        """Replace ``x`` by its sum over all processes, with the same bits in each; return it."""
        if self.size > 1:
            with _noticing_the_dead():
                dist.all_reduce(x, group=self.gpus if x.is_cuda else None)
        return x

    def parts(self, x: Tensor) -> list[Tensor]:
        """Return the ``x`` of every process; all must have the same shape."""
        if self.size == 1:
            return [x]
        found = [
            torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(self.size)
        ]
        with _noticing_the_dead():
            dist.all_gather(found, x.contiguous(), group=self.gpus if x.is_cuda else None)
        return found

    def any(self, *flags: bool) -> list[bool]:
        """Return, for each of ``flags``, whether it is true in any process."""
        if self.size == 1:
            return list(flags)
        return [n > 0 for n in self.sum_(torch.tensor(flags, dtype=torch.int64)).tolist()]

    def texts(self, text: str) -> list[str]:
        """Return the ``text`` of every process."""
        if self.size == 1:
            return [text]
        raw = torch.tensor(list(text.encode()), dtype=torch.uint8)
        length = max(int(n) for n in self.parts(torch.tensor([len(raw)])))
        padded = torch.zeros(length, dtype=torch.uint8)
        padded[: len(raw)] = raw
        return [bytes(p.tolist()).rstrip(b"\0").decode() for p in self.parts(padded)]

    def agreed(self, action: Callable[[], T]) -> T:
        """Return ``action()`` in every process; if it fails in one, it fails in all.

        The first process raises its own error or quotes another's; the others end quietly.
        """
        if self.size == 1:
            return action()
        result, trouble = None, None
        try:
            result = action()
        except Exception as error:
            trouble = error
        if not any(self.any(trouble is not None)):
            return result  # type: ignore[return-value]
        said = self.texts("" if trouble is None else str(trouble) or type(trouble).__name__)
        if trouble is not None and (self.rank == 0 or not isinstance(trouble, EXPECTED)):
            raise trouble
        if self.rank == 0:
            number = next(i for i, text in enumerate(said) if text)
            raise UserError(f"process {number} of {self.size}: {said[number]}")
        raise EndedElsewhere("another process tells why")

    def in_turn(self, action: Callable[[], T]) -> T:
        """Like ``agreed``, but the first process goes first, to write files that others read."""
        if self.size == 1:
            return action()
        first = self.agreed(action if self.rank == 0 else lambda: None)
        return self.agreed((lambda: first) if self.rank == 0 else action)  # type: ignore[return-value]

    def by_first(self, action: Callable[[], None]) -> None:
        """Run ``action()`` in the first process only; if it fails, it fails in all."""
        self.agreed(action if self.rank == 0 else lambda: None)

    def same(self, text: str, what: str) -> None:
        """Raise UserError unless all processes have the same ``text``, which describes ``what``."""
        said = self.texts(text)
        other = next((i for i, one in enumerate(said) if one != said[0]), None)
        if other is None:
            return
        if self.rank:
            raise EndedElsewhere("another process tells why")
        raise UserError(
            f"process {other} of {self.size} sees other {what} than the first ({said[other]}, not "
            f"{said[0]}): all of them need the same folders, on a shared file system"
        )


@contextlib.contextmanager
def joined(device: str) -> Iterator[World]:
    """Connect all processes of this training; ``device``: this one's."""
    number, size = rank(), world_size()
    if size == 1:
        yield World(device=device)
        return
    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
        on_gpus = device.startswith("cuda")
        gpus = dist.new_group(backend="nccl", timeout=GPU_PATIENCE) if on_gpus else None
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{size} processes could not find one another ({reason}): start them with torchrun"
        ) from None
    try:
        yield World(number, size, device, gpus)
    except EXPECTED as error:
        if number and not isinstance(error, EndedElsewhere):
            # No other process reports it, and ``only_first_speaks`` redirects the usual streams.
            text = " ".join(str(error).split()) or type(error).__name__
            print(f"error: process {number} of {size}: {text}", file=sys.__stderr__)
        raise
    finally:
        dist.destroy_process_group()


def local_device(device: str) -> str:
    """Return this process's device; with several processes, each gets its own GPU."""
    if world_size() == 1 or not device.startswith("cuda"):
        if device.startswith("cuda:"):  # otherwise a plain "cuda" would initialise the first GPU
            torch.cuda.set_device(device)
        return device
    if device != "cuda":
        raise UserError(
            f"device '{device}' is one GPU, and {world_size()} processes need one each: "
            "use --device cuda"
        )
    seen, number = torch.cuda.device_count(), local_rank()
    if number >= seen:
        raise UserError(
            f"PyTorch sees {seen or 'no'} GPU on this machine, too few for one a process: use "
            f"torchrun --nproc-per-node {seen or 1}, or --device cpu"
        )
    torch.cuda.set_device(number)
    return f"cuda:{number}"


@contextlib.contextmanager
def _noticing_the_dead() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise EndedElsewhere(
            "another process of this training has ended, killed or with a message of its own: "
            "start it again with --resume to go on from the last checkpoint"
        ) from None
