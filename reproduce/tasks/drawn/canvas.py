"""Fill polygons by winding numbers at sample points, in numpy, with equal results everywhere.

A picture is sampled SAMPLES times finer in x and y; a pixel is the average of its SAMPLES^2
samples (a box filter), counted in integers.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reproduce.tasks.drawn.content import Content, Part
from reproduce.tasks.drawn.curves import Points, ribbon

SAMPLES = 4
Bools: TypeAlias = NDArray[np.bool_]
Bytes: TypeAlias = NDArray[np.uint8]
Counts: TypeAlias = NDArray[np.int64]


def fill(points: Points, n: int) -> tuple[slice, slice, Bools]:
    """Find the samples of an (n, n) grid inside a polygon in the unit square (nonzero winding).

    Returns the rows and columns of its bounding box and the (rows, columns) mask in it.
    """
    x, y = points[:, 0] * n - 0.5, points[:, 1] * n - 0.5  # sample (r, c) lies at exactly (c, r)
    top, bottom = (int(v) for v in np.clip(np.ceil([y.min(), y.max()]), 0, n))
    left, right = (int(v) for v in np.clip(np.ceil([x.min(), x.max()]), 0, n))
    crossings = np.zeros((bottom - top, right - left + 1), dtype=np.int8)
    row = np.arange(top, bottom, dtype=np.float64)
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    below, next_below = y[:, None] <= row, next_y[:, None] <= row  # (K, rows)
    edge, r = np.nonzero(below != next_below)
    slope = (next_x[edge] - x[edge]) / (next_y[edge] - y[edge])
    column = np.ceil(x[edge] + (row[r] - y[edge]) * slope).astype(np.int64)
    direction = np.where(below[edge, r], 1, -1).astype(np.int8)
    np.add.at(crossings, (r, np.clip(column - left, 0, right - left)), direction)
    inside = np.cumsum(crossings, axis=1, dtype=np.int8)[:, :-1] != 0
    return slice(top, bottom), slice(left, right), inside


def _paint(target: Bytes, value: int, part: Part, n: int) -> None:
    rows, columns, inside = fill(part.points, n)
    window = target[rows, columns]
    if part.clip:
        inside &= window > 0
    window[inside] = value


def part_map(content: Content, n: int) -> Bytes:
    """Return (n, n): 0 for background, else 1 + the visible part's index; lines are left out."""
    target = np.zeros((n, n), dtype=np.uint8)
    for index, part in enumerate(content.parts):
        if part.width <= 0:
            _paint(target, index + 1, part, n)
    return target


def paint_lines(content: Content, parts: Bytes, least: float) -> Bytes:
    """Return ``parts`` with the thin lines painted, each at least ``least`` of the canvas wide."""
    target = parts.copy()
    for index, part in enumerate(content.parts):
        if part.width > 0:
            rows, columns, inside = _line(part, index, parts, max(part.width, least))
            target[rows, columns][inside] = index + 1
    return target


def _line(part: Part, index: int, parts: Bytes, width: float) -> tuple[slice, slice, Bools]:
    """Find the samples of a line that lie on the object and are not covered by a later part."""
    rows, columns, inside = fill(ribbon(part.points, width), len(parts))
    below = parts[rows, columns]
    return rows, columns, inside & (below > 0) & (below <= index)


def boundaries(content: Content, parts: Bytes, line_width: float) -> Bools:
    """Return (n, n): samples within ``line_width`` / 2 of a border of two parts or a thin line.

    ``parts`` is the result of part_map; ``line_width`` is in samples.
    """
    n = len(parts)
    merged, label = [0], 0
    for index, part in enumerate(content.parts):
        label = index + 1 if part.seam or part.width > 0 else label
        merged.append(label)
    seen = np.array(merged, dtype=np.uint8)[parts]
    # Differences lie between samples: left of the sample (across) or above it (down).
    across, down = np.zeros((n, n), dtype=np.bool_), np.zeros((n, n), dtype=np.bool_)
    across[:, 1:] = seen[:, 1:] != seen[:, :-1]
    down[1:] = seen[1:] != seen[:-1]
    result = _spread(across, 0.5, 0.0, line_width / 2) | _spread(down, 0.0, 0.5, line_width / 2)
    for index, part in enumerate(content.parts):
        if part.width > 0 and part.seam:
            rows, columns, inside = _line(part, index, parts, line_width / n)
            result[rows, columns] |= inside
    return result


def _spread(marks: Bools, dx: float, dy: float, radius: float) -> Bools:
    """Return samples within ``radius`` of marks shifted by (-dx, -dy); no mark is on the rim."""
    n, reach = len(marks), int(radius + 1)
    result = np.zeros_like(marks)
    for r in range(-reach, reach + 1):
        for c in range(-reach, reach + 1):
            if (r + dy) ** 2 + (c + dx) ** 2 <= radius**2:
                result[max(r, 0) : n + min(r, 0), max(c, 0) : n + min(c, 0)] |= marks[
                    max(-r, 0) : n - max(r, 0), max(-c, 0) : n - max(c, 0)
                ]
    return result


def count(samples: Bools) -> Counts:
    """Count the samples set in each pixel: (S n, S n) to (n, n), 0 to S^2."""
    n = len(samples) // SAMPLES
    total = np.zeros((n, n), dtype=np.int64)
    for r in range(SAMPLES):
        for c in range(SAMPLES):
            total += samples[r::SAMPLES, c::SAMPLES]
    return total


def blur(counts: Counts, radius: int) -> Counts:
    """Apply three box filters of 2 radius + 1 pixels in x and y; sums, not means, in integers."""
    n, span = len(counts), 2 * radius + 1
    for _ in range(6):  # alternately rows and columns: each pass transposes
        total = np.zeros((n + span, n), dtype=np.int64)
        total[radius + 1 : radius + 1 + n] = counts
        total = np.cumsum(total, axis=0)
        counts = (total[span:] - total[:-span]).T
    return counts
