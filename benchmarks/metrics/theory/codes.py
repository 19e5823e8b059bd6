"""Content codes as vectors, and a cross-validated classifier of their domains.

The classifier is kernel ridge regression onto -1 and 1 with a Gaussian kernel: as flexible as a
small network but convex, so equal codes give equal results, in less than a second. The bandwidth is
the median distance, and the ridge minimises the leave-one-out error (in closed form), both on the
training codes. Source: Rasmussen and Williams, "Gaussian processes for machine learning", 2006,
sections 2.2 and 5.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from benchmarks.intervals import FloatArray
from benchmarks.metrics.theory.kernels import Points, gaussian, median_distance, squared_distances
from models.errors import UserError

GRID = 16  # largest side of the maps that are compared; larger maps are averaged
COARSE = 4  # largest side of the maps that the classifier sees
FloatRows = NDArray[np.float32]
FOLDS = 5
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
FLAT = 1e-3  # of the mean deviation: prevents nearly constant features from being magnified
UNDECIDED = 1e-9  # predictions as small as rounding errors
SPLITS = 4
SEED = 0  # of folds and splits, the same for every network


@dataclass(frozen=True)
class Codes:
    """Codes of N pictures: ``maps`` (N, D) for comparisons, ``summary`` (N, E) for the
    classifier."""

    maps: FloatRows
    summary: FloatRows

    def __post_init__(self) -> None:
        if not (np.isfinite(self.maps).all() and np.isfinite(self.summary).all()):
            raise UserError("codes must be finite, got NaN or infinity: use another checkpoint")

    def __len__(self) -> int:
        return len(self.maps)


@torch.no_grad()
def describe(codes: Tensor) -> Codes:
    """Flatten codes (N, C, H, W) to vectors: the map, averaged to at most 16 x 16, and for the
    classifier each channel's mean, deviation, extremes and its map averaged to at most 4 x 4."""
    codes = codes.float()
    places = (2, 3)
    parts = [
        codes.mean(places), codes.std(places, correction=0), codes.amin(places), codes.amax(places),
        _averaged(codes, COARSE).flatten(1),
    ]  # fmt: skip
    maps = _averaged(codes, GRID).flatten(1)
    return Codes(maps.cpu().numpy(), torch.cat(parts, dim=1).cpu().numpy())


def joined(parts: Sequence[Codes]) -> Codes:
    """Concatenate batches of codes."""
    return Codes(
        np.concatenate([part.maps for part in parts]),
        np.concatenate([part.summary for part in parts]),
    )


def _averaged(codes: Tensor, side: int) -> Tensor:
    return adaptive_avg_pool2d(codes, (min(side, codes.shape[2]), min(side, codes.shape[3])))


def domain_hits(a: Points, b: Points) -> FloatArray:
    """Return whether the domain of each code was found: (2, N) of 1, 0 and, undecided, 0.5.

    ``a``, ``b`` (N, D): codes of the two domains, equally many. Every code is tested once, in
    ``FOLDS``-fold cross-validation. a[i] and b[i] are in the same fold: classes stay balanced, and
    a pair is never split between training and test codes."""
    count = len(a)
    order = np.random.default_rng([0x7E2, SEED, count]).permutation(count)
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % FOLDS
    fold = np.tile(fold, 2)
    features = np.concatenate([a, b]).astype(np.float64)
    labels = np.repeat([-1.0, 1.0], count)
    hits = np.empty(2 * count)
    for k in range(min(FOLDS, count)):
        tried = fold == k
        said = _predictions(features[~tried], labels[~tried], features[tried])
        decided = np.where(np.abs(said) > UNDECIDED, np.sign(said), 0.0)
        hits[tried] = (decided * labels[tried] + 1) / 2
    return hits.reshape(2, count)


def same_domain_accuracy(codes: Points) -> float:
    """Return a control, about 0.5: the accuracy of the same classifier on two random halves of one
    domain's codes (N, D), averaged over ``SPLITS`` draws."""
    half = len(codes) // 2
    shares = []
    for k in range(SPLITS):
        order = np.random.default_rng([0x7E3, SEED, len(codes), k]).permutation(len(codes))
        hits = domain_hits(codes[order[:half]], codes[order[half : 2 * half]])
        shares.append(hits.mean())
    return float(np.mean(shares))


def _predictions(learned: FloatArray, labels: FloatArray, tried: FloatArray) -> FloatArray:
    """Return predictions for the codes ``tried``: < 0 for one domain, > 0 for the other."""
    mean, deviation = learned.mean(axis=0), learned.std(axis=0)
    scale = deviation + FLAT * deviation.mean() + np.finfo(np.float64).tiny
    x, y = (learned - mean) / scale, (tried - mean) / scale
    squared = squared_distances(x, x)
    bandwidth = median_distance(squared)
    values, vectors = np.linalg.eigh(gaussian(squared, bandwidth))
    values = np.maximum(values, 0.0)
    turned = vectors.T @ labels

    def left_out(ridge: float) -> float:
        """Return the mean squared leave-one-out error."""
        shrink = values / (values + ridge)
        own = np.square(vectors) @ shrink
        return float(np.square((labels - vectors @ (shrink * turned)) / (1 - own)).mean())

    ridge = min(RIDGES, key=left_out)
    answers = vectors @ (turned / (values + ridge))
    return gaussian(squared_distances(y, x), bandwidth) @ answers
