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
    """Lengths in half widths of the head, from between the eyes, x to the right, y down.

    ``skull``: the right half of the outline, top to bottom; ``ear``: the right ear's outline,
    from the inner end of its base over the tip to the outer end.
    """

    unit: float  # half the head's width, in widths of the picture
    level: float  # how far down the picture the head's origin lies
    skull: Anchors
    ear: Anchors
    ear_inner: Anchors
    hanging: bool  # ears that hang in front of the cheeks
    neck: float
    shoulder: float
    eye: tuple[float, float]  # where the right one is
    eye_radii: tuple[float, float]
    slant: float  # how much higher the eyes' outer corners are
    pupil: tuple[float, float]  # its radii, in half the eye's height
    iris: float  # its radius, in half the eye's height; 1 and above: it fills the eye
    nose_y: float
    nose: tuple[float, float]  # half width, height
    broad_nose: bool
    puff: tuple[float, float]  # where the right half of the upper lip is
    puff_radii: tuple[float, float]
    mouth: float  # half width when closed
    chin: float  # half width
    snout: float  # how far the nose stands out
    feline: bool  # long whiskers, and a tongue that stays in the mouth


def with_ears(anatomy: Anatomy, root: tuple[float, float], wide: float, high: float) -> Anatomy:
    """The same head with ears so many times as wide and high, seen from ``root``."""

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
    rng: np.random.Generator  # of the layout of stripes and spots
    skull: Floats = field(init=False)  # coverage, (size, size)
    chest: Floats = field(init=False)

    def face(self, points: Floats, colour: LCH, alpha: float = 1.0) -> None:
        """Fill shapes on the face, within the skull."""
        self.canvas.paint(self.frame.face(points), colour, alpha, self.skull)

    def snout(
        self, points: Floats, colour: LCH, alpha: float = 1.0, clip: Floats | None = None
    ) -> None:
        """Fill shapes on the muzzle, which stands out of the face and its outline."""
        self.canvas.paint(self.on_snout(points), colour, alpha, clip)

    def on_snout(self, points: Floats) -> Floats:
        """Shapes of the muzzle in the unit square: the nearer the nose, the further in front."""
        top = self.anatomy.eye[1] + 0.05
        share = np.clip((points[..., 1] - top) / (self.anatomy.nose_y - top), 0.0, 1.0)
        lift = self.anatomy.snout * share * share * (3 - 2 * share)
        return self.frame.face(points, lift)

    def flat(self, points: Floats, colour: LCH, depth: float) -> None:
        """Fill shapes that stand at one depth."""
        self.canvas.paint(self.frame.flat(points, depth), colour)

    def body(self, points: Floats, colour: LCH, alpha: float = 1.0) -> None:
        """Fill shapes on the body, within it."""
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
        """A soft ellipse on the face, within the skull or ``clip``."""
        centre = self.frame.face(np.array([x, y]))
        unit = self.frame.unit * self.frame.pose.scale
        within = self.skull if clip is None else clip
        self.canvas.glow(centre, (radii[0] * unit, radii[1] * unit), colour, alpha, within)


Marks: TypeAlias = Callable[[Brush], None]


def nothing(brush: Brush) -> None:
    """No marks."""


@dataclass(frozen=True)
class Look:
    """A mode in one of its styles."""

    anatomy: Anatomy
    coat: Coat
    face: Marks = nothing  # painted on the skull
    muzzle: Marks = nothing  # painted after the muzzle, below nose and mouth
    ears: Marks = nothing  # painted on ears
    body: Marks = nothing  # painted on the chest
    behind: Marks = nothing  # a mane
