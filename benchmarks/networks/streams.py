"""Measuring streams of pictures in batches: each picture is processed once and then released."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.metric import Accumulates
from benchmarks.pictures import to_bytes
from models.errors import UserError

T = TypeVar("T")
Stream = Iterable[tuple[str, int, Tensor]]  # input id, sample number, picture (3, H, W) in [-1, 1]


def consume(metric: Accumulates[T], stream: Stream) -> T:
    """Return the result of ``metric`` for a whole ``stream``."""
    for item in stream:
        metric.update(*item)
    return metric.finish()


class Batches(ABC, Generic[T]):
    """Base class of metrics of translations in any order, of which at most ``batch_size`` are held.
    Pictures are rounded to 8 bits, as in PNG files. ``batch_size`` affects only the last bits."""

    def __init__(self, batch_size: int = 64) -> None:
        self._batch_size = batch_size
        self._row_of: dict[tuple[str, int], int] = {}  # among the pictures given to ``_measure``
        self._waiting: list[Tensor] = []
        self._size: tuple[int, int] | None = None

    def update(self, input_id: str, sample: int, picture: Tensor) -> None:
        """Add a picture (3, H, W) in [-1, 1]; UserError for a repeated sample, another size or
        range."""
        where = f"sample {sample} of input {input_id!r}"
        if (input_id, sample) in self._row_of:
            raise UserError(f"{where} came twice: pass it once")
        try:
            pixels = to_bytes(picture[None])[0].cpu().contiguous()
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        size = pixels.shape[1], pixels.shape[2]
        self._size = self._size or size
        if size != self._size:
            raise UserError(
                f"{where} is {size[0]}x{size[1]}, others are {self._size[0]}x{self._size[1]}: "
                "resize all pictures to one size"
            )
        self._row_of[input_id, sample] = self._row(pixels)
        if len(self._waiting) == self._batch_size:
            self._work()

    def finish(self) -> T:
        """Return the result for all pictures; raises UserError if there was none."""
        if self._waiting:
            self._work()
        if self._size is None:
            raise UserError("no pictures to measure: pass at least one")
        return self._result(self._size)

    def _row(self, pixels: Tensor) -> int:
        self._waiting.append(pixels)
        return len(self._row_of)

    def _work(self) -> None:
        self._measure(torch.stack(self._waiting))
        self._waiting.clear()

    @abstractmethod
    def _measure(self, pictures: Tensor) -> None:
        """Store one row of results for each of the uint8 pictures (N, 3, H, W)."""

    @abstractmethod
    def _result(self, size: tuple[int, int]) -> T: ...

    def _all_alike(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Return the sorted inputs and the rows (I, S) of their samples. Raises UserError unless
        each input has samples 0 to S - 1."""
        seen = self._row_of
        ids = sorted({name for name, _ in seen})
        samples = len(seen) // len(ids)
        if set(seen) != {(name, k) for name in ids for k in range(samples)}:
            raise UserError(
                f"{len(seen)} translations are not samples 0 to S - 1 of each of {len(ids)} inputs: "
                "translate all alike"
            )
        return tuple(ids), np.array([[seen[name, k] for k in range(samples)] for name in ids])
