"""Content confusion: does a translation resemble its own input or another?

IS and CIS measure modes only: a method that ignores its input may reach the maximum of both.
Content confusion compares the content predicted from each translation, a vector of factors, with
the true contents of all inputs: 0 if content is preserved, 0.5 by chance. The reader's errors count
too; the score of real pictures shows how large they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from benchmarks.files import save_arrays
from benchmarks.intervals import FloatArray
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.ground_truth import mean_over_inputs
from benchmarks.metrics.mode_scores import protocol_name
from benchmarks.networks.content_reader import ContentReader
from benchmarks.networks.streams import Batches
from benchmarks.pictures import from_bytes
from models.errors import UserError

CONTENT_CONFUSION = Metric(
    name="content-confusion",
    unit="share",
    direction="lower",
    protocol="mean over inputs and samples of the share of the other inputs whose true content "
    "(standardised factors, Euclidean) is nearer to the content read off the translation "
    "than its own input's, ties one half; 0.5 is chance",
    limits=(0.0, 1.0),
)


def confusion(predictions: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return the confusion (N, S), in [0, 1], of every translation. ``predictions`` (N, S, F):
    factors predicted from S translations of each of N inputs; ``truth`` (N, F): the inputs' true
    factors, in the same order and units. Factors weigh the same. UserError for fewer than 2
    inputs."""
    read, true = (np.asarray(values, dtype=np.float64) for values in (predictions, truth))
    if len(true) < 2:
        raise UserError("content confusion of a single input says nothing: measure more inputs")
    shares = np.empty(read.shape[:2])
    for own, samples in enumerate(read):
        distances = np.square(samples[:, None] - true).sum(axis=2)  # (S, N)
        mine = distances[:, own : own + 1]
        # Do not count the tie of an input with itself.
        nearer = (distances < mine).sum(axis=1) + ((distances == mine).sum(axis=1) - 1) / 2
        shares[own] = nearer / (len(true) - 1)
    return shares


@dataclass(frozen=True)
class ContentTable:
    """Predicted contents of translations (inputs, samples, F), the inputs' true ones (inputs, F),
    and the resulting scores. Inputs are in the order of ``input_ids`` (sorted)."""

    predictions: FloatArray
    truth: FloatArray
    input_ids: tuple[str, ...]
    protocol: dict[str, Any]

    def measurement(self, seed: int) -> Measurement:
        """Return content confusion; ``seed``: of the bootstrap. UserError below 2 inputs."""
        by_input = confusion(self.predictions, self.truth).mean(axis=1)
        return mean_over_inputs(CONTENT_CONFUSION, by_input.tolist(), seed, self.protocol)

    @cached_property
    def by_factor(self) -> dict[str, float]:
        """The confusion by each single factor, which shows what content is lost."""
        return {
            factor: float(confusion(self.predictions[..., [k]], self.truth[:, [k]]).mean())
            for k, factor in enumerate(self.protocol["factors"])
        }

    def save(self, path: Path) -> None:
        """Write all values to an ``.npz`` file, atomically."""
        read = {"predictions": self.predictions.astype(np.float16), "truth": self.truth}
        save_arrays(path, self.protocol, read, self.input_ids)


class ContentScores(Batches[ContentTable]):
    """Reads the contents of streamed translations. ``truth``: by input id, the factors (F,) that
    ``reader`` uses, standardised by it. ``about`` is added to the protocol."""

    def __init__(
        self, reader: ContentReader, truth: Mapping[str, FloatArray],
        about: Mapping[str, Any] | None = None, batch_size: int = 64,
    ) -> None:  # fmt: skip
        super().__init__(batch_size)
        self._reader, self._truth, self._about = reader, dict(truth), dict(about or {})
        self._found = bytearray()  # of float16, as saved; grows in place

    def update(self, input_id: str, sample: int, picture: Tensor) -> None:
        if input_id not in self._truth:
            raise UserError(f"the true content of input {input_id!r} is not known: measure others")
        super().update(input_id, sample, picture)

    def _result(self, size: tuple[int, int]) -> ContentTable:
        ids, rows = self._all_alike()
        used = list(self._reader.used)
        facts = {
            "protocol": protocol_name(*rows.shape),
            "K": rows.shape[1],
            "reader": self._reader.name,
            "sha256": self._reader.sha256,
            "factors": used,
            "r2": {factor: self._reader.r2[factor] for factor in used},
        }
        table = np.frombuffer(self._found, np.float16).astype(np.float64).reshape(-1, len(used))
        truth = np.stack([self._truth[name] for name in ids])
        return ContentTable(table[rows], truth, ids, facts | self._about)

    def _measure(self, pictures: Tensor) -> None:
        found = self._reader.read(from_bytes(pictures))
        self._found += np.asarray(found, dtype=np.float16).tobytes()
