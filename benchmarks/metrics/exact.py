"""Exact scores of a stream of translations: each picture is examined once, then forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.files import save_arrays
from benchmarks.metric import Measurement, all_alike, consume
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
from benchmarks.pictures import to_bytes
from models.errors import UserError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """What is true of one input: where its body is (H, W), its borders between parts and pixels
    away from any (H, W), and its category's number. ``None`` where a question is not asked."""

    body: NDArray[np.bool_]
    borders: tuple[Tensor, Tensor] | None = None
    category: int | None = None


@dataclass(frozen=True)
class StyleTruth:
    """Styles of real pictures: body colours (T, 3) in OKLab, and shares (C,) of patterns as the
    same classifier sees them."""

    colours: FloatArray
    patterns: FloatArray


@dataclass(frozen=True)
class ExactTable:
    """What was seen on I inputs with K samples each, inputs sorted by id.

    ``colours`` (I, K, 3) in OKLab; ``patterns`` and ``categories`` (I, K), the most probable
    classes; ``parts`` (I, K), nan where an input cannot be judged; ``kept`` (I, K), whether the
    category is the true one.
    """

    ids: tuple[str, ...]
    colours: FloatArray
    patterns: Ints
    categories: Ints
    parts: FloatArray
    kept: NDArray[np.bool_]
    n_patterns: int

    def style_truth(self) -> StyleTruth:
        """These pictures, taken for the truth about styles."""
        pooled = shares(self.patterns.reshape(1, -1), self.n_patterns)[0]
        return StyleTruth(self.colours.reshape(-1, 3), pooled)

    def content(self, seed: int, protocol: Mapping[str, object]) -> list[Measurement]:
        """Is the content kept? Parts and category."""
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
        """Are the styles covered, given an input? Colours and patterns."""
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
        """Write every raw value as ``.npz``: whole or not at all."""
        arrays = {
            "input_ids": np.array(self.ids, dtype=np.str_),
            "colours": self.colours.astype(np.float16),
            "patterns": self.patterns.astype(np.int8),
            "categories": self.categories.astype(np.int8),
            "parts": self.parts.astype(np.float16),
            "kept": self.kept,
        }
        save_arrays(path, protocol, arrays)


def halved(values: NDArray[Any]) -> FloatArray:
    """Rounded to half precision, in which raw values are kept: scores are of what is kept."""
    return values.astype(np.float16).astype(np.float64)


class Examination:
    """Examines translations of inputs of which something is ``known``.

    At most ``batch_size`` pictures are held. Inputs have samples 0 to K - 1, in any order.
    """

    def __init__(
        self, known: Mapping[str, Known], classifier: Classifier, batch_size: int = 64
    ) -> None:
        self._known, self._classifier, self._batch_size = known, classifier, batch_size
        self._seen: dict[tuple[str, int], tuple[FloatArray, float]] = {}
        self._classes: dict[tuple[str, int], tuple[int, int]] = {}
        self._waiting: dict[tuple[str, int], Tensor] = {}

    def update(self, name: str, sample: int, picture: Tensor) -> None:
        """Take a picture (3, H, W) in [-1, 1]; UserError for an input that nothing is known of, a
        sample that came before, and values out of range."""
        key = (name, sample)
        if key in self._seen:
            raise UserError(f"sample {sample} of input {name!r} came twice: pass it once")
        if name not in self._known:
            raise UserError(f"nothing is known of input {name!r}: draw the task again")
        self._waiting[key] = to_bytes(picture[None])[0].cpu()
        truth = self._known[name]
        area = None if truth.borders is None else parts_auc(picture, truth.borders)
        self._seen[key] = (body_colour(picture, truth.body), np.nan if area is None else area)
        if len(self._waiting) == self._batch_size:
            self._classify()

    def finish(self) -> ExactTable:
        """All that was seen; UserError for missing samples."""
        if self._waiting:
            self._classify()
        seen = self._seen
        ids, samples = all_alike(seen)

        def table(values: Mapping[tuple[str, int], tuple[Any, Any]], place: int) -> Any:
            return np.array([[values[name, k][place] for k in range(samples)] for name in ids])

        categories = table(self._classes, 1)
        known = [self._known[name].category for name in ids]
        true = np.array([-1 if category is None else category for category in known])
        return ExactTable(
            ids=tuple(ids),
            colours=halved(table(seen, 0)),
            patterns=table(self._classes, 0),
            categories=categories,
            parts=halved(table(seen, 1)),
            kept=categories == true[:, None],
            n_patterns=len(self._classifier.heads["pattern"]),
        )

    def _classify(self) -> None:
        _, probabilities = self._classifier(torch.stack(list(self._waiting.values())))
        patterns = probabilities["pattern"].argmax(axis=1).tolist()
        categories = probabilities["category"].argmax(axis=1).tolist()
        classes = zip(patterns, categories, strict=True)
        self._classes.update(zip(self._waiting, classes, strict=True))
        self._waiting.clear()


def examine(
    stream: Iterable[tuple[str, int, Tensor]], known: Mapping[str, Known], classifier: Classifier,
    batch_size: int = 64,
) -> ExactTable:  # fmt: skip
    """``Examination`` of a stream of (input id, sample number, picture (3, H, W) in [-1, 1])."""
    return consume(Examination(known, classifier, batch_size), stream)
