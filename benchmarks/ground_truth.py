"""Exact scores on drawn pictures, whose factors are known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from benchmarks.intervals import bootstrap_mean
from benchmarks.registry import Measurement, Metric, register
from models.errors import UserError

SILHOUETTE = register(
    Metric(
        name="silhouette-iou",
        unit="IoU",
        direction="higher",
        protocol=(
            "mean over inputs of the intersection over union of the translation's silhouette "
            "(the pixels that are not background) and the true one"
        ),
        limits=(0.0, 1.0),
    )
)
BACKGROUND = 0.92  # of full white, in every channel: what is drawn is darker
VISIBLE = 0.1  # share of a pixel from which on the object shows in it


def silhouette(picture: Tensor) -> Tensor:
    """Where a picture (3, H, W) in [-1, 1] on white ground is not background: (H, W) bool.

    Holes are the background's too: what is white counts as background wherever it lies.
    """
    return ((picture + 1) / 2).amin(dim=0) < BACKGROUND


def silhouette_iou(
    pictures: Mapping[str, Tensor], masks: Mapping[str, Tensor], seed: int = 0
) -> Measurement:
    """Agreement of translations with the true silhouettes ((H, W) in [0, 1], by the same ids)."""
    if not pictures or set(pictures) - set(masks):
        raise UserError(
            f"no true silhouette for {sorted(set(pictures) - set(masks))[:3] or 'any input'}: "
            "draw the task again"
        )
    scores = []
    for name in sorted(pictures):
        found, true = silhouette(pictures[name]), masks[name] > VISIBLE
        union = (found | true).sum().item()
        scores.append((found & true).sum().item() / union if union else 1.0)
    value = float(torch.tensor(scores, dtype=torch.float64).mean())
    protocol = {"protocol": "first sample of each input", "N": len(scores)}
    return Measurement(SILHOUETTE.name, value, bootstrap_mean(scores, seed), protocol)
