"""Several measurements of one network by one pass over its translations, beside which they run.

Each measurement reads the stream in a thread of its own and is a queue behind at most, so that the
next pictures are translated while the last are measured, and none is translated twice or kept.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.errors import UserError
from models.method import Method
from reproduce.experiments.run import RunConfig
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, PictureSource, Subset
from reproduce.training.checkpoints import load_method
from reproduce.training.translate import Translation, stream

Found = dict[str, dict[str, Any]]  # metric -> record
AHEAD = 128  # translations that wait for a measurement at most


@dataclass(frozen=True)
class Pending:
    """A measurement that has no record yet: of the first ``inputs`` test pictures, translations 0 to
    ``samples`` - 1 of each.

    ``measure`` is given them, in a thread of its own; ``record`` what it returned, the network, and
    its share of the seconds, when all are through.
    """

    load: Callable[[], Method]
    inputs: int
    samples: int
    measure: Callable[[Iterable[Translation]], Any]
    record: Callable[[Any, Method, float], Found]


def complete(
    waiting: Sequence[Found | Pending], source: PictureSource, preparation: Preparation, seed: int
) -> list[Found]:
    """What is known of ``waiting`` as it is, and of the others what one pass over the translations of
    the test pictures ``source`` tells, by the network of the first."""
    pending = [one for one in waiting if isinstance(one, Pending)]
    if not pending:
        return [one for one in waiting if not isinstance(one, Pending)]
    begin, method = time.perf_counter(), pending[0].load()
    made = _measured(pending, _translations(pending, method, source, preparation, seed))
    seconds = round((time.perf_counter() - begin) / len(pending), 2)
    records = iter(
        [one.record(result, method, seconds) for one, result in zip(pending, made, strict=True)]
    )
    return [next(records) if isinstance(one, Pending) else one for one in waiting]


def finished_method(
    run: RunConfig, checkpoint: Path, domains: Domains, data: str, device: str
) -> Method:
    """The networks of a finished training on the pictures of ``domains``, whose fingerprint is
    ``data``; UserError otherwise."""
    method, read = load_method(checkpoint, device)
    if read.step < run.steps:
        raise UserError(f"{checkpoint} is at step {read.step} of {run.steps}: finish its training")
    if read.data != data:
        raise UserError(
            f"the pictures of {domains.folder} are not those that {checkpoint} was trained on: "
            "restore them, or train again"
        )
    return method


def _translations(
    pending: Sequence[Pending], method: Method, source: PictureSource, preparation: Preparation,
    seed: int,
) -> Iterator[tuple[int, Translation]]:  # fmt: skip
    """Every translation that some measurement asks for, once, with a number: measurements of more
    inputs than that want it."""
    first = 0
    for end in sorted({one.inputs for one in pending}):
        samples = max(one.samples for one in pending if one.inputs >= end)
        rest = Subset(source, range(first, len(source)))
        for item in stream(
            method, rest, preparation, samples=samples, inputs=end - first, seed=seed
        ):
            yield first, item
        first = end


class _Ended(Exception):
    """Nobody translates any more."""


class _Reader:
    """A measurement at work in its thread."""

    def __init__(self, pending: Pending, threads: int) -> None:
        self.pending, self._threads = pending, threads
        self.result: Any = None
        self.error: BaseException | None = None
        self._queue: queue.Queue[Translation | BaseException | None] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def give(self, item: Translation | BaseException | None) -> None:
        """The next translation; None after the last; an error where there will be no more."""
        while self._thread.is_alive():
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue

    def end(self) -> None:
        """Wait until it is through."""
        self._thread.join()

    def _work(self) -> None:
        torch.set_num_threads(self._threads)  # of this thread
        try:
            self.result = self.pending.measure(self._items())
        except BaseException as error:
            self.error = error

    def _items(self) -> Iterator[Translation]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


def _measured(
    pending: Sequence[Pending], translations: Iterable[tuple[int, Translation]]
) -> list[Any]:
    readers = [_Reader(one, torch.get_num_threads()) for one in pending]
    last: BaseException | None = _Ended()
    try:
        for number, item in translations:
            for reader in readers:
                if number < reader.pending.inputs and item[1] < reader.pending.samples:
                    reader.give(item)
            if any(reader.error for reader in readers):
                break
        else:
            last = None
    finally:
        for reader in readers:
            reader.give(last)
        for reader in readers:
            reader.end()
    for reader in readers:
        if reader.error is not None and not isinstance(reader.error, _Ended):
            raise reader.error
    return [reader.result for reader in readers]
