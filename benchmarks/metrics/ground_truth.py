"""Scores of content preservation on drawn pictures, whose true factors are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor

from benchmarks.intervals import bootstrap_mean
from benchmarks.metric import Measurement, Metric

SILHOUETTE = Metric(
    name="silhouette-iou",
    unit="IoU",
    direction="higher",
    protocol="mean over inputs of the intersection over union of the translation's silhouette "
    "(the pixels that are not background) and the true one",
    limits=(0.0, 1.0),
    title="Silhouette IoU",
)
BACKGROUND = 0.92  # of full white, in every channel; drawn objects are darker
VISIBLE = 0.1  # smallest share of a pixel at which the object is visible in it

PARTS = Metric(
    name="parts-auc",
    unit="AUC",
    direction="higher",
    protocol="mean over inputs and samples of the probability that a pixel on a border between two "
    "true parts has more contrast in the translation than one inside a part; 0.5 is chance",
    limits=(0.0, 1.0),
    title="Parts AUC",
    digits=2,
)
CATEGORY = Metric(
    name="category-kept",
    unit="share",
    direction="higher",
    protocol="share of translations that a classifier puts into the category of their input, mean "
    "over inputs",
    limits=(0.0, 1.0),
    digits=2,
)
INK, PAPER = 0.5, 0.05  # darkness of a pixel on a border, and of one away from any
FEWEST = 8  # pixels of either kind that an input needs to be judged


def silhouette(picture: Tensor) -> Tensor:
    """Return where a picture (3, H, W) in [-1, 1] is not white background: (H, W) bool."""
    return ((picture + 1) / 2).amin(dim=0) < BACKGROUND


def silhouette_iou(
    pictures: Mapping[str, Tensor], masks: Mapping[str, Tensor], seed: int = 0
) -> Measurement:
    """Measure the IoU of translations with the true silhouettes ((H, W) in [0, 1], same ids)."""
    scores = []
    for name in sorted(pictures):
        found, true = silhouette(pictures[name]), masks[name] > VISIBLE
        union = (found | true).sum().item()
        scores.append((found & true).sum().item() / union if union else 1.0)
    value = float(torch.tensor(scores, dtype=torch.float64).mean())
    protocol = {"protocol": "first sample of each input", "N": len(scores)}
    return Measurement(SILHOUETTE.name, value, bootstrap_mean(scores, seed), protocol)


def _highest(picture: Tensor, radius: int = 1) -> Tensor:
    """Return the maximum over the square around each pixel, per channel: (C, H, W)."""
    return F.max_pool2d(picture[None], 2 * radius + 1, 1, radius)[0]


def contrast(picture: Tensor) -> Tensor:
    """Return the morphological gradient (H, W) of a picture (3, H, W): the range over the
    surrounding 3x3 pixels, in the channel where it is largest. High on both sides of a border."""
    return (_highest(picture) + _highest(-picture)).amax(dim=0)


def part_borders(edges: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels (H, W) bool on a border between two parts, and those away from any border.
    Both exclude the outline, which silhouette IoU measures. ``edges``: an edge map (3, H, W) in
    [-1, 1], black on white; ``mask``: the silhouette (H, W) in [0, 1]."""
    ink = (1 - edges.mean(dim=0)) / 2
    inside = -_highest(-mask[None])[0] > 0.999
    return inside & (ink > INK), inside & (_highest(ink[None])[0] < PAPER)


def parts_auc(picture: Tensor, borders: tuple[Tensor, Tensor]) -> float | None:
    """Return the area under the ROC curve of contrast as a detector of the true borders between
    parts; None for an input with fewer than 8 pixels of either kind."""
    on, off = borders
    if min(int(on.sum()), int(off.sum())) < FEWEST:
        return None
    found = contrast(picture)
    return rank_auc(found[on].double().numpy(), found[off].double().numpy())


def rank_auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Return the probability that one of ``higher`` exceeds one of ``lower``; ties count half."""
    ranks = stats.rankdata(np.concatenate([higher, lower]))
    count = len(higher)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / (count * len(lower)))


def mean_over_inputs(
    metric: Metric, per_input: Sequence[float], seed: int, protocol: Mapping[str, object]
) -> Measurement:
    """Measure the mean of one value per input, with its bootstrap interval."""
    value = float(np.mean(np.asarray(per_input, dtype=np.float64)))
    counted = {"N": len(per_input)} | dict(protocol)
    return Measurement(metric.name, value, bootstrap_mean(per_input, seed), counted)
