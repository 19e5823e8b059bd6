"""Content confusion: which input does a translation look like, its own or another?

IS and CIS know modes alone: a method that ignores its input and draws every mode in equal shares
reaches the most that both allow. So the content of each translation, read off the picture as a
vector of factors, is compared with the true contents of all inputs. The confusion of a translation
is the share of the other inputs whose content is nearer to it than its own input's, ties one
half: 0 where content is kept, 0.5 by chance, above it where content is turned into its opposite.

What the reader gets wrong counts as confusion too; real pictures against their own contents tell
how much that is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metric import Measurement, Metric, register
from benchmarks.metrics.ground_truth import mean_over_inputs
from models.errors import UserError

FloatArray = NDArray[np.float64]
CONTENT_CONFUSION = register(
    Metric(
        name="content-confusion",
        unit="share",
        direction="lower",
        protocol=(
            "mean over inputs and samples of the share of the other inputs whose true content "
            "(standardised factors, Euclidean) is nearer to the content read off the translation "
            "than its own input's, ties one half; 0.5 is chance"
        ),
        limits=(0.0, 1.0),
    )
)


def confusion(predictions: ArrayLike, truth: ArrayLike) -> FloatArray:
    """The confusion (N, S), in [0, 1], of every translation.

    ``predictions`` (N, S, F): factors read off S translations of each of N inputs; ``truth``
    (N, F): the inputs' own, in the same order and units. All factors weigh the same.
    Raises UserError for shapes that do not fit, fewer than two inputs, and NaN or infinity.
    """
    read, true = (np.asarray(values, dtype=np.float64) for values in (predictions, truth))
    if read.ndim != 3 or true.shape != (read.shape[0], read.shape[2]) or read.size == 0:
        raise UserError(
            f"predictions are {read.shape}, true contents {true.shape}: pass "
            "(inputs, samples, factors) and (inputs, factors)"
        )
    if len(true) < 2:
        raise UserError("content confusion of a single input says nothing: measure more inputs")
    for values, what in ((read, "predictions"), (true, "true contents")):
        if not np.isfinite(values).all():
            place = np.argwhere(~np.isfinite(values))[0].tolist()
            raise UserError(f"{what}: value {place} is NaN or infinite: mend the reader or truth")
    shares = [_of_input(read[i], true, i) for i in range(len(true))]
    return np.stack(shares)


def _of_input(read: FloatArray, true: FloatArray, own: int) -> FloatArray:
    """The confusion (S,) of translations ``read`` (S, F) of the input with the number ``own``."""
    distances = np.square(read[:, None] - true).sum(axis=2)  # (S, N)
    mine = distances[:, own : own + 1]
    # An input is at its own distance from itself, a tie that is none.
    nearer = (distances < mine).sum(axis=1) + ((distances == mine).sum(axis=1) - 1) / 2
    shares: FloatArray = nearer / (len(true) - 1)
    return shares


def content_confusion(
    predictions: ArrayLike,
    truth: ArrayLike,
    seed: int = 0,
    protocol: Mapping[str, object] | None = None,
) -> Measurement:
    """The mean of ``confusion`` with a 95 % bootstrap interval over inputs; ``seed`` is the
    bootstrap's."""
    by_input = confusion(predictions, truth).mean(axis=1)
    return mean_over_inputs(CONTENT_CONFUSION, by_input.tolist(), seed, protocol or {})
