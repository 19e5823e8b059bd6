"""Are a classifier's probabilities true? Reliability, the error of it, and one temperature.

IS and CIS are made of probabilities, so a classifier that is right but too sure, or right but
timid, changes them. Sources: expected calibration error, Naeini et al., AAAI 2015; reliability
diagrams and temperature scaling, Guo et al., ICML 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 15  # Guo et al., section 3
HIGHEST = 10.0  # temperature


@dataclass(frozen=True)
class Bin:
    """Pictures whose highest probability lies in (``low``, ``high``]: how many they are, the mean
    of that probability (``confidence``) and the share that was named rightly (``accuracy``)."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float

    def __post_init__(self) -> None:
        shares = (self.low, self.high, self.confidence, self.accuracy)
        if (
            type(self.count) is not int
            or self.count < 1
            or not all(0 <= share <= 1 for share in shares)
        ):
            raise ValueError(f"no bin of a reliability diagram: {self}")


@dataclass(frozen=True)
class Calibration:
    """How true probabilities softmax(logits / ``temperature``) are.

    ``bins``: the reliability diagram, empty bins left out, on ``measured_on`` pictures;
    ``error_before``: its error at temperature 1. ``fitted_on``: number of other pictures, which
    the temperature was fitted on.
    """

    temperature: float
    fitted_on: int
    error_before: float
    bins: tuple[Bin, ...]

    def __post_init__(self) -> None:
        # Written so that NaN, which compares false to everything, is refused.
        if not (1 <= self.temperature <= HIGHEST and 0 <= self.error_before <= 1 and self.bins):
            raise ValueError(f"no calibration: temperature {self.temperature}")

    @property
    def error(self) -> float:
        """Expected calibration error in [0, 1]."""
        return expected_calibration_error(self.bins)

    @property
    def measured_on(self) -> int:
        return sum(row.count for row in self.bins)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, ``error`` among them."""
        return asdict(self) | {"error": self.error, "measured_on": self.measured_on}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """What ``as_dict`` gave; KeyError, TypeError or ValueError for anything else."""
        return cls(
            temperature=float(values["temperature"]),
            fitted_on=int(values["fitted_on"]),
            error_before=float(values["error_before"]),
            bins=tuple(Bin(**row) for row in values["bins"]),
        )


def calibrate(logits: Floats, labels: Ints) -> Calibration:
    """Fit a temperature on one half of held-out pictures, measure on the other.

    ``logits`` (N, K), ``labels`` (N,). Of the pictures of one class every other one is in the
    first half, so each class needs two at least.
    """
    place = np.zeros(len(labels), np.int64)  # of a picture among those of its class
    for label in np.unique(labels):
        of_class = labels == label
        place[of_class] = np.arange(of_class.sum())
    fitting, measuring = place % 2 == 0, place % 2 == 1
    temperature = fit_temperature(logits[fitting], labels[fitting])
    before, after = (
        reliability(softmax(logits[measuring] / t, axis=1), labels[measuring])
        for t in (1.0, temperature)
    )
    return Calibration(
        temperature, int(fitting.sum()), expected_calibration_error(before), tuple(after)
    )


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The T in [1, 10] that makes ``labels`` (N,) most probable under softmax(logits / T).

    Only softened, never sharpened: where nearly all pictures are named rightly, the few mistakes
    would decide how sure the classifier may be of translations, which are less clean.
    """
    right = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]

    def slope(inverse: float) -> float:
        """Derivative of the mean log loss by 1 / T: it rises, as the loss is convex in 1 / T."""
        expected = (softmax(logits * inverse, axis=1) * logits).sum(axis=1)
        return float((expected - right).mean())

    if slope(1.0) <= 0:
        return 1.0
    if slope(1 / HIGHEST) >= 0:
        return HIGHEST
    return 1 / float(brentq(slope, 1 / HIGHEST, 1.0, xtol=1e-12))


def log_loss(logits: Floats, labels: Ints) -> float:
    """Mean of -ln p(true class), in nats."""
    true = np.take_along_axis(log_softmax(logits, axis=1), labels[:, None], axis=1)
    return -float(true.mean())


def reliability(probabilities: Floats, labels: Ints, bins: int = BINS) -> list[Bin]:
    """The reliability diagram of probabilities (N, K): equal bins of (0, 1], empty ones left out."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # Rounded first, as 14/15 of a whole may come a bit above its edge.
    index = (np.ceil(np.round(confidence * bins, 9)) - 1).clip(0, bins - 1)
    rows = []
    for m in range(bins):
        inside = index == m
        if inside.any():
            rows.append(
                Bin(
                    low=m / bins,
                    high=(m + 1) / bins,
                    count=int(inside.sum()),
                    confidence=min(1.0, float(confidence[inside].mean())),
                    accuracy=float(right[inside].mean()),
                )
            )
    return rows


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The mean over pictures of their bin's |accuracy - confidence|, in [0, 1]."""
    total = sum(row.count for row in bins)
    return sum(row.count * abs(row.accuracy - row.confidence) for row in bins) / total
