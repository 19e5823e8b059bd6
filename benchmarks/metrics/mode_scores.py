"""IS and CIS of a stream of pictures, complementary scores, and the probabilities behind them.

The probabilities (inputs, samples, K) are kept, so other statistics need no new translations.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import Tensor

from benchmarks.files import foreign, load_arrays, save_arrays
from benchmarks.intervals import FloatArray, Interval, bootstrap_mean
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.inception_score import (
    CIS,
    CONFIDENCE,
    ENTROPY,
    EXP_CIS,
    EXP_IS,
    IS,
    REACHED,
    PerInput,
    bootstrap_inception_score,
    bootstrap_of_means,
    checked,
    per_input,
)
from benchmarks.metrics.style_scores import entropy
from benchmarks.networks.streams import Batches, Stream, consume
from benchmarks.pictures import from_bytes
from models.errors import UserError

PAPER = (100, 100)  # MUNIT, section 5.2: inputs, samples per input
STEPS = 65_535  # stands for a probability of 1 in 16 bits


class ClassifiesModes(Interface):
    """Interface of classifiers of a domain's modes."""

    @property
    def name(self) -> str: ...

    @property
    def modes(self) -> tuple[str, ...]: ...

    @property
    def sha256(self) -> str: ...

    @property
    def accuracy(self) -> float | None:
        """Accuracy on held-out pictures; None if unknown."""
        ...

    def probabilities(self, pictures: Tensor) -> ArrayLike | Tensor:
        """Return probabilities (B, K), columns as ``modes``, of float32 pictures (B, 3, H, W) in
        [-1, 1]. Each row must depend on its own picture alone."""
        ...


@dataclass(frozen=True)
class ModeScores:
    """Probabilities (inputs, samples, K) and their scores. Inputs are in the order of ``input_ids``
    (sorted), modes in that of ``protocol["modes"]``. A real picture counts as an input with one
    sample. Files hold 16-bit values if the protocol has "rounded"."""

    probabilities: FloatArray
    input_ids: tuple[str, ...]
    protocol: dict[str, Any]

    @cached_property
    def sums(self) -> PerInput:
        return per_input(self.probabilities)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each mode is the most probable one of an input's translations: (inputs, K)."""
        said = self.probabilities.argmax(axis=2)
        modes = range(self.probabilities.shape[2])
        return np.stack([(said == c).sum(axis=1) for c in modes], axis=1)

    def distribution(self) -> dict[str, dict[str, float]]:
        """Return by mode ``mean``, its p(c), and ``count``, how often it is the most probable."""
        mean, counts = self.sums.mean.mean(axis=0), self.counts.sum(axis=0)
        return {
            mode: {"mean": float(mean[c]), "count": int(counts[c])}
            for c, mode in enumerate(self.protocol["modes"])
        }

    def measurements(self, seed: int) -> list[Measurement]:
        """Return all scores with 95 % intervals over inputs; ``seed`` seeds the bootstrap. Scores
        that compare samples of one input, such as CIS, are omitted for one sample per input. Raises
        UserError for fewer than two inputs."""
        sums, several = self.sums, self.probabilities.shape[1] > 1
        over = "inputs" if several else "pictures"

        def scored(metric: Metric, value: float, interval: Interval) -> Measurement:
            return Measurement(metric.name, value, interval, self.protocol)

        def and_exponential(
            metric: Metric, exponential: Metric, value: float, interval: Interval
        ) -> list[Measurement]:
            ends = replace(interval, low=math.exp(interval.low), high=math.exp(interval.high))
            return [scored(metric, value, interval), scored(exponential, math.exp(value), ends)]

        is_value, cis_value = sums.scores()
        is_interval = bootstrap_inception_score(sums, seed, over)
        found = and_exponential(IS, EXP_IS, is_value, is_interval)
        if several:
            reached: NDArray[np.bool_] = np.all(self.counts > 0, axis=1)
            wilson = stats.binomtest(int(reached.sum()), len(reached)).proportion_ci(
                method="wilson"
            )
            found += and_exponential(CIS, EXP_CIS, cis_value, bootstrap_mean(sums.cis, seed))
            # A bootstrap of a share of 0 or 1 has zero width, whatever the number of inputs.
            interval = Interval(wilson.low, wilson.high, 0.95, "Wilson", over)
            found.append(scored(REACHED, float(reached.mean()), interval))
        limits = (0.0, sums.limit)
        spread = bootstrap_of_means(sums.entropy, sums.mean, entropy, seed, limits, over)
        sure = self.probabilities.max(axis=2).mean(axis=1)
        return [
            *found,
            scored(ENTROPY, sums.entropy, spread),
            scored(CONFIDENCE, float(sure.mean()), bootstrap_mean(sure, seed, over=over)),
        ]

    def compact(self) -> ModeScores:
        """Return the scores of probabilities rounded to multiples of 1 / 65,535, so that values
        follow from what is saved. A mode rounded to 0 had a probability of up to 1 / 131,070, which
        adds 9e-5 nats to an entropy: no score changes by more than K - 1 times that."""
        rounded = in_steps(self.probabilities) / STEPS
        return ModeScores(rounded, self.input_ids, self.protocol | {"rounded": f"1/{STEPS}"})

    def save(self, path: Path) -> None:
        """Write the probabilities to an ``.npz`` file, atomically."""
        p = in_steps(self.probabilities) if "rounded" in self.protocol else self.probabilities
        save_arrays(path, self.protocol, {"probabilities": p}, self.input_ids)


def in_steps(p: FloatArray) -> NDArray[np.uint16]:
    """Round probabilities (..., K) to whole steps of 1 / 65,535. Each row sums to 65,535: its
    largest value absorbs the rounding."""
    steps = np.rint(p * STEPS).astype(np.int64)
    largest = steps.argmax(axis=-1, keepdims=True)
    rest = STEPS - steps.sum(axis=-1, keepdims=True)
    np.put_along_axis(steps, largest, np.take_along_axis(steps, largest, -1) + rest, -1)
    return steps.astype(np.uint16)


def load_mode_scores(path: Path) -> ModeScores:
    """Read a file that ``ModeScores.save`` wrote; raises UserError for others."""
    protocol, arrays = load_arrays(path)
    p = arrays["probabilities"] / (STEPS if "rounded" in protocol else 1)
    return ModeScores(p, tuple(arrays["input_ids"].tolist()), protocol)


def load_probabilities(path: Path, modes: Sequence[str] = ()) -> ModeScores:
    """Read a user's probabilities, an ``.npy`` array (inputs, samples, K); ``modes``: K names.
    Raises UserError for anything else."""
    with foreign(f"{path} is no array of numbers", "save it by numpy.save"):
        given = np.load(path, allow_pickle=False)
    if not isinstance(given, np.ndarray) or given.ndim != 3:
        raise UserError(
            f"{path} holds {getattr(given, 'shape', 'several arrays')}: save one array (inputs, "
            "samples, K)"
        )
    if given.dtype.kind not in "fiu":
        raise UserError(f"{path} holds {given.dtype}: save float64")
    found = checked(given, str(path))
    count = found.shape[2]
    names = list(modes) or [str(c) for c in range(count)]
    if len(set(names)) != count:
        raise UserError(f"{path} has {count} modes, {len(set(names))} are named")
    width = len(str(len(found) - 1))
    digest = hashlib.sha256(found.tobytes()).hexdigest()
    ids = tuple(f"{i:0{width}d}" for i in range(len(found)))
    return ModeScores(found, ids, _facts(found, names, path.name, digest, None))


def _facts(
    p: FloatArray, modes: Sequence[str], classifier: str, sha256: str, accuracy: float | None
) -> dict[str, Any]:
    inputs, samples, _ = p.shape
    return {
        "protocol": protocol_name(inputs, samples), "N": inputs, "K": samples,
        "modes": list(modes), "ln_modes": math.log(len(modes)),
        "classifier": classifier, "sha256": sha256, "accuracy": accuracy,
    }  # fmt: skip


class ModeProbabilities(Batches[ModeScores]):
    """Classifies streamed pictures into the ``modes`` of the target domain. Equal pictures are
    classified once, so a deterministic translator has a CIS of exactly 0 on every device. ``about``
    is added to the protocol. Raises UserError for a classifier of other modes."""

    def __init__(
        self, classifier: ClassifiesModes, modes: Sequence[str],
        about: Mapping[str, Any] | None = None, batch_size: int = 64,
    ) -> None:  # fmt: skip
        super().__init__(batch_size)
        if sorted(classifier.modes) != sorted(set(modes)):
            raise UserError(
                f"classifier {classifier.name} knows the modes {', '.join(classifier.modes)}, the "
                f"domain has {', '.join(modes)}: train it on this domain"
            )
        self._classifier, self._about = classifier, dict(about or {})
        self._row_of_content: dict[bytes, int] = {}
        # Grows in place: one array per batch would fragment memory.
        self._found = array("d")

    def _row(self, pixels: Tensor) -> int:
        content = hashlib.sha256(pixels.numpy().tobytes()).digest()
        if content not in self._row_of_content:
            self._row_of_content[content] = len(self._row_of_content)
            self._waiting.append(pixels)
        return self._row_of_content[content]

    def _measure(self, pictures: Tensor) -> None:
        classifier = self._classifier
        found = torch.as_tensor(classifier.probabilities(from_bytes(pictures)))
        p = found.detach().double().cpu().numpy()
        expected = (len(pictures), len(classifier.modes))
        if p.shape != expected:
            raise UserError(
                f"classifier {classifier.name} gives {p.shape} for {expected[0]} pictures of "
                f"{expected[1]} modes: it must give one row a picture, one column a mode"
            )
        self._found.extend(checked(p, f"probabilities by classifier {classifier.name}").ravel())

    def _result(self, size: tuple[int, int]) -> ModeScores:
        ids, rows = self._all_alike()
        of = self._classifier
        p = np.frombuffer(self._found).reshape(-1, len(of.modes))[rows]
        facts = _facts(p, of.modes, of.name, of.sha256, of.accuracy) | {"resolution": list(size)}
        return ModeScores(p, ids, facts | self._about)


def mode_scores(
    stream: Stream, classifier: ClassifiesModes, modes: Sequence[str],
    about: Mapping[str, Any] | None = None, batch_size: int = 64,
) -> ModeScores:  # fmt: skip
    """Return the ``ModeProbabilities`` of a whole ``stream``."""
    return consume(ModeProbabilities(classifier, modes, about, batch_size), stream)


def protocol_name(inputs: int, samples: int) -> str:
    """Return ``paper`` for 100 inputs of 100 samples, else e.g. ``paper@20x10``; ``real@400`` for
    one sample per input."""
    if samples == 1:
        return f"real@{inputs}"
    return "paper" if (inputs, samples) == PAPER else f"paper@{inputs}x{samples}"
