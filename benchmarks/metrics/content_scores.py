"""Content confusion of a stream of pictures, which are read and forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.files import save_arrays
from benchmarks.metric import Measurement, all_alike
from benchmarks.metrics.content_confusion import FloatArray, confusion, content_confusion
from benchmarks.metrics.mode_scores import protocol_name
from models.errors import UserError


class ReadsContent(Protocol):
    """What the scores ask of a reader of a domain's content."""

    @property
    def name(self) -> str: ...

    @property
    def used(self) -> Sequence[str]:
        """The factors that it reads."""
        ...

    @property
    def r2(self) -> Mapping[str, float]:
        """Of each factor, on pictures that no training saw."""
        ...

    @property
    def sha256(self) -> str: ...

    def read(self, pictures: Tensor) -> FloatArray:
        """Pictures (B, 3, H, W) in [-1, 1] to standardised factors (B, F)."""
        ...


@dataclass(frozen=True)
class ContentTable:
    """Contents read off translations (inputs, samples, F), the inputs' true ones (inputs, F), and
    what follows from them. Inputs are in the order of ``input_ids`` (sorted)."""

    predictions: FloatArray
    truth: FloatArray
    input_ids: tuple[str, ...]
    protocol: dict[str, Any]

    def measurement(self, seed: int) -> Measurement:
        """Content confusion; ``seed`` is the bootstrap's. UserError for fewer than two inputs."""
        return content_confusion(self.predictions, self.truth, seed, self.protocol)

    @cached_property
    def by_factor(self) -> dict[str, float]:
        """The confusion that one factor alone would give, by factor: which content is lost."""
        return {
            factor: float(confusion(self.predictions[..., [k]], self.truth[:, [k]]).mean())
            for k, factor in enumerate(self.protocol["factors"])
        }

    def save(self, path: Path) -> None:
        """Write everything as ``.npz``: whole or not at all."""
        arrays: dict[str, NDArray[Any]] = {
            "predictions": self.predictions.astype(np.float16),
            "truth": self.truth,
            "input_ids": np.array(self.input_ids, dtype=np.str_),
        }
        save_arrays(path, self.protocol, arrays)


class ContentScores:
    """Collects what a reader reads off a stream of translations.

    ``truth``: by input id, the factors (F,) that ``reader`` uses, standardised as it does. Neither
    the order of the pictures nor ``batch_size``, the most pictures that are held, matters but to
    the reader's last bits. ``about`` goes into the protocol.
    """

    def __init__(
        self,
        reader: ReadsContent,
        truth: Mapping[str, FloatArray],
        about: Mapping[str, Any] | None = None,
        batch_size: int = 64,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch size must be at least 1, got {batch_size}")
        self._reader, self._truth, self._about = reader, dict(truth), dict(about or {})
        self._batch_size = batch_size
        self._row_of: dict[tuple[str, int], int] = {}
        self._waiting: list[Tensor] = []
        self._found = bytearray()  # of float16, as kept; grows in place

    def update(self, name: str, sample: int, picture: Tensor) -> None:
        """Take translation number ``sample`` (3, H, W), in [-1, 1], of the input ``name``.

        UserError for one that came before and for an input whose content is not known.
        """
        where = f"sample {sample} of input {name!r}"
        if (name, sample) in self._row_of:
            raise UserError(f"{where} came twice: pass it once")
        if name not in self._truth:
            raise UserError(f"{where}: its true content is not known: measure other inputs")
        if self._waiting and picture.shape != self._waiting[0].shape:
            raise UserError(f"{where} is of another size than others: resize all to one size")
        self._row_of[name, sample] = len(self._row_of)
        self._waiting.append(picture.detach().clone())  # a stream may use its buffer again
        if len(self._waiting) == self._batch_size:
            self._read()

    def finish(self) -> ContentTable:
        """All that was read. UserError unless each input has the samples 0 to S - 1."""
        if self._waiting:
            self._read()
        ids, samples = all_alike(self._row_of)
        rows = np.array([[self._row_of[name, k] for k in range(samples)] for name in ids])
        used = list(self._reader.used)
        facts = {
            "protocol": protocol_name(len(ids), samples),
            "K": samples,
            "reader": self._reader.name,
            "sha256": self._reader.sha256,
            "factors": used,
            "r2": {factor: self._reader.r2[factor] for factor in used},
        }
        table = np.frombuffer(self._found, np.float16).astype(np.float64).reshape(-1, len(used))
        truth = np.stack([self._truth[name] for name in ids])
        return ContentTable(table[rows], truth, tuple(ids), facts | self._about)

    def _read(self) -> None:
        found = self._reader.read(torch.stack(self._waiting))
        expected = len(self._waiting), len(self._reader.used)
        if found.shape != expected:
            raise UserError(
                f"reader {self._reader.name} gives {found.shape} for {expected[0]} pictures of "
                f"{expected[1]} factors: it must give one row a picture"
            )
        self._found += np.asarray(found, dtype=np.float16).tobytes()
        self._waiting.clear()
