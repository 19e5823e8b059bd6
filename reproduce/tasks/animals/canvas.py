"""Paint anti-aliased polygons and soft ellipses over each other, in numpy.

A pixel's coverage is exact horizontally and sampled on SCANS lines vertically, in integer
arithmetic. Only sums, products and quotients are used, so every machine gives the same picture.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reproduce.tasks.drawn.palette import LCH, to_rgb

SCANS = 4
_STEPS = 256  # subpixel positions to which crossings of outlines are rounded
Floats: TypeAlias = NDArray[np.float64]
Bytes: TypeAlias = NDArray[np.uint8]


@lru_cache(maxsize=4096)
def _rgb(colour: LCH) -> Floats:
    return np.array(to_rgb(colour), dtype=np.float64)


def _next(values: NDArray[Any]) -> NDArray[Any]:
    """Return each point's successor's value along the last axis, cyclically."""
    following = np.empty_like(values)
    following[..., :-1] = values[..., 1:]
    following[..., -1] = values[..., 0]
    return following


def cover(points: Floats, n: int) -> tuple[slice, slice, Floats]:
    """Compute how much of each pixel of an (n, n) picture polygons in the unit square cover.

    ``points``: (K, 2), or (M, K, 2) for the union of M polygons; x to the right, y down. Returns
    the rows and columns of a bounding box and the coverage in it, 0 to 1.
    """
    x = points[..., 0] * n
    y = points[..., 1] * (n * SCANS) - 0.5  # scan line r lies at exactly r
    line = np.minimum(np.maximum(np.ceil(y), 0), n * SCANS).astype(np.int64)  # the next one down
    next_x, next_y, next_line = _next(x), _next(y), _next(line)
    area = (next_x * y - x * next_y).sum(axis=-1, keepdims=True)
    # Orient all outlines alike, so that overlaps never cancel.
    weight = (np.sign(next_line - line) * np.sign(area) * _STEPS).ravel()
    first, last = np.minimum(line, next_line).ravel(), np.maximum(line, next_line).ravel()
    top, bottom = int(first.min()) // SCANS, -(-int(last.max()) // SCANS)
    left = min(max(int(np.floor(x.min())), 0), n)
    right = min(max(int(np.ceil(x.max())), 0), n)
    width = right - left + 2
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(edge)) + (first - np.cumsum(count) + count)[edge]
    x, y = x.ravel() - left, y.ravel()
    slope = (next_x.ravel() - left - x) / np.where(count > 0, next_y.ravel() - y, 1.0)
    crossing = np.minimum(np.maximum(x[edge] + (row - y[edge]) * slope[edge], 0), right - left)
    step = (crossing * _STEPS + 0.5).astype(np.int64)
    cell = (row // SCANS - top) * width + step // _STEPS
    here = weight[edge]
    beyond = here * (step % _STEPS) / _STEPS
    sums = np.bincount(
        np.concatenate([cell, cell + 1]),
        np.concatenate([here - beyond, beyond]),
        minlength=(bottom - top) * width,
    ).reshape(bottom - top, width)
    full = float(SCANS * _STEPS)
    inside = np.minimum(np.maximum(np.cumsum(sums, axis=1)[:, : right - left], 0), full)
    share: Floats = inside / full
    return slice(top, bottom), slice(left, right), share


class Canvas:
    """A square picture to paint on: ``rgb`` is (size, size, 3), sRGB 0 to 255."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rgb: Floats = np.zeros((size, size, 3))
        self._middles = (np.arange(size) + 0.5) / size

    def shape(self, points: Floats) -> Floats:
        """Return the coverage (size, size) of polygons, to clip others by."""
        whole = np.zeros((self.size, self.size))
        rows, columns, share = cover(points, self.size)
        whole[rows, columns] = share
        return whole

    def paint(
        self, points: Floats, colour: LCH, alpha: float = 1.0, clip: Floats | None = None
    ) -> None:
        """Fill polygons with a colour of opacity ``alpha``, multiplied by ``clip``."""
        rows, columns, share = cover(points, self.size)
        self._blend(rows, columns, share * alpha, colour, clip)

    def glow(
        self,
        centre: Floats,
        radii: tuple[float, float],
        colour: LCH,
        alpha: float,
        clip: Floats | None = None,
    ) -> None:
        """Paint an ellipse that fades from ``alpha`` in its middle to 0 at its border."""
        spans = []
        for middle, radius in zip(centre, radii, strict=True):
            low, high = np.floor(np.array([middle - radius, middle + radius + 1]) * self.size)
            spans.append(slice(max(int(low), 0), max(min(int(high), self.size), 0)))
        columns, rows = spans
        x = (self._middles[columns] - centre[0]) / radii[0]
        y = (self._middles[rows] - centre[1]) / radii[1]
        near = np.maximum(1.0 - x[None, :] ** 2 - y[:, None] ** 2, 0.0)
        self._blend(rows, columns, near * near * (3.0 - 2.0 * near) * alpha, colour, clip)

    def _blend(
        self, rows: slice, columns: slice, share: Floats, colour: LCH, clip: Floats | None
    ) -> None:
        if clip is not None:
            share = share * clip[rows, columns]
        window = self.rgb[rows, columns]
        window += share[:, :, None] * (_rgb(colour) - window)

    def pixels(self) -> Bytes:
        """Return the picture as (size, size, 3) sRGB bytes."""
        return np.floor(self.rgb + 0.5).astype(np.uint8)
