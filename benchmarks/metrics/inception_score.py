"""Inception Score and Conditional Inception Score of probabilities, in nats.

Probabilities ``p`` (inputs, samples, K) are a classifier's output over K modes for every
translation y of every input x. The scores split the information about the mode by its origin:

    IS  = E_y KL(p(c | y) || p(c))      total variation of the modes
    CIS = E_y KL(p(c | y) || p(c | x))  variation of the modes for a fixed input

with p(c | x) the mean over the samples of one input and p(c) the mean over all. The difference IS -
CIS = E_x KL(p(c | x) || p(c)) is the part that the input determines. A deterministic translator has
CIS 0, and no score exceeds ln K. With few samples CIS is biased low, by about (K - 1) / (2 samples)
if the classifier is certain, and is 0 for one sample: compare only at equal numbers.

Sources: MUNIT (ECCV 2018), section 5.2; Salimans et al., "Improved techniques for training GANs",
NIPS 2016, whose score is the exponential, ``EXP_IS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.intervals import FloatArray, Interval
from benchmarks.metric import Metric
from benchmarks.metrics.style_scores import entropy
from models.errors import UserError

SUM_TOLERANCE = 1e-6  # for a float32 softmax over a thousand classes
_LIMITS = (0.0, None)  # the upper limit, ln K, depends on the domain; a value's protocol holds it
IS = Metric(
    name="is",
    unit="nats",
    direction="higher",
    protocol="mean over translations y of KL(p(c|y) || p(c)), c the mode; at most ln of the number "
    "of modes; no exponential",
    limits=_LIMITS,
)
CIS = Metric(
    name="cis",
    unit="nats",
    direction="higher",
    protocol="mean over translations y of inputs x of KL(p(c|y) || p(c|x)), c the mode; at most IS; "
    "0 for deterministic translators; no exponential",
    limits=_LIMITS,
)
EXP_IS, EXP_CIS = (
    Metric(
        name=f"exp-{metric.name}",
        unit="modes",
        direction="higher",
        protocol=f"exponential of {metric.name}; 1 to the number of modes",
        limits=(1.0, None),
    )
    for metric in (IS, CIS)
)
REACHED = Metric(
    name="modes-reached",
    unit="share",
    direction="higher",
    protocol="share of inputs that reach all modes; a mode is reached when it is the most probable "
    "one (the first, of equals) of at least one of the input's translations",
    limits=(0.0, 1.0),
)
ENTROPY = Metric(
    name="mode-entropy",
    unit="nats",
    direction="higher",
    protocol="entropy of p(c), the mean over all translations; at most ln of the modes",
    limits=_LIMITS,
)
CONFIDENCE = Metric(
    name="mode-confidence",
    unit="probability",
    direction="none",
    protocol="mean over translations of the probability of the most probable mode",
    limits=(0.0, 1.0),
)


def checked(p: ArrayLike, of: str = "probabilities") -> FloatArray:
    """Return ``p`` (..., K) as float64, each row divided by its sum, which must be 1 to 1e-6.
    ``of`` names the values in errors. Raises UserError for NaN, infinity, negative values, other
    sums, an empty array, and fewer than 2 modes."""
    rows = np.asarray(p, dtype=np.float64)
    if rows.ndim < 2 or rows.size == 0 or rows.shape[-1] < 2:
        raise UserError(
            f"{of} have shape {rows.shape}: pass one row a picture, of at least 2 modes"
        )
    for wrong, message in (
        (~np.isfinite(rows), "is NaN or infinite: mend the classifier or its input"),
        (rows < 0, "is negative: pass probabilities, not logits"),
    ):
        if wrong.any():
            place = np.argwhere(wrong)[0].tolist()
            raise UserError(f"{of}: value {place}, {rows[tuple(place)]:g}, {message}")
    sums = rows.sum(axis=-1, keepdims=True)
    off = np.abs(sums[..., 0] - 1) > SUM_TOLERANCE
    if off.any():
        place = np.argwhere(off)[0].tolist()
        raise UserError(
            f"{of}: row {place} sums to {sums[tuple(place)][0]:.9g}, not to 1 within {SUM_TOLERANCE:g}: "
            "pass the output of a softmax"
        )
    return rows / sums


def _mean(values: FloatArray, axis: int) -> FloatArray:
    """Return the mean, clipped to the extremes: that of equal values is exactly their value."""
    extremes = values.min(axis=axis), values.max(axis=axis)
    return np.clip(values.mean(axis=axis), *extremes)


@dataclass(frozen=True)
class PerInput:
    """Sufficient statistics of the scores for I inputs. ``mean`` (I, K): p(c | x); ``total`` (I,):
    its entropy; ``certain`` (I,): mean entropy of p(c | y) over the input's samples; both in
    nats."""

    mean: FloatArray
    total: FloatArray
    certain: FloatArray

    @property
    def limit(self) -> float:
        """ln K, the upper bound that rounding might exceed."""
        return math.log(self.mean.shape[1])

    @property
    def cis(self) -> FloatArray:
        """CIS of each input (I,), >= 0 as entropy is concave; clipped against rounding."""
        return np.clip(self.total - self.certain, 0.0, self.limit)

    @property
    def entropy(self) -> float:
        """Entropy of p(c), in nats, in [0, ln K]."""
        return min(float(entropy(_mean(self.mean, 0)[None])[0]), self.limit)

    def scores(self) -> tuple[float, float]:
        """Return IS and CIS, in nats, with IS >= CIS >= 0 exactly."""
        cis = float(_mean(self.cis, 0))
        by_input = self.entropy - float(self.total.mean())
        return min(cis + max(by_input, 0.0), self.limit), cis


def per_input(p: ArrayLike) -> PerInput:
    """Summarise probabilities (inputs, samples, K) per input. Raises UserError as ``checked``."""
    rows = checked(p)
    if rows.ndim != 3:
        raise UserError(f"probabilities have shape {rows.shape}: pass (inputs, samples, K)")
    mean = _mean(rows, 1)
    entropies = entropy(rows.reshape(-1, rows.shape[2])).reshape(rows.shape[:2])
    return PerInput(mean, entropy(mean), _mean(entropies, 1))


def bootstrap_inception_score(sums: PerInput, seed: int, over: str = "inputs") -> Interval:
    """Return the 95 % interval of IS; it resamples whole inputs, with all their samples."""
    rows, limits = np.column_stack([sums.mean, sums.certain]), (0.0, sums.limit)

    def score(means: FloatArray) -> FloatArray:
        return entropy(means[:, :-1]) - means[:, -1]

    return bootstrap_of_means(sums.scores()[0], rows, score, seed, limits, over)


def bootstrap_of_means(
    value: float, rows: FloatArray, statistic: Callable[[FloatArray], FloatArray], seed: int,
    limits: tuple[float, float], over: str = "inputs", resamples: int = 2000,
) -> Interval:  # fmt: skip
    """Return the 95 % basic bootstrap interval of ``value``, a function of means.

    ``rows`` (N, D) belong to N independent items; ``statistic`` maps means (M, D) to values (M,).
    The basic bootstrap reflects the distances of the resamples from the value: entropies are biased
    low on a sample and more so on its resamples, so percentile intervals miss the truth, as BCa
    does near the limit. The interval is clipped to ``limits`` and contains the value. Same seed,
    same interval.

    Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 5.2.
    Raises UserError for fewer than two items.
    """
    items = len(rows)
    if items < 2:
        raise UserError(f"an interval over {over} needs at least 2 of them: measure more")
    rng = np.random.default_rng([0x15C0, seed & (2**64 - 1)])
    drawn = []
    batch = max(1, 4_000_000 // items)  # bounds memory without changing any draw
    for start in range(0, resamples, batch):
        size = min(batch, resamples - start)
        index = rng.integers(items, size=(size, items)) + items * np.arange(size)[:, None]
        counts = np.bincount(index.ravel(), minlength=size * items).reshape(size, items)
        drawn.append(statistic(counts @ rows / items))
    lower, upper = (float(q) for q in np.quantile(np.concatenate(drawn), (0.025, 0.975)))
    low, high = max(2 * value - upper, limits[0]), min(2 * value - lower, limits[1])
    return Interval(
        min(low, value), max(high, value), 0.95, "bootstrap basic", over, resamples, seed
    )
