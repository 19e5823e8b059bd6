"""House cats: wide faces, large pointed ears, large eyes, small noses."""

from __future__ import annotations

from dataclasses import replace

from reproduce.tasks.animals.brush import Anatomy, Brush, Look, with_ears
from reproduce.tasks.animals.shapes import both, leaves, mirrored, shaken, shaken_sides
from reproduce.tasks.animals.style import INK, PINK, WHITE, Coat, Style, tone
from reproduce.tasks.drawn.curves import ellipse
from reproduce.tasks.drawn.palette import LCH

CAT = Anatomy(
    unit=0.315,
    level=0.545,
    skull=(
        (0.0, -0.74),
        (0.46, -0.68),
        (0.82, -0.38),
        (0.98, 0.06),
        (1.10, 0.42, 0),
        (0.93, 0.44, 0),
        (0.97, 0.62, 0),
        (0.70, 0.72),
        (0.38, 0.84),
        (0.0, 0.88),
    ),
    ear=((0.16, -0.55, 0), (0.34, -0.92), (0.76, -1.36), (0.93, -0.85), (0.91, -0.12, 0)),
    ear_inner=((0.34, -0.55, 0), (0.46, -0.86), (0.73, -1.18), (0.81, -0.80), (0.80, -0.30, 0)),
    hanging=False,
    neck=0.62,
    shoulder=1.0,
    eye=(0.43, -0.02),
    eye_radii=(0.285, 0.27),
    slant=0.22,
    pupil=(0.42, 0.74),
    iris=2.0,
    nose_y=0.36,
    nose=(0.13, 0.17),
    broad_nose=False,
    puff=(0.175, 0.53),
    puff_radii=(0.235, 0.19),
    mouth=0.26,
    chin=0.22,
    snout=0.14,
    feline=True,
)


def _built(style: Style, anatomy: Anatomy = CAT) -> Anatomy:
    return with_ears(anatomy, (0.0, 0.0), 1.0, 1.0 + 0.07 * style.build)


def _ear_hair(brush: Brush, colour: LCH) -> None:
    hair = leaves([(0.34, -0.58, 0.56, -0.92, 0.10, 0.1), (0.44, -0.5, 0.70, -0.86, 0.09, 0.1)])
    brush.flat(both(hair), colour, -0.1)


def siamese(style: Style) -> Look:
    """Cream with a dark mask, dark ears and blue eyes; slimmer, larger ears."""
    cream = style.coat((0.905, 0.040, 0.215), 0.02)
    dark = style.coat((0.36, 0.045, 0.13), 0.04, 0.02)
    size = 0.92 + 0.22 * style.marking
    slim = replace(
        CAT,
        skull=(
            (0.0, -0.74),
            (0.46, -0.68),
            (0.82, -0.38),
            (0.96, 0.02),
            (0.88, 0.40),
            (0.64, 0.70),
            (0.36, 0.86),
            (0.0, 0.91),
        ),
        ear=((0.20, -0.55, 0), (0.42, -1.0), (0.92, -1.42), (1.04, -0.9), (0.91, -0.08, 0)),
        ear_inner=((0.38, -0.55, 0), (0.54, -0.92), (0.87, -1.24), (0.93, -0.84), (0.82, -0.25, 0)),
        slant=0.34,
        eye_radii=(0.285, 0.25),
    )

    def face(brush: Brush) -> None:
        brush.glow(0.0, 0.34, (0.86 * size, 0.98 * size), dark, 0.95)
        brush.glow(0.0, 0.42, (0.62 * size, 0.66 * size), dark, 0.95)

    def body(brush: Brush) -> None:
        brush.glow(0.0, 2.2, (1.2, 0.8), tone(dark, 0.2), 0.25, brush.chest)

    coat = Coat(
        base=cream,
        muzzle=tone(dark, 0.03),
        ear=dark,
        ear_inner=tone(dark, 0.17),
        iris=style.iris((0.70, 0.135, 0.675), 0.02),
        nose=tone(dark, -0.12),
        line=tone(dark, -0.14),
        outline=tone(dark, 0.05),
    )
    return Look(_built(style, slim), coat, face=face, body=body)


_M = (  # the tabby's M, then stripes beside and below the eyes: the right half
    (0.10, -0.34, 0.13, -0.74, 0.105, 0.05),
    (0.26, -0.40, 0.36, -0.78, 0.10, 0.08),
    (0.42, -0.42, 0.62, -0.68, 0.09, 0.12),
    (0.74, 0.10, 1.06, 0.04, 0.10, 0.12),
    (0.66, 0.32, 1.06, 0.30, 0.10, 0.12),
    (0.58, 0.50, 0.96, 0.58, 0.085, 0.10),
    (0.78, -0.14, 1.0, -0.30, 0.09, 0.0),
)
_BANDS = (  # across the chest: the right half
    (0.22, 1.25, 0.95, 1.05, 0.14, -0.15),
    (0.30, 1.60, 1.15, 1.40, 0.15, -0.15),
    (0.30, 1.98, 1.25, 1.80, 0.15, -0.15),
)


def _stripes(brush: Brush, colour: LCH, wide: float, alpha: float) -> None:
    brush.face(shaken_sides(_M, brush.rng, 0.022, wide), colour, alpha)
    brush.face(leaves([(0.0, -0.36, 0.0, -0.78, 0.09 * wide, 0.0)]), colour, alpha)


def _bands(brush: Brush, colour: LCH, alpha: float) -> None:
    brush.body(both(leaves(shaken(_BANDS, brush.rng, 0.03))), colour, alpha)


def tabby(style: Style) -> Look:
    """Grey-brown with black stripes, an M on the forehead, a pale muzzle, green eyes."""
    grey = style.coat((0.66, 0.040, 0.20), 0.045, 0.03)
    dark = tone(grey, -0.36)
    pale = (0.88, 0.03, 0.22)
    wide = 0.9 + 0.35 * style.density

    def face(brush: Brush) -> None:
        brush.glow(0.0, 0.62, (0.62, 0.46), pale, 0.9)
        for side in (-1, 1):  # spectacles
            brush.face(ellipse(side * 0.43, -0.02, 0.39, 0.37), pale, 0.75)
        _stripes(brush, dark, wide, 0.95)

    def body(brush: Brush) -> None:
        _bands(brush, dark, 0.9)

    coat = Coat(
        base=grey,
        muzzle=(0.93, 0.015, 0.22),
        ear=tone(grey, -0.12),
        ear_inner=(0.74, 0.06, 0.06),
        iris=style.iris((0.76, 0.145, 0.34)),
        nose=(0.66, 0.10, 0.06),
        outline=tone(grey, -0.34),
    )
    return Look(_built(style), coat, face=face, body=body, ears=lambda b: _ear_hair(b, pale))


def black(style: Style) -> Look:
    """Black all over, with yellow-green eyes."""
    coal = (0.27 + 0.025 * style.lightness, 0.014, 0.75 + 0.12 * style.hue)

    def face(brush: Brush) -> None:
        brush.glow(-0.3, -0.48, (0.75, 0.42), tone(coal, 0.20), 0.6)
        brush.face(leaves([(-0.62, 0.30, -0.5, 0.62, 0.06, 0.2)]), tone(coal, 0.12), 0.6)

    def body(brush: Brush) -> None:
        if style.marking < 0.25:  # a locket
            brush.body(ellipse(0.0, 1.22, 0.15, 0.18), WHITE)

    coat = Coat(
        base=coal,
        muzzle=tone(coal, 0.06),
        ear=coal,
        ear_inner=(0.46, 0.05, 0.04),
        iris=style.iris((0.85, 0.165, 0.295), 0.025),
        nose=(0.38, 0.02, 0.05),
        rim=(0.15, 0.01, 0.0),
        line=(0.14, 0.01, 0.0),
        whisker=(0.90, 0.01, 0.2),
        outline=(0.17, 0.01, 0.7),
    )
    return Look(_built(style), coat, face=face, body=body)


def orange(style: Style) -> Look:
    """Orange, faintly striped, with a white blaze, muzzle and bib."""
    ginger = style.coat((0.745, 0.150, 0.165), 0.03)
    blaze = 0.10 + 0.16 * style.marking

    def face(brush: Brush) -> None:
        _stripes(brush, tone(ginger, -0.12), 0.85, 0.35 + 0.6 * style.density)
        patch = mirrored(
            [
                (0.0, -0.50 - blaze),
                (blaze * 0.45, -0.10),
                (0.20 + blaze, 0.28),
                (0.52 + blaze, 0.56),
                (0.40, 0.95),
                (0.0, 1.0),
            ]
        )
        brush.face(patch, WHITE)

    def body(brush: Brush) -> None:
        brush.body(mirrored([(0.0, 0.6), (0.5, 0.9), (0.48, 1.5), (0.0, 2.3)]), WHITE)

    coat = Coat(
        base=ginger,
        muzzle=WHITE,
        ear=tone(ginger, -0.03),
        ear_inner=(0.82, 0.075, 0.05),
        iris=style.iris((0.80, 0.15, 0.305)),
        nose=PINK,
        line=INK,
        outline=tone(ginger, -0.24),
    )
    return Look(
        _built(style), coat, face=face, body=body, ears=lambda b: _ear_hair(b, (0.93, 0.03, 0.2))
    )
