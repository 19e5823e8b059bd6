"""Scores of a stream of translations of inputs whose true factors are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.files import save_arrays
from benchmarks.metric import Measurement
from benchmarks.metrics.ground_truth import CATEGORY, PARTS, mean_over_inputs, parts_auc
from benchmarks.metrics.style_scores import (
    COLOUR_DISTANCE,
    COLOUR_ENTROPY,
    PATTERN_DISTANCE,
    PATTERN_ENTROPY,
    body_colour,
    energy_distance,
    entropy,
    shares,
    spread,
    total_variation,
)
from benchmarks.networks.classifiers import Classifier
from benchmarks.networks.colours import COLOURS, FloatArray, colour_bins
from benchmarks.networks.streams import Batches, Stream, consume

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """The truth about one input: its ``body`` (H, W), its ``borders`` between parts and the pixels
    away from any border (H, W each), and its ``category`` number. None skips a score."""

    body: NDArray[np.bool_]
    borders: tuple[Tensor, Tensor] | None = None
    category: int | None = None


@dataclass(frozen=True)
class StyleTruth:
    """Styles of real pictures: body ``colours`` (T, 3) in OKLab, and shares (C,) of ``patterns`` by
    the same classifier."""

    colours: FloatArray
    patterns: FloatArray


@dataclass(frozen=True)
class ExactTable:
    """Observations on I inputs with K samples each, inputs sorted by id. ``colours`` (I, K, 3) in
    OKLab; ``patterns`` and ``categories`` (I, K), the most probable classes; ``parts`` (I, K), the
    parts AUC, nan for an input that cannot be judged; ``kept`` (I, K), if the category is true."""

    ids: tuple[str, ...]
    colours: FloatArray
    patterns: Ints
    categories: Ints
    parts: FloatArray
    kept: NDArray[np.bool_]
    n_patterns: int

    def style_truth(self) -> StyleTruth:
        """Return the styles of these pictures, to serve as the truth."""
        pooled = shares(self.patterns.reshape(1, -1), self.n_patterns)[0]
        return StyleTruth(self.colours.reshape(-1, 3), pooled)

    def content(self, seed: int, protocol: Mapping[str, object]) -> list[Measurement]:
        """Return the scores of content preservation: parts and category."""
        judged = ~np.isnan(self.parts).all(axis=1)
        found = []
        if judged.sum() >= 2:
            per_input = self.parts[judged].mean(axis=1).tolist()
            found.append(mean_over_inputs(PARTS, per_input, seed, protocol))
        kept = self.kept.mean(axis=1).tolist()
        return [*found, mean_over_inputs(CATEGORY, kept, seed, protocol)]

    def styles(
        self, truth: StyleTruth, seed: int, protocol: Mapping[str, object]
    ) -> list[Measurement]:
        """Return the scores of style coverage per input: colours and patterns."""
        true_spread = spread(truth.colours)
        distances = [energy_distance(row, truth.colours, true_spread) for row in self.colours]
        colours = shares(colour_bins(self.colours), len(COLOURS))
        patterns = shares(self.patterns, self.n_patterns)
        values = {
            COLOUR_DISTANCE: distances,
            COLOUR_ENTROPY: entropy(colours).tolist(),
            PATTERN_DISTANCE: total_variation(patterns, truth.patterns).tolist(),
            PATTERN_ENTROPY: entropy(patterns).tolist(),
        }
        return [mean_over_inputs(m, v, seed, protocol) for m, v in values.items()]

    def save(self, path: Path, protocol: Mapping[str, Any]) -> None:
        """Write all raw values to an ``.npz`` file, atomically."""
        arrays = {
            "colours": self.colours.astype(np.float16),
            "patterns": self.patterns.astype(np.int8),
            "categories": self.categories.astype(np.int8),
            "parts": self.parts.astype(np.float16),
            "kept": self.kept,
        }
        save_arrays(path, protocol, arrays, self.ids)


def halved(values: NDArray[Any]) -> FloatArray:
    """Round to half precision, as raw values are saved, so that scores follow from the file."""
    return values.astype(np.float16).astype(np.float64)


class Examination(Batches[ExactTable]):
    """Examines streamed translations of inputs with ``known`` truth."""

    def __init__(
        self, known: Mapping[str, Known], classifier: Classifier, batch_size: int = 64
    ) -> None:
        super().__init__(batch_size)
        self._known, self._classifier = known, classifier
        self._colours: list[FloatArray] = []
        self._parts: list[float] = []
        self._classes: dict[str, list[int]] = {"pattern": [], "category": []}

    def update(self, input_id: str, sample: int, picture: Tensor) -> None:
        super().update(input_id, sample, picture)
        truth = self._known[input_id]
        area = None if truth.borders is None else parts_auc(picture, truth.borders)
        self._colours.append(body_colour(picture, truth.body))
        self._parts.append(np.nan if area is None else area)

    def _measure(self, pictures: Tensor) -> None:
        _, probabilities = self._classifier(pictures)
        for head, classes in self._classes.items():
            classes += probabilities[head].argmax(axis=1).tolist()

    def _result(self, size: tuple[int, int]) -> ExactTable:
        ids, rows = self._all_alike()
        categories = np.array(self._classes["category"])[rows]
        known = [self._known[name].category for name in ids]
        true = np.array([-1 if category is None else category for category in known])
        return ExactTable(
            ids=ids,
            colours=halved(np.array(self._colours)[rows]),
            patterns=np.array(self._classes["pattern"])[rows],
            categories=categories,
            parts=halved(np.array(self._parts)[rows]),
            kept=categories == true[:, None],
            n_patterns=len(self._classifier.heads["pattern"]),
        )


def examine(
    stream: Stream, known: Mapping[str, Known], classifier: Classifier, batch_size: int = 64
) -> ExactTable:
    """Return the ``Examination`` of a whole ``stream``."""
    return consume(Examination(known, classifier, batch_size), stream)
