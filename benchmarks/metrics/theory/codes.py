"""Content codes as rows of numbers, batch by batch, and a classifier that tells the domains of codes
apart, tried on codes that it did not learn from.

Kernel ridge regression onto -1 and 1 with a Gaussian kernel: as flexible as a small network, but
convex, so that equal codes give equal numbers, in less than a second. The bandwidth is the median
distance, the ridge that with the least leave-one-out error (in closed form), both of the codes
that are learned from. Source: Rasmussen and Williams, "Gaussian processes for machine learning",
2006, sections 2.2 and 5.4.2.
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

GRID = 16  # a side of the maps that are compared; larger ones are averaged
COARSE = 4  # a side of the maps that the classifier sees
FloatRows = NDArray[np.float32]
FOLDS = 5
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
FLAT = 1e-3  # of the mean deviation: what varies less is not magnified
UNDECIDED = 1e-9  # rounding alone says as much
SPLITS = 4
SEED = 0  # of folds and splits: the same for every network


@dataclass(frozen=True)
class Codes:
    """Codes of N pictures: ``maps`` (N, D) are compared, ``summary`` (N, E) is classified."""

    maps: FloatRows
    summary: FloatRows

    def __post_init__(self) -> None:
        if not (np.isfinite(self.maps).all() and np.isfinite(self.summary).all()):
            raise UserError("codes must be finite, got NaN or infinity: use another checkpoint")

    def __len__(self) -> int:
        return len(self.maps)


@torch.no_grad()
def describe(codes: Tensor) -> Codes:
    """Codes (N, C, H, W) as rows: the map, averaged to at most 16 x 16, and for the classifier each
    channel's mean, deviation, least and greatest value and its map averaged to at most 4 x 4."""
    codes = codes.float()
    places = (2, 3)
    parts = [
        codes.mean(places), codes.std(places, correction=0), codes.amin(places), codes.amax(places),
        _averaged(codes, COARSE).flatten(1),
    ]  # fmt: skip
    maps = _averaged(codes, GRID).flatten(1)
    return Codes(maps.cpu().numpy(), torch.cat(parts, dim=1).cpu().numpy())


def joined(parts: Sequence[Codes]) -> Codes:
    """Batches as one."""
    return Codes(
        np.concatenate([part.maps for part in parts]),
        np.concatenate([part.summary for part in parts]),
    )


def _averaged(codes: Tensor, side: int) -> Tensor:
    return adaptive_avg_pool2d(codes, (min(side, codes.shape[2]), min(side, codes.shape[3])))


def domain_hits(a: Points, b: Points) -> FloatArray:
    """Whether the domain of each code was found, (2, N) of 1, 0 and, undecided, 0.5. ``a``, ``b``
    (N, D): as many features of either domain's codes. Every code is tried once, by one of ``FOLDS``
    classifiers. Codes a[i] and b[i] are learned from together or not at all: classes stay of one
    size, and where the two are a pair, neither gives the other away."""
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
    """A control, about 0.5: the same classifier on two halves, drawn at random, of one domain's
    codes (N, D); mean over ``SPLITS`` draws."""
    half = len(codes) // 2
    shares = []
    for k in range(SPLITS):
        order = np.random.default_rng([0x7E3, SEED, len(codes), k]).permutation(len(codes))
        hits = domain_hits(codes[order[:half]], codes[order[half : 2 * half]])
        shares.append(hits.mean())
    return float(np.mean(shares))


def _predictions(learned: FloatArray, labels: FloatArray, tried: FloatArray) -> FloatArray:
    """What the classifier says of ``tried``: below 0 for one domain, above for the other."""
    mean, deviation = learned.mean(axis=0), learned.std(axis=0)
    scale = deviation + FLAT * deviation.mean() + np.finfo(np.float64).tiny
    x, y = (learned - mean) / scale, (tried - mean) / scale
    squared = squared_distances(x, x)
    bandwidth = median_distance(squared)
    values, vectors = np.linalg.eigh(gaussian(squared, bandwidth))
    values = np.maximum(values, 0.0)
    turned = vectors.T @ labels

    def left_out(ridge: float) -> float:
        """Mean squared error of predicting each label from all the others."""
        shrink = values / (values + ridge)
        own = np.square(vectors) @ shrink
        return float(np.square((labels - vectors @ (shrink * turned)) / (1 - own)).mean())

    ridge = min(RIDGES, key=left_out)
    answers = vectors @ (turned / (values + ridge))
    return gaussian(squared_distances(y, x), bandwidth) @ answers
