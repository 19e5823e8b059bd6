"""Big cats: long faces, round ears, small eyes, broad noses, heavy muzzles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reproduce.tasks.animals.brush import Anatomy, Brush, Look, with_ears
from reproduce.tasks.animals.canvas import Floats
from reproduce.tasks.animals.shapes import (
    blots,
    both,
    leaves,
    mirrored,
    scattered,
    shaken,
    shaken_sides,
)
from reproduce.tasks.animals.style import INK, WHITE, Coat, Style, tone
from reproduce.tasks.drawn.curves import ellipse
from reproduce.tasks.drawn.palette import LCH

BIG = Anatomy(
    unit=0.305,
    level=0.475,
    skull=(
        (0.0, -0.90),
        (0.42, -0.82),
        (0.76, -0.50),
        (0.92, -0.04),
        (0.96, 0.36),
        (0.84, 0.68),
        (0.56, 0.98),
        (0.28, 1.10),
        (0.0, 1.12),
    ),
    ear=((0.40, -0.60, 0), (0.48, -0.93), (0.76, -1.06), (0.99, -0.84), (0.88, -0.34, 0)),
    ear_inner=((0.52, -0.60, 0), (0.58, -0.82), (0.75, -0.91), (0.88, -0.77), (0.82, -0.46, 0)),
    hanging=False,
    neck=0.76,
    shoulder=1.2,
    eye=(0.40, -0.12),
    eye_radii=(0.215, 0.175),
    slant=0.34,
    pupil=(0.44, 0.46),
    iris=2.0,
    nose_y=0.44,
    nose=(0.24, 0.25),
    broad_nose=True,
    puff=(0.25, 0.66),
    puff_radii=(0.325, 0.265),
    mouth=0.36,
    chin=0.34,
    snout=0.30,
    feline=True,
)
_CREAM: LCH = (0.935, 0.030, 0.22)


def _built(style: Style) -> Anatomy:
    by = 1.0 + 0.09 * style.build
    return with_ears(BIG, (0.72, -0.60), by, by)


def _bridge(brush: Brush, colour: LCH, alpha: float) -> None:
    """The broad back of the nose, from between the eyes down to its tip."""
    ridge = mirrored([(0.0, -0.40), (0.15, -0.25), (0.17, 0.10), (0.25, 0.42), (0.0, 0.50)])
    brush.snout(ridge, colour, alpha)


def _pale_places(brush: Brush, colour: LCH, size: float = 1.0) -> None:
    """Pale areas above the eyes, on the cheeks and on the chin."""
    brush.face(both(ellipse(0.42, -0.36, 0.20 * size, 0.15 * size)), colour)
    brush.face(both(ellipse(0.42, 0.08, 0.24 * size, 0.12)), colour, 0.8)
    brush.face(mirrored([(0.0, 0.55), (0.55, 0.52), (0.62, 0.85), (0.36, 1.1), (0, 1.2)]), colour)


def _tears(brush: Brush) -> None:
    """Dark lines from the eyes' inner corners down beside the nose."""
    brush.face(both(leaves([(0.24, -0.08, 0.20, 0.34, 0.07, 0.12)])), INK, 0.8)


def lion(style: Style) -> Look:
    """Tawny, with a mane of locks round the face."""
    tawny = style.coat((0.765, 0.105, 0.205), 0.03, 0.012)
    mane = style.coat((0.47, 0.090, 0.145), 0.075, 0.02)
    reach = 1.50 + 0.16 * style.marking

    def locks(brush: Brush, radius: float, colour: LCH, depth: float, count: int) -> None:
        angles = (np.arange(count) + 0.5 * brush.rng.random(count)) * (2 * np.pi / count)
        around = np.stack([np.sin(angles), -np.cos(angles)], axis=-1)
        middle, length = around * (radius * 0.68) + (0.0, 0.12), radius * 0.40
        circle = ellipse(0, 0, 1, 1)[None]
        tangent = around[:, ::-1] * (-1.0, 1.0)
        shape: Floats = middle[:, None] + (
            circle[..., :1] * around[:, None] * length
            + circle[..., 1:] * tangent[:, None] * radius * 3.3 / count
        )
        brush.flat(shape * (0.97, 1.0), colour, depth)

    def behind(brush: Brush) -> None:
        brush.flat(ellipse(0.0, 0.12, reach * 0.86, reach * 0.90), tone(mane, -0.10), -0.05)
        locks(brush, reach * 1.03, tone(mane, -0.13), -0.08, 15)
        locks(brush, reach * 0.95, mane, -0.04, 17)
        locks(brush, reach * 0.78, tone(mane, 0.09, 1.15), 0.0, 15)

    def face(brush: Brush) -> None:
        _pale_places(brush, _CREAM, 0.85)
        brush.glow(0.0, -0.85, (0.6, 0.4), tone(mane, 0.1), 0.5)
        _tears(brush)

    def body(brush: Brush) -> None:
        brush.body(mirrored([(0.0, 0.7), (0.85, 0.9), (0.75, 1.7), (0.0, 2.1)]), tone(mane, -0.04))

    coat = Coat(
        base=tawny,
        muzzle=_CREAM,
        ear=tone(tawny, -0.06),
        ear_inner=tone(mane, 0.02),
        iris=style.iris((0.76, 0.135, 0.20)),
        nose=(0.50, 0.075, 0.06),
        outline=tone(mane, -0.10),
    )
    anatomy = replace(_built(style), unit=0.265, level=0.50)
    return Look(
        anatomy,
        coat,
        face=face,
        body=body,
        behind=behind,
        muzzle=lambda b: _bridge(b, tone(tawny, 0.03), 0.9),
    )


_STRIPES = (  # forehead, temples, cheeks: the right half
    (0.05, -0.44, 0.28, -0.56, 0.085, 0.14),
    (0.04, -0.58, 0.30, -0.71, 0.085, 0.14),
    (0.05, -0.73, 0.26, -0.84, 0.08, 0.14),
    (0.42, -0.58, 0.62, -0.70, 0.11, 0.14),
    (0.60, -0.36, 0.88, -0.40, 0.13, 0.14),
    (0.70, -0.12, 1.00, -0.06, 0.14, 0.16),
    (0.66, 0.16, 1.02, 0.26, 0.14, 0.16),
    (0.66, 0.42, 1.00, 0.54, 0.13, 0.14),
    (0.62, 0.68, 0.88, 0.80, 0.12, 0.12),
    (0.30, -0.27, 0.56, -0.33, 0.06, -0.20),
)
_BARS = (
    (0.25, 1.42, 1.15, 1.22, 0.17, -0.15),
    (0.42, 1.78, 1.30, 1.58, 0.17, -0.15),
    (0.40, 2.12, 1.40, 1.95, 0.17, -0.15),
)


def tiger(style: Style) -> Look:
    """Orange with black stripes and white round the eyes and on the muzzle."""
    rust = style.coat((0.725, 0.155, 0.155), 0.03, 0.012)
    wide = 0.85 + 0.4 * style.density

    def face(brush: Brush) -> None:
        _pale_places(brush, WHITE, 1.15)
        ruff = [(0.98, 0.30), (0.68, 0.36), (0.52, 0.72), (0.60, 1.0), (0.9, 0.9)]
        brush.face(both(np.array(ruff)), WHITE)
        brush.face(shaken_sides(_STRIPES, brush.rng, 0.025, wide), INK)
        brush.face(leaves([(0.0, -0.36, 0.0, -0.92, 0.06, 0.0)]), INK)
        _tears(brush)

    def body(brush: Brush) -> None:
        brush.body(mirrored([(0.0, 0.7), (0.55, 1.0), (0.5, 1.7), (0.0, 2.5)]), WHITE)
        brush.body(both(leaves(shaken(_BARS, brush.rng, 0.04))), INK)

    coat = Coat(
        base=rust,
        muzzle=WHITE,
        ear=INK,
        ear_inner=(0.93, 0.02, 0.2),
        iris=style.iris((0.80, 0.14, 0.245)),
        nose=(0.70, 0.10, 0.04),
        outline=tone(rust, -0.40, 0.6),
    )
    return Look(_built(style), coat, face=face, body=body, muzzle=lambda b: _bridge(b, rust, 1.0))


def _rosettes(brush: Brush, ring: LCH, middle: LCH, step: float, alpha: float) -> None:
    """Dots on the forehead, growing to rings on cheeks and body."""
    spots = scattered(step, brush.rng, (-1.05, -0.9), (1.06, 1.0))
    x, y = np.abs(spots[:, 0]), spots[:, 1]
    clear = (x > 0.28) | (y < -0.38)  # bridge and nose
    clear &= ((x - 0.42) / 0.36) ** 2 + ((y + 0.10) / 0.32) ** 2 > 1  # eyes
    clear &= (x / 0.68) ** 2 + ((y - 0.72) / 0.46) ** 2 > 1  # muzzle
    spots = spots[clear]
    radius = step * (0.24 + 0.16 * np.clip(np.abs(spots[:, 0]) - 0.25, 0, 0.7) / 0.7)
    brush.face(blots(spots, radius, brush.rng), ring, alpha)
    large = np.abs(spots[:, 0]) > 0.55
    brush.face(blots(spots[large] + 0.01, radius[large] * 0.45, brush.rng), middle, alpha)
    rings = scattered(step * 1.75, brush.rng, (-1.5, 0.75), (1.5, 2.4))
    rings = rings[(np.abs(rings[:, 0]) > 0.35) | (rings[:, 1] > 1.5)]
    brush.body(blots(rings, step * 0.60, brush.rng), ring, alpha)
    brush.body(blots(rings + 0.02, step * 0.30, brush.rng), middle, alpha)


def leopard(style: Style) -> Look:
    """Yellow with black spots and rosettes."""
    gold = style.coat((0.825, 0.115, 0.225), 0.025, 0.014)

    def face(brush: Brush) -> None:
        _pale_places(brush, WHITE, 0.9)
        _rosettes(brush, INK, tone(gold, -0.12), 0.235 - 0.045 * style.density, 0.95)
        _tears(brush)

    def body(brush: Brush) -> None:
        brush.body(mirrored([(0.0, 0.7), (0.40, 1.0), (0.35, 1.5), (0.0, 2.0)]), WHITE)

    coat = Coat(
        base=gold,
        muzzle=WHITE,
        ear=INK,
        ear_inner=(0.88, 0.05, 0.21),
        iris=style.iris((0.76, 0.13, 0.30)),
        nose=(0.62, 0.085, 0.05),
        outline=tone(gold, -0.46, 0.6),
    )
    return Look(_built(style), coat, face=face, body=body, muzzle=lambda b: _bridge(b, gold, 0.9))


def panther(style: Style) -> Look:
    """Nearly black, with faint rosettes and amber eyes."""
    night = (0.285 + 0.025 * style.lightness, 0.022, 0.72 + 0.10 * style.hue)

    def face(brush: Brush) -> None:
        faint = 0.35 + 0.4 * style.density
        _rosettes(brush, tone(night, -0.10), tone(night, 0.03), 0.24, faint)

    coat = Coat(
        base=night,
        muzzle=tone(night, 0.055),
        ear=tone(night, -0.04),
        ear_inner=tone(night, 0.13),
        iris=style.iris((0.80, 0.165, 0.21), 0.025),
        nose=(0.20, 0.012, 0.7),
        rim=(0.13, 0.01, 0.7),
        line=(0.13, 0.01, 0.7),
        whisker=(0.85, 0.01, 0.7),
        outline=(0.16, 0.015, 0.72),
    )
    return Look(
        _built(style), coat, face=face, muzzle=lambda b: _bridge(b, tone(night, 0.045), 0.8)
    )
