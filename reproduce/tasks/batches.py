"""Load training batches, whose pictures are a function of (seed, step), ahead of time.

Epochs are counted over the global batch, and each has its own permutation. No generator carries
state from step to step, so a run that is resumed at step n, or split over several processes, sees
the same pictures as an uninterrupted run in one process.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.devices import cores
from models.errors import UserError
from models.randomness import generator
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource

KEPT = 2**30  # bytes of scaled pictures kept in memory, for both domains together

Batch = tuple[torch.Tensor, torch.Tensor]


@lru_cache(maxsize=8)
def _order(seed: int, role: str, epoch: int, length: int) -> torch.Tensor:
    return torch.randperm(length, generator=generator(seed, role, epoch))


class Batches:
    """An endless iterator over training batches from two domains.

    Yields ``(x_a, x_b)``, each uint8 (``batch_size / world_size``, 3, H, W), for ``from_bytes``; in
    pinned memory if ``device`` is a GPU. ``batch_size`` is that of the whole step; process ``rank``
    of ``world_size`` gets its contiguous slice. With ``paired`` the two sources are aligned: they
    share order, crop and flip. ``step`` is the next step.

    ``prefetch`` batches (default: two per thread) are prepared ahead, by threads, or by ``workers``
    processes if any. Up to ``kept`` bytes of scaled pictures are cached, so small data sets are
    decoded once. An error is raised at the step it belongs to. ``close()``, or leaving the ``with``
    block, ends the threads and processes.
    """

    def __init__(
        self,
        source_a: PictureSource,
        source_b: PictureSource,
        preparation: Preparation,
        batch_size: int,
        seed: int,
        *,
        paired: bool = False,
        start_step: int = 0,
        rank: int = 0,
        world_size: int = 1,
        prefetch: int | None = None,
        workers: int = 0,
        device: str = "cpu",
        kept: int = KEPT,
    ) -> None:
        if batch_size < 1 or batch_size % world_size:
            raise UserError(
                f"batch size {batch_size} cannot be shared by {world_size} processes; "
                f"use a multiple of {world_size}"
            )
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} is not among {world_size} processes")
        self.pinned = device.startswith("cuda")
        self.device, self.threads = device, min(8, max(2, cores())) if self.pinned else 2
        prefetch = 2 * self.threads if prefetch is None else prefetch
        if prefetch < 1 or workers < 0 or start_step < 0:
            raise ValueError("prefetch must be at least 1, workers and start_step at least 0")
        if paired and source_a.ids != source_b.ids:
            raise UserError(
                "paired training needs aligned pictures with the same names in both domains; "
                "use the task's training pairs"
            )
        self.source_a = source_a
        self.source_b = source_b
        self.preparation = preparation
        self.batch_size = batch_size
        self.seed = seed
        self.paired = paired
        self.step = start_step
        share = batch_size // world_size
        self._share = range(rank * share, (rank + 1) * share)
        self.prefetch = prefetch
        self.workers = workers
        self._kept: dict[tuple[int, int], torch.Tensor] = {}
        self._room = kept // max(1, workers)
        self._ahead: _Threads | _Processes | None = None

    def batch(self, step: int) -> Batch:
        """Return this process's part of the batch of ``step``; repeated calls give the same."""
        role_b = "a" if self.paired else "b"
        return self._half(self.source_a, "a", step), self._half(self.source_b, role_b, step)

    def indices(self, step: int, domain: str) -> list[int]:
        """Return the indices of ``domain``'s ("a" or "b") pictures in this process at ``step``."""
        source = self.source_a if domain == "a" else self.source_b
        return self._indices(len(source), "a" if self.paired else domain, step)

    def names(self, step: int) -> dict[str, list[str]]:
        """Return the ids of each domain's pictures at ``step``, over all processes."""
        whole = range(self.batch_size)
        roles = {"a": (self.source_a, "a"), "b": (self.source_b, "a" if self.paired else "b")}
        return {
            domain: [source.ids[i] for i in self._indices(len(source), role, step, whole)]
            for domain, (source, role) in roles.items()
        }

    def _indices(
        self, length: int, role: str, step: int, positions: range | None = None
    ) -> list[int]:
        found = []
        for position in positions or self._share:
            epoch, place = divmod(step * self.batch_size + position, length)
            found.append(int(_order(self.seed, f"order_{role}", epoch, length)[place]))
        return found

    def _half(self, source: PictureSource, role: str, step: int) -> torch.Tensor:
        pictures = []
        indices = self._indices(len(source), role, step)
        for position, index in zip(self._share, indices, strict=True):
            draws = generator(self.seed, f"prepare_{role}", step, position)
            pictures.append(self.preparation.cut(self._scaled(source, index), draws))
        return torch.stack(pictures)

    def _scaled(self, source: PictureSource, index: int) -> torch.Tensor:
        name = id(source), index
        if (pixels := self._kept.get(name)) is None:
            pixels = self.preparation.scaled(source.read(index))
            if self._room >= pixels.numel():
                self._room -= pixels.numel()
                self._kept[name] = pixels
        return pixels

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Batch:
        if self._ahead is None:
            self._ahead = _Processes(self) if self.workers else _Threads(self)
        try:
            batch = self._ahead.next()
        except BaseException:
            self.close()
            raise
        self.step += 1
        return batch

    def close(self) -> None:
        """End the threads or processes; iteration can continue from ``step``."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Threads:
    """Prepares the next batches in threads of this process."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._steps = itertools.count(batches.step)
        # By default a thread uses the first GPU, and pinning memory would initialise it.
        begin = (torch.cuda.set_device, (batches.device,)) if batches.pinned else (None, ())
        self._pool = ThreadPoolExecutor(batches.threads, "batches", *begin)
        self._coming: deque[Future[Batch]] = deque()
        for _ in range(batches.prefetch):
            self._order_one()

    def _order_one(self) -> None:
        self._coming.append(self._pool.submit(self._batch, next(self._steps)))

    def _batch(self, step: int) -> Batch:
        x_a, x_b = self._batches.batch(step)
        return (x_a.pin_memory(), x_b.pin_memory()) if self._batches.pinned else (x_a, x_b)

    def next(self) -> Batch:
        batch = self._coming.popleft().result()
        self._order_one()
        return batch

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Processes:
    """Prepares the next batches in a DataLoader's worker processes."""

    def __init__(self, batches: Batches) -> None:
        loader = DataLoader(
            _Steps(batches),
            batch_size=None,
            sampler=itertools.count(batches.step),
            num_workers=batches.workers,
            prefetch_factor=-(-batches.prefetch // batches.workers),
            collate_fn=_as_is,
            pin_memory=batches.pinned,
            # Without this, the loader would advance the global generator.
            generator=torch.Generator(),
        )
        self._coming: Iterator[Batch | Exception] | None = iter(loader)

    def next(self) -> Batch:
        assert self._coming is not None
        batch = next(self._coming)
        if isinstance(batch, Exception):
            raise batch
        return batch

    def close(self) -> None:
        self._coming = None  # Deleting the iterator ends the workers.


class _Steps(Dataset[Batch | Exception]):
    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> Batch | Exception:
        try:
            return self._batches.batch(step)
        except Exception as error:
            # Returned, not raised: the loader would wrap it in the worker's traceback.
            return error


def _as_is(batch: Any) -> Any:
    return batch


def test_batches(
    source: PictureSource, preparation: Preparation, batch_size: int
) -> Iterator[tuple[list[str], torch.Tensor]]:
    """Yield every picture of ``source`` once, in order and without randomness.

    Yields ids and float32 (n, 3, H, W) in [-1, 1]; n is ``batch_size``, or less in the last batch.
    """
    fixed = preparation.at_test()
    for start in range(0, len(source), batch_size):
        chosen = range(start, min(start + batch_size, len(source)))
        yield [source.ids[i] for i in chosen], torch.stack([fixed(source.read(i)) for i in chosen])
