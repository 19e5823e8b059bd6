"""Scores of styles on drawn pictures with known factors: coverage, and consistency over contents.

Coverage is measured per input: a translator that gives each shoe a single fixed colour has none,
however colourful the shoes are together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist
from torch import Tensor

from benchmarks.intervals import jackknife, jackknife_interval, jackknife_variance
from benchmarks.metric import Measurement, Metric
from benchmarks.networks.colours import COLOURS, FloatArray, oklab
from models.errors import UserError

COLOUR_DISTANCE = Metric(
    name="colour-distance",
    unit="OKLab",
    direction="lower",
    protocol="mean over inputs of the energy distance (unbiased, squared form) between the body "
    "colours of an input's translations and those of real pictures",
)
COLOUR_ENTROPY = Metric(
    name="colour-entropy",
    unit="nats",
    direction="higher",
    protocol=f"mean over inputs of the entropy of an input's body colours in {len(COLOURS)} bins; "
    "compare with that of real pictures of the same number of samples",
    limits=(0.0, math.log(len(COLOURS))),
    digits=2,
)
PATTERN_DISTANCE = Metric(
    name="pattern-distance",
    unit="total variation",
    direction="lower",
    protocol="mean over inputs of the total variation between the classified patterns of an "
    "input's translations and those of real pictures",
    limits=(0.0, 1.0),
    digits=2,
)
PATTERN_ENTROPY = Metric(
    name="pattern-entropy",
    unit="nats",
    direction="higher",
    protocol="mean over inputs of the entropy of an input's classified patterns; compare with that "
    "of real pictures of the same number of samples",
    limits=(0.0, None),
    digits=2,
)
CONSISTENCY = Metric(
    name="style-consistency",
    unit="ICC",
    direction="higher",
    protocol="intraclass correlation of body colours over contents translated with the same noise: "
    "the share of the colours' variance that the noise decides; 1: the noise alone, 0: "
    "noise and content together or content alone",
    limits=(0.0, 1.0),
    digits=2,
)
FEWEST_PIXELS = 4  # of a body, for its colour to be measured
LEAST_SPREAD = 1e-4  # OKLab; far below one grey level


def body_colour(picture: Tensor, body: NDArray[np.bool_]) -> FloatArray:
    """Return the dominant colour (3,), in OKLab, of a picture (3, H, W) in [-1, 1] within ``body``
    (H, W): the median per channel, robust to patterns and highlights. UserError below 4 pixels."""
    if int(body.sum()) < FEWEST_PIXELS:
        raise UserError(f"a body of {int(body.sum())} pixels shows no colour: use larger pictures")
    pixels = ((picture.clamp(-1, 1) + 1) / 2).double().cpu().numpy()[:, body]
    return np.median(oklab(pixels.T), axis=0)


def energy_distance(sample: ArrayLike, truth: ArrayLike, truth_spread: float) -> float:
    """Return 2 E|x - y| - E|x - x'| - E|y - y'| of points (K, D) and (T, D): 0 for equal
    distributions. Unbiased, so it may be negative. ``truth_spread``: E|y - y'|, see
    ``spread``. Source: Szekely and Rizzo, "Energy statistics", J. Statistical Planning and
    Inference 2013."""
    between = float(cdist(np.asarray(sample), np.asarray(truth)).mean())
    return 2 * between - spread(sample) - truth_spread


def spread(points: ArrayLike) -> float:
    """Return the mean Euclidean distance between different points of (K, D)."""
    return float(pdist(np.asarray(points, dtype=np.float64)).mean())


def shares(classes: ArrayLike, count: int) -> FloatArray:
    """Return the shares (I, count) of ``count`` classes in each row of (I, K); rows sum to 1."""
    rows = np.asarray(classes, dtype=np.int64)
    return np.stack([(rows == c).mean(axis=1) for c in range(count)], axis=1)


def entropy(distributions: ArrayLike) -> FloatArray:
    """Return the entropy, in nats, of each row of (I, C)."""
    p = np.asarray(distributions, dtype=np.float64)
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    # For a certain row, the sum may be -1e-17.
    return np.maximum(-terms.sum(axis=1), 0.0)


def total_variation(distributions: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return half the sum of absolute differences between each row of (I, C) and ``truth`` (C,)."""
    difference = np.asarray(distributions, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    return np.abs(difference).sum(axis=1) / 2


def intraclass_correlation(colours: ArrayLike) -> float:
    """Return ICC(1) of colours (M styles, N contents, D), clipped at 0: the share of the variance
    that is between styles.

    One-way analysis of variance with styles as classes, variances summed over the D dimensions:
    (B - W) / (B + (N - 1) W), with B the mean square between styles and W within them. Source:
    Shrout and Fleiss, "Intraclass correlations", Psychological Bulletin 1979, case 1. It is nan if
    there is no variance.
    """
    x = np.asarray(colours, dtype=np.float64)
    styles, contents = x.shape[:2]
    means = x.mean(axis=1, keepdims=True)
    between = contents * float(np.square(means - x.mean(axis=(0, 1))).sum()) / (styles - 1)
    within = float(np.square(x - means).sum()) / (styles * (contents - 1))
    total = between + (contents - 1) * within
    return max(0.0, (between - within) / total) if total > 0 else math.nan


def style_consistency(
    colours: ArrayLike, protocol: dict[str, object] | None = None, groups: int = 10
) -> Measurement | None:
    """Measure style consistency from body colours (M styles, N contents, 3) in OKLab. Returns None
    if the noise changes no colour, since a deterministic translator has no styles. The interval
    adds the jackknife variances over contents and over styles. Raises UserError for fewer styles or
    contents than ``groups``."""
    x = np.asarray(colours, dtype=np.float64)
    styles, contents = x.shape[:2]
    if min(styles, contents) < groups:
        raise UserError(
            f"{styles} styles on {contents} contents: style consistency needs {groups} of each"
        )
    if float(np.ptp(x, axis=0).max()) < LEAST_SPREAD:
        return None
    value = intraclass_correlation(x)
    variance = sum(
        jackknife_variance(replicates)
        for replicates in (
            jackknife(lambda kept: intraclass_correlation(x[:, kept]), contents, groups),
            jackknife(lambda kept: intraclass_correlation(x[kept]), styles, groups),
        )
    )
    interval = jackknife_interval(value, variance, groups, "inputs and styles", (0.0, 1.0))
    counted: dict[str, object] = {"N": contents, "K": styles}
    return Measurement(CONSISTENCY.name, value, interval, counted | (protocol or {}))
