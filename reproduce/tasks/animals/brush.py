"""A brush that paints in a head's coordinates, and what distinguishes one head from another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from reproduce.tasks.animals.canvas import Canvas, Floats
from reproduce.tasks.animals.pose import Frame
from reproduce.tasks.animals.style import Coat
from reproduce.tasks.drawn.curves import Anchor
from reproduce.tasks.drawn.palette import LCH

Anchors: TypeAlias = tuple[Anchor, ...]


@dataclass(frozen=True)
class Anatomy:
    """A head's shape. Lengths are in half widths of the head; the origin is between the eyes, x
    points right and y down.

    ``skull``: the right half of the outline, top to bottom; ``ear``: the right ear's outline,
    from the inner end of its base over the tip to the outer end.
    """

    unit: float  # half the head's width, relative to the picture's width
    level: float  # height of the head's origin in the picture, from the top
    skull: Anchors
    ear: Anchors
    ear_inner: Anchors
    hanging: bool  # ears that hang in front of the cheeks
    neck: float
    shoulder: float
    eye: tuple[float, float]  # position of the right eye
    eye_radii: tuple[float, float]
    slant: float  # height of the eyes' outer corners
    pupil: tuple[float, float]  # its radii, in half the eye's height
    iris: float  # its radius, in half the eye's height; from 1 on it fills the eye
    nose_y: float
    nose: tuple[float, float]  # half width, height
    broad_nose: bool
    puff: tuple[float, float]  # position of the right half of the upper lip
    puff_radii: tuple[float, float]
    mouth: float  # half width when closed
    chin: float  # half width
    snout: float  # depth of the nose in front of the face
    feline: bool  # long whiskers, and a tongue inside the mouth


def with_ears(anatomy: Anatomy, root: tuple[float, float], wide: float, high: float) -> Anatomy:
    """Return the head with its ears scaled by ``wide`` and ``high`` around ``root``."""

    def scaled(anchors: Anchors) -> Anchors:
        return tuple(
            (root[0] + (x - root[0]) * wide, root[1] + (y - root[1]) * high, *corner)
            for x, y, *corner in anchors
        )

    return replace(anatomy, ear=scaled(anatomy.ear), ear_inner=scaled(anatomy.ear_inner))


@dataclass
class Brush:
    """Paints on a canvas: on the face, at a depth, on the body."""

    canvas: Canvas
    frame: Frame
    anatomy: Anatomy
    coat: Coat
    rng: np.random.Generator  # for the layout of stripes and spots
    skull: Floats = field(init=False)  # coverage, (size, size)
    chest: Floats = field(init=False)

    def face(self, points: Floats, colour: LCH, alpha: float = 1.0) -> None:
        """Fill shapes on the face, within the skull."""
        self.canvas.paint(self.frame.face(points), colour, alpha, self.skull)

    def snout(
        self, points: Floats, colour: LCH, alpha: float = 1.0, clip: Floats | None = None
    ) -> None:
        """Fill shapes on the muzzle, which extends beyond the face and its outline."""
        self.canvas.paint(self.on_snout(points), colour, alpha, clip)

    def on_snout(self, points: Floats) -> Floats:
        """Map shapes on the muzzle to the unit square; depth increases towards the nose."""
        top = self.anatomy.eye[1] + 0.05
        share = np.clip((points[..., 1] - top) / (self.anatomy.nose_y - top), 0.0, 1.0)
        lift = self.anatomy.snout * share * share * (3 - 2 * share)
        return self.frame.face(points, lift)

    def flat(self, points: Floats, colour: LCH, depth: float) -> None:
        """Fill shapes at one depth."""
        self.canvas.paint(self.frame.flat(points, depth), colour)

    def body(self, points: Floats, colour: LCH, alpha: float = 1.0) -> None:
        """Fill shapes on the body, clipped to it."""
        self.canvas.paint(self.frame.upright(points), colour, alpha, self.chest)

    def glow(
        self,
        x: float,
        y: float,
        radii: tuple[float, float],
        colour: LCH,
        alpha: float,
        clip: Floats | None = None,
    ) -> None:
        """Paint a soft ellipse on the face, clipped to the skull or ``clip``."""
        centre = self.frame.face(np.array([x, y]))
        unit = self.frame.unit * self.frame.pose.scale
        within = self.skull if clip is None else clip
        self.canvas.glow(centre, (radii[0] * unit, radii[1] * unit), colour, alpha, within)


Marks: TypeAlias = Callable[[Brush], None]


def nothing(brush: Brush) -> None:
    """Paint no marks."""


@dataclass(frozen=True)
class Look:
    """The look of a mode in one of its styles."""

    anatomy: Anatomy
    coat: Coat
    face: Marks = nothing  # painted on the skull
    muzzle: Marks = nothing  # painted after the muzzle, below nose and mouth
    ears: Marks = nothing  # painted on ears
    body: Marks = nothing  # painted on the chest
    behind: Marks = nothing  # a mane
