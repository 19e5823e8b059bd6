"""Sandals, from the side: see ``shoes`` for the axes."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.drawn.content import Factors, Part
from reproduce.tasks.drawn.curves import Anchor, curve, line, ribbon
from reproduce.tasks.drawn.draws import pick, uniform
from reproduce.tasks.drawn.shoes_heeled import ankle_strap


def _band(x0: float, x1: float, sole: float, heel: float, arch: float) -> list[Part]:
    """A band across a foot, from x0 to x1, on a sole that rises by ``heel`` towards the back."""

    def bed(x: float) -> float:
        return sole - 0.015 + heel * max(0.0, 2.3 * (0.62 - x))

    def foot(x: float) -> float:
        return bed(x) + 0.015 + arch * (1.25 - 1.45 * (x - 0.35))

    y0, y1, lean = foot(x0 - 0.06), foot(x1 - 0.06), 0.06
    near: list[Anchor] = [
        (x0, bed(x0), 0),
        (x0 - 0.035, bed(x0) + 0.55 * (y0 - bed(x0))),
        (x0 - lean, y0, 0),
        ((x0 + x1) / 2 - lean + 0.01, (y0 + y1) / 2 + 0.018),
        (x1 - lean + 0.02, y1, 0),
        (x1 - 0.005, bed(x1) + 0.60 * (y1 - bed(x1))),
        (x1 + 0.01, bed(x1), 0),
    ]
    far: list[Anchor] = [
        (x0 + 0.03, bed(x0), 0),
        (x0 - 0.05, bed(x0) + 0.05),
        (x0 - 0.10, y0 - 0.07),
        (x0 - lean, y0, 0),
    ]
    return [Part("lining", curve(far)), Part("body", curve(near))]


def sandal(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """Bands on a flat or wedge sole, with or without an ankle strap."""
    h, s = uniform(rng, 0.0, 0.22), uniform(rng, 0.07, 0.11)
    detail = pick(rng, {"t-bar": 1.0, "bands": 1.0, "slide": 1.0})
    if detail == "slide":
        h = round(h * 0.3, 4)
    arch = uniform(rng, 0.19, 0.25)
    factors.update(heel_height=h, top_height=arch, sole_thickness=s, toe_height=s, detail=detail)
    b = h + s
    wedge = curve(
        [
            (0.0, b, 0),
            (0.14, b - 0.012),
            (0.34, s + h * 0.70),
            (0.56, s + h * 0.10),
            (0.74, s - 0.005),
            (0.97, s + 0.02),
            (1.0, s * 0.6),
            (0.95, 0.01),
            (0.70, 0.0, 0),
            (0.30, 0.0),
            (0.03, 0.0, 0),
            (-0.01, b * 0.5),
        ]
    )
    layer = line(
        (-0.05, b - 0.045),
        (0.14, b - 0.06),
        (0.34, s + h * 0.70 - 0.045),
        (0.56, s + h * 0.1 - 0.045),
        (0.74, s - 0.05),
        (1.05, s - 0.03),
    )
    parts: list[Part] = []
    if detail == "slide":
        parts += _band(0.42, 0.60, s, h, arch)
        parts += _band(0.68, 0.89, s, h, arch)
    else:
        parts += ankle_strap(0.17, b + 0.25, b + 0.02)
        counter: list[Anchor] = [(0.0, b - 0.02, 0), (-0.005, b + 0.11), (0.03, b + 0.17)]
        counter += [(0.10, b + 0.11), (0.26, s + h * 0.82, 0)]
        parts.append(Part("body", curve(counter)))
        if detail == "t-bar":
            top = (0.70, s + arch * 0.72)
            middle = (0.50, s + h * 0.35 + arch * 0.98)
            bar = line(top, middle, (0.38, b + 0.17), (0.27, b + 0.21))
            parts.append(Part("strap", ribbon(bar, 0.06)))
        else:
            parts += _band(0.45, 0.58, s, h, arch)
        parts += _band(0.68, 0.86, s, h, arch)
    return [*parts, Part("sole", wedge), Part("stitch", layer, True, 0.03, False)]
