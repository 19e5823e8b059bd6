"""One training shared by several processes, which ``torchrun`` starts.

Each process takes its share of every batch, and all of them make the same update: the weights are
those that one process would have made of the whole batch, up to the order of additions. Pictures
and noise stay counted over the whole batch, so how many processes there are is no part of a run,
and a checkpoint of any number of them is gone on with by any other.

``World`` is what the processes say to one another; the arithmetic is in ``shared_trainer``.
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

# What is said goes by gloo, between processors: it waits for no GPU, and who has died is noticed at
# once. The others wait while the first downloads or draws pictures.
PATIENCE = timedelta(days=1)
# Pictures, losses and gradients of GPUs go by NCCL, which does not notice: it gives up.
GPU_PATIENCE = timedelta(minutes=10)
EXPECTED = (UserError, OSError, MemoryError, torch.OutOfMemoryError)


class EndedElsewhere(UserError):
    """An end that another process tells of."""


@dataclass(frozen=True)
class World:
    """The processes of a training: this one's number, how many there are, what it computes on.

    Every method is to be called by all of them in the same order. ``EndedElsewhere`` if one of
    them is gone.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    gpus: Any = None  # the group by which GPUs talk

    def sum_(self, x: Tensor) -> Tensor:
        """``x`` with the sum over all processes in its place: the same bits in each of them."""
        if self.size > 1:
            with _noticing_the_dead():
                dist.all_reduce(x, group=self.gpus if x.is_cuda else None)
        return x

    def parts(self, x: Tensor) -> list[Tensor]:
        """``x`` of every process, which all have one shape."""
        if self.size == 1:
            return [x]
        found = [
            torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(self.size)
        ]
        with _noticing_the_dead():
            dist.all_gather(found, x.contiguous(), group=self.gpus if x.is_cuda else None)
        return found

    def any(self, *flags: bool) -> list[bool]:
        """For each of ``flags``, whether it is true in one of them."""
        if self.size == 1:
            return list(flags)
        return [n > 0 for n in self.sum_(torch.tensor(flags, dtype=torch.int64)).tolist()]

    def texts(self, text: str) -> list[str]:
        """``text`` of every process."""
        if self.size == 1:
            return [text]
        raw = torch.tensor(list(text.encode()), dtype=torch.uint8)
        length = max(int(n) for n in self.parts(torch.tensor([len(raw)])))
        padded = torch.zeros(length, dtype=torch.uint8)
        padded[: len(raw)] = raw
        return [bytes(p.tolist()).rstrip(b"\0").decode() for p in self.parts(padded)]

    def agreed(self, action: Callable[[], T]) -> T:
        """``action()`` in every process; where it fails in one of them, it fails in all.

        The first process raises its own error, or one that quotes another's; the others are quiet.
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
        """``agreed``, but the first process goes first: it makes the files that others then read."""
        if self.size == 1:
            return action()
        first = self.agreed(action if self.rank == 0 else lambda: None)
        return self.agreed((lambda: first) if self.rank == 0 else action)  # type: ignore[return-value]

    def by_first(self, action: Callable[[], None]) -> None:
        """``action()`` in the first process alone; its failure is everybody's."""
        self.agreed(action if self.rank == 0 else lambda: None)

    def same(self, text: str, what: str) -> None:
        """Refuse to go on where ``what`` is not the same for all."""
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
    """All processes of this training, once they have found one another; ``device``: this one's."""
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
            # Nobody else knows. The usual streams are the first process's (``only_first_speaks``).
            text = " ".join(str(error).split()) or type(error).__name__
            print(f"error: process {number} of {size}: {text}", file=sys.__stderr__)
        raise
    finally:
        dist.destroy_process_group()


def local_device(device: str) -> str:
    """``device`` for this process: of several GPUs, its own."""
    if world_size() == 1 or not device.startswith("cuda"):
        if device.startswith("cuda:"):  # else what names no GPU opens the first one too
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
