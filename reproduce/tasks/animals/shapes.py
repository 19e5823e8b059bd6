"""Outlines of heads and their marks, in a head's coordinates; M outlines are one (M, K, 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from reproduce.tasks.animals.canvas import Floats
from reproduce.tasks.drawn.curves import Anchor, curve, ellipse, line, ribbon

_LEAF = np.array([0.0, 0.08, 0.2, 0.35, 0.5, 0.65, 0.8, 0.92, 1.0])
_LEAF_WIDTH = np.sqrt(4 * _LEAF * (1 - _LEAF))


@lru_cache(maxsize=256)  # most outlines are the same in every picture
def closed(anchors: tuple[Anchor, ...]) -> Floats:
    """Return a closed curve through ``anchors``."""
    points = curve(anchors)
    points.flags.writeable = False
    return points


def mirrored(right: Sequence[Anchor]) -> Floats:
    """Return a symmetric closed curve, given its right half, top to bottom, ends on the axis."""
    return closed((*right, *((-anchor[0], *anchor[1:]) for anchor in right[-2:0:-1])))


def on_side(points: Floats, side: int) -> Floats:
    """Return ``points`` of the picture's right half, mirrored to its left for ``side`` -1."""
    return points * (float(side), 1.0)


def both(points: Floats) -> Floats:
    """Return a shape (K, 2), or shapes (M, K, 2), together with the mirror images."""
    several = points if points.ndim == 3 else points[None]
    return np.concatenate([several, several * (-1.0, 1.0)])


def ovals(centres: Floats, rx: float | Floats, ry: float | Floats) -> Floats:
    """Return ellipses (M, 24, 2) around ``centres`` (M, 2), with individual or common radii."""
    radii = np.stack(np.broadcast_arrays(rx, ry, centres[:, 0])[:2], axis=-1)
    return ellipse(0, 0, 1, 1)[None] * radii[:, None] + centres[:, None]


def blots(centres: Floats, radius: float | Floats, rng: np.random.Generator) -> Floats:
    """Return irregular round spots (M, 12, 2)."""
    circle = ellipse(0, 0, 1, 1)[::2]
    count = len(centres)
    uneven = 0.78 + 0.44 * rng.random((count, 12, 1))
    uneven = (uneven + np.roll(uneven, 1, axis=1)) / 2
    stretch = 0.82 + 0.36 * rng.random((count, 1, 2))
    size = np.broadcast_to(radius, (count,))[:, None, None]
    return circle[None] * uneven * stretch * size + centres[:, None]


def leaves(strokes: Sequence[Sequence[float]] | Floats) -> Floats:
    """Return strokes (M, 16, 2) that taper at both ends, from rows x0, y0, x1, y1, width, bend.

    ``bend``: the middle's distance from the straight line, relative to its length.
    """
    rows = np.asarray(strokes, dtype=np.float64)
    start, along = rows[:, None, 0:2], rows[:, None, 2:4] - rows[:, None, 0:2]
    normal = along[..., ::-1] * (-1.0, 1.0)
    t = _LEAF[None, :, None]
    middle = start + along * t + normal * (rows[:, None, 5:6] * 4 * t * (1 - t))
    length = np.maximum(np.sqrt((along**2).sum(axis=-1, keepdims=True)), 1e-9)
    half = normal / length * (rows[:, None, 4:5] / 2) * _LEAF_WIDTH[None, :, None]
    return np.concatenate([middle + half, (middle - half)[:, -2:0:-1]], axis=1)


def shaken(strokes: Sequence[Sequence[float]], rng: np.random.Generator, by: float) -> Floats:
    """Shift every number in ``strokes`` (the bend too) by a random amount, at most ``by``."""
    rows = np.asarray(strokes, dtype=np.float64)
    return rows + by * (2 * rng.random(rows.shape) - 1)


def shaken_sides(
    strokes: Sequence[Sequence[float]], rng: np.random.Generator, by: float, wide: float
) -> Floats:
    """Return the right half's strokes and mirrored ones, each half shaken independently.

    Strokes are ``wide`` times as wide; shapes are as in ``leaves``.
    """
    right, left = (shaken(strokes, rng, by) * (1, 1, 1, 1, wide, 1) for _ in range(2))
    return np.concatenate([leaves(right), leaves(left) * (-1.0, 1.0)])


def path(width: float, *anchors: Anchor) -> Floats:
    """Return the outline of a line of ``width`` through ``anchors``."""
    return ribbon(line(*anchors), width)


def scattered(
    step: float, rng: np.random.Generator, low: tuple[float, float], high: tuple[float, float]
) -> Floats:
    """Return points (M, 2) of a randomly shifted hexagonal grid in a box, about ``step`` apart."""
    rows = np.arange(low[1], high[1], step * 0.87)
    columns = np.arange(low[0], high[0], step)
    x = np.broadcast_to(columns[None], (len(rows), len(columns)))
    x = x + step / 2 * (np.arange(len(rows)) % 2)[:, None]
    y = np.broadcast_to(rows[:, None], x.shape)
    grid = np.stack([x, y], axis=-1).reshape(-1, 2)
    return grid + step * 0.28 * (2 * rng.random(grid.shape) - 1)
