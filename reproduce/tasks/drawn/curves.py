"""Outlines: smooth Bezier curves through a few anchors, in any unit, y pointing up.

Only sums, products and square roots are used, so equal anchors give equal points everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float64]  # (K, 2): x, y
Anchor: TypeAlias = tuple[float, ...]  # (x, y): smooth; (x, y, 0): a corner

_T = np.arange(10)[:, None] / 10.0
_BERNSTEIN = ((1 - _T) ** 3, 3 * _T * (1 - _T) ** 2, 3 * _T**2 * (1 - _T), _T**3)
# A regular 24-gon's corners, by repeated rotation instead of the platform's sine.
_COS15 = (np.sqrt(6.0) + np.sqrt(2.0)) / 4
_SIN15 = (np.sqrt(6.0) - np.sqrt(2.0)) / 4
_ROTATION = np.array([[_COS15, _SIN15], [-_SIN15, _COS15]])


def _circle() -> Points:
    corner, corners = np.array([1.0, 0.0]), []
    for _ in range(24):
        corners.append(corner)
        corner = corner @ _ROTATION
    return np.array(corners)


_CIRCLE = _circle()


def curve(anchors: Sequence[Anchor], closed: bool = True) -> Points:
    """Return a cubic Bezier curve through ``anchors``, 10 points per segment.

    A tangent is parallel to the chord of the two neighbours and a third of its segment long, so
    unevenly spaced anchors do not overshoot. Corners have no common tangent.
    """
    xy = np.array([anchor[:2] for anchor in anchors], dtype=np.float64)
    corner = np.array([len(anchor) == 3 for anchor in anchors])
    following = np.roll(xy, -1, axis=0)
    tangent = following - np.roll(xy, 1, axis=0)
    if not closed:
        corner[[0, -1]] = True
    tangent /= np.maximum(np.sqrt((tangent**2).sum(axis=1, keepdims=True)), 1e-9)
    chord = following - xy
    third = np.sqrt((chord**2).sum(axis=1, keepdims=True)) / 3
    leave = np.where(corner[:, None], chord / 3, tangent * third)
    arrive = np.where(np.roll(corner, -1)[:, None], chord / 3, np.roll(tangent, -1, axis=0) * third)
    controls = (xy, xy + leave, following - arrive, following)
    points = sum(b[None] * c[:, None] for b, c in zip(_BERNSTEIN, controls, strict=True))
    flat: Points = np.asarray(points).reshape(-1, 2)
    if closed:
        return flat
    return np.concatenate([flat[: 10 * (len(xy) - 1)], xy[-1:]])


def line(*anchors: Anchor) -> Points:
    """Return an open smooth curve through ``anchors``."""
    return curve(anchors, closed=False)


def ribbon(path: Points, width: float, end_width: float | None = None) -> Points:
    """Return the outline of a band of ``width`` (to ``end_width``) along an open ``path``."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.sqrt((along**2).sum(axis=1, keepdims=True)), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    end = width if end_width is None else end_width
    half = (width + (end - width) * np.linspace(0, 1, len(path)))[:, None] / 2
    return np.concatenate([path + normal * half, (path - normal * half)[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float) -> Points:
    """Return a 24-gon inscribed in the ellipse around (x, y)."""
    return _CIRCLE * (rx, ry) + (x, y)


def box(x0: float, y0: float, x1: float, y1: float, r: float = 0.0) -> Points:
    """Return a rectangle with corners rounded by radius ``r``."""
    if r <= 0:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    middles = [(x1 - r, y1 - r), (x0 + r, y1 - r), (x0 + r, y0 + r), (x1 - r, y0 + r)]
    circle = np.concatenate([_CIRCLE, _CIRCLE[:1]]) * r
    return np.concatenate([circle[6 * i : 6 * i + 7] + m for i, m in enumerate(middles)])
