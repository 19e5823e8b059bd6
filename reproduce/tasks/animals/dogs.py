"""Dogs: narrow skulls, long muzzles with large dark noses; ears that stand or hang."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reproduce.tasks.animals.brush import Anatomy, Brush, Look, with_ears
from reproduce.tasks.animals.shapes import blots, both, leaves, mirrored, scattered
from reproduce.tasks.animals.style import INK, WHITE, Coat, Style, tone
from reproduce.tasks.drawn.palette import LCH

_FLUFFY = (
    (0.0, -0.76),
    (0.44, -0.70),
    (0.78, -0.38),
    (0.90, 0.04),
    (0.99, 0.36, 0),
    (0.84, 0.42, 0),
    (0.84, 0.60, 0),
    (0.58, 0.74),
    (0.32, 0.92),
    (0.0, 0.98),
)
_SMOOTH = (
    (0.0, -0.80),
    (0.46, -0.74),
    (0.78, -0.42),
    (0.82, 0.02),
    (0.74, 0.40),
    (0.58, 0.72),
    (0.34, 0.96),
    (0.0, 1.02),
)
DOG = Anatomy(
    unit=0.305,
    level=0.525,
    skull=_FLUFFY,
    ear=((0.14, -0.56, 0), (0.30, -0.98), (0.58, -1.34), (0.80, -0.90), (0.82, -0.32, 0)),
    ear_inner=((0.30, -0.58, 0), (0.40, -0.92), (0.57, -1.16), (0.70, -0.84), (0.71, -0.42, 0)),
    hanging=False,
    neck=0.62,
    shoulder=1.05,
    eye=(0.37, -0.12),
    eye_radii=(0.205, 0.185),
    slant=0.20,
    pupil=(0.55, 0.55),
    iris=0.98,
    nose_y=0.42,
    nose=(0.23, 0.27),
    broad_nose=True,
    puff=(0.17, 0.62),
    puff_radii=(0.27, 0.24),
    mouth=0.34,
    chin=0.27,
    snout=0.50,
    feline=False,
)
_STANDING = replace(DOG, unit=0.315)
_HANGING = replace(
    DOG,
    skull=_SMOOTH,
    level=0.475,
    ear=(
        (0.40, -0.74, 0),
        (0.88, -0.80),
        (1.14, -0.34),
        (1.16, 0.20),
        (0.98, 0.44),
        (0.80, 0.16),
        (0.72, -0.30, 0),
    ),
    ear_inner=((0.50, -0.66, 0), (0.84, -0.70), (0.98, -0.36), (0.90, -0.28), (0.76, -0.30, 0)),
    hanging=True,
    puff=(0.19, 0.64),
    puff_radii=(0.29, 0.26),
)


def _built(style: Style, anatomy: Anatomy) -> Anatomy:
    return with_ears(anatomy, (0.0, -0.6), 1.0, 1.0 + 0.09 * style.build)


def _ridge(brush: Brush, colour: LCH, wide: float = 1.0) -> None:
    """The muzzle from between the eyes to the lips, as one piece."""
    outline = [
        (0.0, -0.16),
        (0.13 * wide, -0.06),
        (0.22 * wide, 0.22),
        (0.37, 0.50),
        (0.44, 0.66),
        (0.26, 0.76),
        (0.0, 0.74),
    ]
    brush.snout(mirrored(outline), colour)


def husky(style: Style) -> Look:
    """Grey above a white mask, upright ears, pale blue eyes."""
    slate = style.coat((0.42, 0.018, 0.70), 0.085, 0.05)
    width = 0.03 + 0.07 * style.marking

    def face(brush: Brush) -> None:
        mask = [
            (0.0, -0.16),
            (0.12 + width, -0.46),
            (0.46, -0.42),
            (0.64 + width, -0.14),
            (0.60 + width, 0.14),
            (0.86, 0.34),
            (0.9, 0.9),
            (0.0, 1.1),
        ]
        brush.face(mirrored(mask), WHITE)
        stripe = [(0.0, -0.6), (0.10, -0.4), (0.13 - width * 0.6, -0.15), (0.0, -0.02)]
        brush.face(mirrored(stripe), slate)

    def muzzle(brush: Brush) -> None:
        _ridge(brush, WHITE)
        stripe = [(0.0, -0.3), (0.12 - width * 0.6, -0.1), (0.07, 0.16), (0.0, 0.28)]
        brush.snout(mirrored(stripe), slate)

    def body(brush: Brush) -> None:
        brush.body(mirrored([(0.0, 0.6), (0.62, 0.9), (0.60, 1.6), (0.0, 2.6)]), WHITE)

    coat = Coat(
        base=slate,
        muzzle=WHITE,
        ear=tone(slate, -0.08),
        ear_inner=(0.86, 0.03, 0.10),
        iris=style.iris((0.78, 0.105, 0.66), 0.015),
        nose=INK,
        outline=tone(slate, -0.16),
    )
    return Look(_built(style, _STANDING), coat, face=face, muzzle=muzzle, body=body)


def dalmatian(style: Style) -> Look:
    """White with black spots and hanging black ears."""
    white = (0.955 + 0.012 * style.lightness, 0.008, 0.22)
    spot = (0.22, 0.02, 0.12)
    step = 0.36 - 0.07 * style.density

    def face(brush: Brush) -> None:
        spots = scattered(step, brush.rng, (-1.0, -0.85), (1.0, 1.0))
        x, y = np.abs(spots[:, 0]), spots[:, 1]
        clear = ((x - 0.37) / 0.33) ** 2 + ((y + 0.12) / 0.31) ** 2 > 1
        clear &= (x > 0.2) | (y < -0.35)  # bridge
        clear &= (x / 0.50) ** 2 + ((y - 0.56) / 0.44) ** 2 > 1
        spots = spots[clear]
        radius = step * (0.20 + 0.06 * style.marking + 0.14 * brush.rng.random(len(spots)))
        brush.face(blots(spots, radius, brush.rng), spot)

    def muzzle(brush: Brush) -> None:
        _ridge(brush, white)
        freckles = scattered(0.20, brush.rng, (-0.36, 0.42), (0.37, 0.78))
        freckles = freckles[np.abs(freckles[:, 0]) > 0.2]
        brush.snout(blots(freckles, 0.035, brush.rng), spot, 0.8)

    def body(brush: Brush) -> None:
        spots = scattered(0.42, brush.rng, (-1.3, 0.9), (1.3, 2.2))
        brush.body(blots(spots, 0.12, brush.rng), spot)

    coat = Coat(
        base=white,
        muzzle=white,
        ear=spot,
        ear_inner=tone(spot, 0.07),
        iris=style.iris((0.42, 0.08, 0.13)),
        nose=INK,
        outline=(0.55, 0.012, 0.7),
    )
    return Look(_built(style, _HANGING), coat, face=face, muzzle=muzzle, body=body)


def shiba(style: Style) -> Look:
    """Fox red with cream cheeks, brow dots and small upright ears."""
    red = style.coat((0.69, 0.135, 0.160), 0.035, 0.014)
    cream = (0.935, 0.032, 0.215)
    low = 0.10 * style.marking

    def face(brush: Brush) -> None:
        cheeks = [
            (0.0, 0.36),
            (0.30, 0.22),
            (0.56, 0.10 + low),
            (0.80, 0.16 + low),
            (1.05, 0.10 + low),
            (1.05, 0.9),
            (0.4, 1.1),
            (0.0, 1.1),
        ]
        brush.face(mirrored(cheeks), cream)
        brush.face(both(leaves([(0.20, -0.38, 0.44, -0.42, 0.15, -0.10)])), cream)

    def muzzle(brush: Brush) -> None:
        _ridge(brush, cream)
        top = [(0.0, -0.26), (0.13, -0.10), (0.15, 0.16), (0.12, 0.40), (0.0, 0.46)]
        brush.snout(mirrored(top), red)

    def body(brush: Brush) -> None:
        brush.body(mirrored([(0.0, 0.6), (0.60, 0.95), (0.46, 1.5), (0.0, 2.1)]), cream)

    small = replace(
        _STANDING,
        ear=((0.26, -0.58, 0), (0.38, -0.86), (0.68, -1.14), (0.86, -0.82), (0.82, -0.32, 0)),
        ear_inner=((0.40, -0.60, 0), (0.48, -0.82), (0.67, -1.00), (0.77, -0.78), (0.72, -0.42, 0)),
        level=0.495,
        slant=0.42,
        eye_radii=(0.195, 0.16),
    )
    coat = Coat(
        base=red,
        muzzle=cream,
        ear=tone(red, -0.03),
        ear_inner=(0.88, 0.05, 0.17),
        iris=style.iris((0.34, 0.07, 0.12)),
        nose=INK,
        outline=tone(red, -0.28),
    )
    return Look(_built(style, small), coat, face=face, muzzle=muzzle, body=body)


def labrador(style: Style) -> Look:
    """Plain yellow, or chocolate in two of five cases, with hanging ears."""
    yellow = style.marking < 0.6
    fur = style.coat((0.845, 0.082, 0.220) if yellow else (0.43, 0.070, 0.135), 0.03)

    def muzzle(brush: Brush) -> None:
        _ridge(brush, tone(fur, 0.03))

    coat = Coat(
        base=fur,
        muzzle=tone(fur, 0.035),
        ear=tone(fur, -0.085, 1.15),
        ear_inner=tone(fur, -0.12, 1.15),
        iris=style.iris((0.42, 0.085, 0.13)) if yellow else style.iris((0.66, 0.11, 0.20)),
        nose=INK if yellow else (0.28, 0.045, 0.10),
        outline=tone(fur, -0.34 if yellow else -0.17),
    )
    return Look(_built(style, _HANGING), coat, muzzle=muzzle)
