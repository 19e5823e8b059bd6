"""The content of a drawn picture, independent of its colours: parts painted over each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from reproduce.tasks.drawn.curves import Points

Factors: TypeAlias = dict[str, float | str]  # by name: the factors of a content or style

ROLES = (
    "body",  # takes the pattern
    "panel",  # toe cap, heel counter, flap, pocket: body material
    "accent",  # side marks, saddle, bow
    "sole",
    "heel",
    "strap",  # straps and handles
    "lining",  # the visible inside
    "metal",  # buckles and clasps
    "lace",
    "stitch",
)

WIDTH = 0.79  # largest silhouette, relative to the canvas
HEIGHT = 0.84


@dataclass(frozen=True, eq=False)
class Part:
    """One part: a polygon, or a thin line if ``width`` is positive.

    ``clip``: paint it only over earlier parts. A line is a single line in the edge map (where its
    two edges would merge) and a thin band in the photo. ``seam``: False hides the border with the
    previous part from the edge map, or all of a line.
    """

    role: str
    points: Points
    clip: bool = False
    width: float = 0.0
    seam: bool = True


@dataclass(frozen=True)
class Content:
    """A silhouette with its parts in the unit square, y pointing down; compared by its factors."""

    kind: str
    category: str
    facing: str  # "left" or "right"
    factors: tuple[tuple[str, float | str], ...]
    parts: tuple[Part, ...] = field(compare=False, repr=False)

    def as_dict(self) -> Factors:
        """Return the factors as a flat dict; lengths are in units of the object's base length."""
        head: Factors = {"kind": self.kind, "category": self.category, "facing": self.facing}
        return head | dict(self.factors)


def place(
    kind: str, category: str, facing: str, factors: Factors, parts: list[Part], fill: float
) -> Content:
    """Centre ``parts`` (any unit, y up, facing right) in the unit square (y down).

    ``fill`` scales the silhouette; 1 is the usual size.
    """
    outline = np.concatenate([part.points for part in parts if not part.clip])
    low, high = outline.min(axis=0), outline.max(axis=0)
    extent = high - low
    scale = fill * min(WIDTH / extent[0], HEIGHT / extent[1])
    flip = np.array([-1.0 if facing == "left" else 1.0, -1.0])
    placed = tuple(
        # Round to a grid of 1/16384, to remove rounding errors that differ between machines.
        Part(
            part.role,
            np.round(((part.points - (low + high) / 2) * flip * scale + 0.5) * 16384) / 16384,
            part.clip,
            float(part.width * scale),
            part.seam,
        )
        for part in parts
    )
    return Content(kind, category, facing, tuple(factors.items()), placed)
