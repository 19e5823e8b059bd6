"""IS and CIS of a stream of pictures, what the two hide, and the probabilities behind them.

Each picture is classified and forgotten; the probabilities (inputs, samples, K) are kept in a
file, so that any other statistic can be had without translating again. ``ModeScores.compact``
rounds them to what 16 bits hold, a tenth of the size, where many are kept.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
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

from benchmarks.files import foreign, save_arrays
from benchmarks.intervals import Interval, bootstrap_mean
from benchmarks.metric import Measurement, Metric, all_alike, consume
from benchmarks.metrics.inception_score import (
    CIS,
    CONFIDENCE,
    ENTROPY,
    EXP_CIS,
    EXP_IS,
    IS,
    REACHED,
    FloatArray,
    PerInput,
    bootstrap_inception_score,
    bootstrap_of_means,
    checked,
    per_input,
)
from benchmarks.metrics.style_scores import entropy
from benchmarks.pictures import to_bytes
from models.errors import UserError

PAPER = (100, 100)  # MUNIT, section 5.2: inputs, samples of each
STEPS = 65_535  # a probability of 1


class ClassifiesModes(Interface):
    """What the scores ask of a classifier of a domain's modes."""

    @property
    def name(self) -> str: ...

    @property
    def modes(self) -> tuple[str, ...]: ...

    @property
    def sha256(self) -> str: ...

    @property
    def accuracy(self) -> float | None:
        """On pictures that no training saw; None where nobody knows."""
        ...

    def probabilities(self, pictures: Tensor) -> ArrayLike | Tensor:
        """float32 pictures (B, 3, H, W) in [-1, 1] to probabilities (B, K), columns as ``modes``.

        Each row follows from its own picture alone.
        """
        ...


@dataclass(frozen=True)
class ModeScores:
    """Probabilities (inputs, samples, K) and what follows from them.

    Inputs are in the order of ``input_ids`` (sorted), modes in that of ``protocol["modes"]``. Of
    real pictures each is an input with one sample, and only IS makes sense. Files are exact, or
    where ``protocol["rounded"]`` says so of 16 bits.
    """

    probabilities: FloatArray
    input_ids: tuple[str, ...]
    protocol: dict[str, Any]

    @cached_property
    def sums(self) -> PerInput:
        return per_input(self.probabilities)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(inputs, K): of how many of an input's translations each mode is the most probable."""
        said = self.probabilities.argmax(axis=2)
        modes = range(self.probabilities.shape[2])
        found: NDArray[np.int64] = np.stack([(said == c).sum(axis=1) for c in modes], axis=1)
        return found

    def distribution(self) -> dict[str, dict[str, float]]:
        """By mode: ``mean``, its part of p(c), and ``count``, the translations it is found in."""
        mean, counts = self.sums.mean.mean(axis=0), self.counts.sum(axis=0)
        return {
            mode: {"mean": float(mean[c]), "count": int(counts[c])}
            for c, mode in enumerate(self.protocol["modes"])
        }

    def measurements(self, seed: int) -> list[Measurement]:
        """All scores with 95 % intervals over inputs; ``seed`` is the bootstrap's.

        CIS and what else compares samples of one input are left out where each has only one.
        Raises UserError for fewer than two inputs.
        """
        is_value, cis_value = self.sums.scores()
        is_interval = bootstrap_inception_score(self.sums, seed, self._over)
        found = [
            self._of(IS, is_value, is_interval),
            self._of(EXP_IS, math.exp(is_value), _exponential(is_interval)),
        ]
        if self.probabilities.shape[1] > 1:
            cis_interval = bootstrap_mean(self.sums.cis, seed)
            reached: NDArray[np.bool_] = np.all(self.counts > 0, axis=1)
            wilson = stats.binomtest(int(reached.sum()), len(reached)).proportion_ci(
                method="wilson"
            )
            found += [
                self._of(CIS, cis_value, cis_interval),
                self._of(EXP_CIS, math.exp(cis_value), _exponential(cis_interval)),
                # A bootstrap of a share that is 0 or 1 has no width, whatever the number of inputs.
                self._of(
                    REACHED,
                    float(reached.mean()),
                    Interval(wilson.low, wilson.high, 0.95, "Wilson", self._over),
                ),
            ]
        mean = self.sums.mean
        found_entropy, limits = self.sums.entropy, (0.0, self.sums.limit)
        spread = bootstrap_of_means(found_entropy, mean, entropy, seed, limits, self._over)
        sure = self.probabilities.max(axis=2).mean(axis=1)
        return [
            *found,
            self._of(ENTROPY, found_entropy, spread),
            self._of(CONFIDENCE, float(sure.mean()), bootstrap_mean(sure, seed, over=self._over)),
        ]

    @property
    def _over(self) -> str:
        return "inputs" if self.probabilities.shape[1] > 1 else "pictures"

    def _of(self, metric: Metric, value: float, interval: Interval) -> Measurement:
        return Measurement(metric.name, value, interval, self.protocol)

    def compact(self) -> ModeScores:
        """Scores of probabilities rounded to whole 65,535ths, so that values are of what is kept.

        A mode of probability 0 after rounding had up to 1 / 131,070, which adds 9e-5 nats to an
        entropy: no score moves by more than that for each mode but one.
        """
        rounded = in_steps(self.probabilities) / STEPS
        return ModeScores(rounded, self.input_ids, self.protocol | {"rounded": f"1/{STEPS}"})

    def save(self, path: Path) -> None:
        """Write the probabilities as ``.npz``: whole or not at all."""
        p = in_steps(self.probabilities) if "rounded" in self.protocol else self.probabilities
        arrays = {"probabilities": p, "input_ids": np.array(self.input_ids, dtype=np.str_)}
        save_arrays(path, self.protocol, arrays)


def in_steps(p: FloatArray) -> NDArray[np.uint16]:
    """Probabilities (..., K) in whole steps of 1 / 65,535, rows of which sum to 65,535: the largest
    one takes what rounding leaves."""
    steps = np.rint(p * STEPS).astype(np.int64)
    largest = steps.argmax(axis=-1, keepdims=True)
    rest = STEPS - steps.sum(axis=-1, keepdims=True)
    np.put_along_axis(steps, largest, np.take_along_axis(steps, largest, -1) + rest, -1)
    return steps.astype(np.uint16)


def _exponential(interval: Interval) -> Interval:
    return replace(interval, low=math.exp(interval.low), high=math.exp(interval.high))


def load_mode_scores(path: Path) -> ModeScores:
    """What ``ModeScores.save`` wrote; UserError for a missing, broken or foreign file."""
    remedy = "measure again"
    with (
        foreign(f"{path}: holds no probabilities of modes", remedy),
        path.open("rb") as raw,
        np.load(raw, allow_pickle=False) as file,
    ):
        found = file["probabilities"]
        ids = tuple(str(name) for name in file["input_ids"])
        protocol = json.loads(str(file["meta"]))
        modes = protocol["modes"]
    fits = found.ndim == 3 and found.shape[0] == len(ids) and found.shape[2] == len(modes)
    kind, unit = (np.uint16, STEPS) if "rounded" in protocol else (np.float64, 1)
    if not fits or found.dtype != kind or list(ids) != sorted(set(ids)):
        raise UserError(f"{path}: probabilities, inputs and modes do not fit together: {remedy}")
    checked(found / unit, f"{path}: probabilities")
    return ModeScores(found / unit, ids, protocol)


def load_probabilities(path: Path, modes: Sequence[str] = ()) -> ModeScores:
    """Someone's probabilities, an ``.npy`` array (inputs, samples, K); ``modes``: names of the K.
    UserError for anything else."""
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
    inputs, samples, count = found.shape
    names = list(modes) or [str(c) for c in range(count)]
    if len(set(names)) != count:
        raise UserError(f"{path} has {count} modes, {len(set(names))} are named")
    width = len(str(inputs - 1))
    facts = {
        "protocol": protocol_name(inputs, samples),
        "N": inputs,
        "K": samples,
        "modes": names,
        "ln_modes": math.log(count),
        "classifier": path.name,
        "sha256": hashlib.sha256(found.tobytes()).hexdigest(),
        "accuracy": None,
    }
    return ModeScores(found, tuple(f"{i:0{width}d}" for i in range(inputs)), facts)


class ModeProbabilities:
    """Classifies pictures that come one by one.

    ``modes``: those of the target domain. At most ``batch_size`` pictures are held. They are
    rounded to the bytes of a PNG file, and equal ones are classified once: a deterministic
    translator has a CIS of exactly 0 on every device. Inputs have samples 0 to S - 1, in any order.
    Neither order nor ``batch_size`` matters but to the classifier's last bits. ``about`` goes
    into the protocol.

    Raises UserError for a classifier of other modes.
    """

    def __init__(
        self, classifier: ClassifiesModes, modes: Sequence[str],
        about: Mapping[str, Any] | None = None, batch_size: int = 64,
    ) -> None:  # fmt: skip
        if batch_size < 1:
            raise UserError(f"batch size must be at least 1, got {batch_size}")
        if sorted(classifier.modes) != sorted(set(modes)):
            raise UserError(
                f"classifier {classifier.name} knows the modes {', '.join(classifier.modes)}, the "
                f"domain has {', '.join(modes)}: train it on this domain"
            )
        self._classifier, self._about, self._batch_size = classifier, dict(about or {}), batch_size
        self._row_of: dict[tuple[str, int], int] = {}
        self._row_of_content: dict[bytes, int] = {}
        self._waiting: list[Tensor] = []
        # Grows in place: arrays batch by batch would leave holes in memory.
        self._found = array("d")
        self._size: tuple[int, ...] = ()

    def update(self, name: str, sample: int, picture: Tensor) -> None:
        """Take a picture (3, H, W) in [-1, 1]; UserError for one that came before, is out of range
        or of another size."""
        where = f"sample {sample} of input {name!r}"
        if (name, sample) in self._row_of:
            raise UserError(f"{where} came twice: pass it once")
        try:
            pixels = to_bytes(picture[None])[0].cpu().contiguous()
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        self._size = self._size or tuple(pixels.shape)
        if pixels.shape != self._size:
            raise UserError(
                f"{where} is {tuple(pixels.shape)}, others are {self._size}: resize all to one size"
            )
        content = hashlib.sha256(pixels.numpy().tobytes()).digest()
        if content not in self._row_of_content:
            self._row_of_content[content] = len(self._row_of_content)
            self._waiting.append(pixels)
        self._row_of[name, sample] = self._row_of_content[content]
        if len(self._waiting) == self._batch_size:
            self._classify()

    def finish(self) -> ModeScores:
        """All probabilities; UserError for missing samples."""
        if self._waiting:
            self._classify()
        ids, samples = all_alike(self._row_of)
        rows = [[self._row_of[name, k] for k in range(samples)] for name in ids]
        classifier = self._classifier
        facts = {
            "protocol": protocol_name(len(ids), samples),
            "N": len(ids),
            "K": samples,
            "modes": list(classifier.modes),
            "ln_modes": math.log(len(classifier.modes)),
            "resolution": list(self._size[1:]),
            "classifier": classifier.name,
            "sha256": classifier.sha256,
            "accuracy": classifier.accuracy,
        }
        table = np.frombuffer(self._found).reshape(-1, len(classifier.modes))
        return ModeScores(table[np.array(rows)], tuple(ids), facts | self._about)

    def _classify(self) -> None:
        """Give the waiting uint8 pictures to the classifier as float32 in [-1, 1]."""
        classifier, batch = self._classifier, torch.stack(self._waiting).float() / 127.5 - 1
        found = torch.as_tensor(classifier.probabilities(batch)).detach().double().cpu().numpy()
        expected = (len(self._waiting), len(classifier.modes))
        if found.shape != expected:
            raise UserError(
                f"classifier {classifier.name} gives {found.shape} for {expected[0]} pictures of "
                f"{expected[1]} modes: it must give one row a picture, one column a mode"
            )
        found = checked(found, f"probabilities by classifier {classifier.name}")
        self._found.extend(found.ravel())
        self._waiting.clear()


def mode_scores(
    stream: Iterable[tuple[str, int, Tensor]], classifier: ClassifiesModes, modes: Sequence[str],
    about: Mapping[str, Any] | None = None, batch_size: int = 64,
) -> ModeScores:  # fmt: skip
    """``ModeProbabilities`` of a stream of (input id, sample number, picture (3, H, W) in
    [-1, 1])."""
    return consume(ModeProbabilities(classifier, modes, about, batch_size), stream)


def protocol_name(inputs: int, samples: int) -> str:
    """``paper`` for 100 inputs of 100 samples, else ``paper@20x10``; ``real@400`` for one sample."""
    if samples == 1:
        return f"real@{inputs}"
    return "paper" if (inputs, samples) == PAPER else f"paper@{inputs}x{samples}"
