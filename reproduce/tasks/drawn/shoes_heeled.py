"""Pumps and boots, from the side: see ``shoes`` for the axes."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.drawn.content import Factors, Part
from reproduce.tasks.drawn.curves import Points, box, curve, ellipse, line, ribbon
from reproduce.tasks.drawn.draws import measures, pick, uniform


def _heel_shape(height: float, width: float, flare: float) -> Points:
    """Return a heel's outline from the seat (0 to 0.24) down to a tip of ``width``."""
    return curve(
        [
            (-0.005, height + 0.03, 0),
            (-0.005, height * 0.75),
            (0.03 - flare, 0.0, 0),
            (0.03 + width, 0.0, 0),
            (0.05 + width + flare, height * 0.55),
            (0.25, height * 0.86, 0),
            (0.22, height + 0.02, 0),
        ]
    )


def ankle_strap(x: float, y: float, low: float) -> list[Part]:
    """A ring round the ankle at (x, y), held from behind, with a buckle."""
    ring = ellipse(x, y, 0.165, 0.075)
    parts = [
        Part("strap", ribbon(line((x - 0.155, low), (x - 0.155, y - 0.04), (x - 0.15, y)), 0.05)),
        Part("strap", ribbon(line(*((float(a), float(b)) for a, b in ring[:13:3])), 0.036)),
    ]
    near = [(-0.165, 0.01), (-0.11, -0.06), (0.0, -0.085), (0.11, -0.06), (0.165, 0.01)]
    parts.append(Part("strap", ribbon(line(*((x + a, y + b) for a, b in near)), 0.05)))
    parts.append(Part("metal", box(x + 0.0, y - 0.12, x + 0.07, y - 0.04)))
    return parts


def pump(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A high-heeled shoe, open on top."""
    h, toe = measures(rng, factors, heel_height=(0.26, 0.46), toe_height=(0.09, 0.14))
    width = uniform(rng, 0.04, 0.14)
    platform = pick(rng, {0.0: 2.0, 0.06: 1.0})
    detail = pick(rng, {"plain": 2.0, "strap": 2.0, "bow": 1.0, "cap": 1.0})
    factors.update(top_height=h + 0.19, sole_thickness=platform, detail=detail)
    p = platform + 0.02
    upper = curve(
        [
            (0.0, h, 0),
            (0.005, h + 0.10),
            (-0.01, h + 0.19, 0),
            (0.06, h + 0.155),
            (0.22, h * 0.82 + 0.09),
            (0.42, h * 0.42 + 0.08),
            (0.58, p + toe + 0.015),
            (0.665, p + toe + 0.035, 0),
            (0.80, p + toe * 0.86),
            (0.93, p + toe * 0.50),
            (1.0, p + 0.012),
            (0.98, p - 0.01, 0),
            (0.70, p - 0.01),
            (0.58, p + 0.02),
            (0.40, h * 0.50),
            (0.22, h * 0.90),
        ]
    )
    lining = curve(
        [
            (0.0, h + 0.175),
            (0.12, h + 0.155),
            (0.36, h * 0.58 + 0.13),
            (0.63, p + toe + 0.05),
            (0.60, p + toe - 0.02),
            (0.38, h * 0.45 + 0.05),
            (0.12, h + 0.04),
        ]
    )
    under = curve(
        [
            (0.0, h + 0.035, 0),
            (0.13, h * 0.97 + 0.02),
            (0.30, h * 0.73 + 0.018),
            (0.48, h * 0.28 + 0.03 + p * 0.7),
            (0.66, p + 0.012),
            (1.0, p + 0.012, 0),
            (0.985, 0.012, 0),
            (0.80, 0.0),
            (0.62, 0.0),
            (0.46, h * 0.26),
            (0.28, h * 0.68),
            (0.13, h * 0.93 - 0.015),
            (0.0, h - 0.02, 0),
        ]
    )
    parts = [Part("lining", lining), Part("heel", _heel_shape(h, width, width / 6))]
    if detail == "strap":
        parts += ankle_strap(0.15, h + 0.33, h + 0.12)
    parts.append(Part("body", upper))
    if detail == "cap":
        edge = [(0.84, -0.1, 0), (0.81, 0.08), (0.84, 0.3, 0), (1.1, 0.3, 0), (1.1, -0.1, 0)]
        parts.append(Part("panel", curve(edge), True))
        parts.append(Part("sole", under))
    else:
        parts.append(Part("sole", under, seam=False))
    if detail == "bow":
        x, y = 0.70, p + toe + 0.02
        for side in (-1, 1):
            wing = [(x, y, 0), (x + side * 0.10, y + 0.06), (x + side * 0.105, y - 0.045)]
            parts.append(Part("accent", curve(wing)))
        parts.append(Part("accent", ellipse(x, y, 0.032, 0.035)))
    return parts


def boot(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A boot from ankle to half-calf height."""
    shaft = uniform(rng, 0.56, 0.98)
    h, toe, s = measures(
        rng, factors, heel_height=(0.07, 0.24), toe_height=(0.15, 0.20), sole_thickness=(0.04, 0.07)
    )
    wide = uniform(rng, 0.0, 0.06)
    detail = pick(rng, {"cuff": 2.0, "buckle": 2.0, "gore": 1.0, "lace": 2.0, "zip": 1.0})
    factors.update(top_height=shaft + h, detail=detail)
    top, seat = shaft + h * 0.9, h + s
    upper = curve(
        [
            (0.02, seat - 0.02, 0),
            (-0.005, seat + 0.12),
            (0.03, seat + 0.24),
            (0.02 - wide, top, 0),
            (0.22, top - 0.025),
            (0.44 + wide, top + 0.01, 0),
            (0.42, seat + 0.36),
            (0.455, seat + 0.25),
            (0.60, s + toe + 0.10 + h * 0.35),
            (0.76, s + toe + 0.03),
            (0.92, s + toe * 0.86),
            (0.995, s + toe * 0.35),
            (0.985, s - 0.01, 0),
            (0.66, s - 0.01),
            (0.45, s + h * 0.45),
            (0.26, seat - 0.01),
        ]
    )
    lining = curve(
        [
            (0.02 - wide, top, 0),
            (0.22, top + 0.03),
            (0.44 + wide, top + 0.01, 0),
            (0.22, top - 0.05),
        ]
    )
    sole = curve(
        [
            (0.0, seat, 0),
            (0.26, seat),
            (0.46, s + h * 0.5),
            (0.66, s + 0.005),
            (0.99, s + 0.015, 0),
            (1.0, s * 0.45),
            (0.96, 0.012),
            (0.62, 0.0),
            (0.47, h * 0.45),
            (0.27, h - 0.01),
            (0.0, h - 0.01, 0),
        ]
    )
    block = curve(
        [(0.0, h + 0.01, 0), (0.02, 0.0, 0), (0.23, 0.0, 0), (0.245, h * 0.6), (0.28, h + 0.01, 0)]
    )
    parts = [Part("lining", lining), Part("body", upper)]
    if detail == "cuff":
        cuff = curve(
            [
                (-0.03 - wide, top + 0.03, 0),
                (0.21, top),
                (0.48 + wide, top + 0.035, 0),
                (0.455 + wide, top - 0.15, 0),
                (0.21, top - 0.175),
                (-0.015 - wide, top - 0.15, 0),
            ]
        )
        parts.append(Part("panel", cuff))
    elif detail == "buckle":
        band = ribbon(
            line((-0.1, seat + 0.20), (0.15, seat + 0.19), (0.35, seat + 0.24), (0.6, seat + 0.33)),
            0.075,
        )
        parts.append(Part("accent", band, True))
        parts.append(Part("metal", box(0.17, seat + 0.14, 0.27, seat + 0.26), True))
    elif detail == "gore":
        gore = curve(
            [
                (0.15, top + 0.1, 0),
                (0.17, seat + 0.26),
                (0.23, seat + 0.16),
                (0.29, seat + 0.26),
                (0.32, top + 0.1, 0),
            ]
        )
        parts.append(Part("accent", gore, True))
    elif detail == "lace":
        bars = 4 if shaft < 0.75 else 5
        fold = [
            (0.30, top + 0.1, 0),
            (0.29, seat + 0.36),
            (0.36, seat + 0.20),
            (0.52, seat + 0.06),
            (0.7, 0.3),
            (0.8, 0.6, 0),
        ]
        parts.append(Part("panel", curve(fold), True))
        for i in range(bars):
            y = seat + 0.21 + (top - seat - 0.27) * i / (bars - 1)
            parts.append(Part("lace", line((0.31, y - 0.02), (0.60, y + 0.035)), True, 0.03))
    else:
        parts.append(
            Part("metal", line((0.20, top), (0.21, seat + 0.3), (0.22, seat + 0.08)), True, 0.03)
        )
    if detail in ("cuff", "buckle", "zip"):
        counter = curve(
            [
                (-0.1, 0, 0),
                (0.27, 0.0, 0),
                (0.22, seat + 0.08),
                (0.12, seat + 0.13),
                (-0.1, seat + 0.14, 0),
            ]
        )
        parts.append(Part("panel", counter, True))
    return [*parts, Part("heel", block), Part("sole", sole)]
