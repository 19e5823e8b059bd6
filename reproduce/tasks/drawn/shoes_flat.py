"""Sneakers, high-tops and loafers, from the side: see ``shoes`` for the axes."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.drawn.content import Factors, Part
from reproduce.tasks.drawn.curves import Anchor, curve, ellipse, line, ribbon
from reproduce.tasks.drawn.draws import measures, pick, uniform


def _laces(start: tuple[float, float], end: tuple[float, float], bars: int) -> list[Part]:
    """Bars across the throat between two points on its outer edge."""
    (x0, y0), (x1, y1) = start, end
    parts = []
    for i in range(bars):
        t = (i + 0.6) / (bars + 0.2)
        x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
        parts.append(Part("lace", line((x + 0.03, y + 0.05), (x - 0.085, y - 0.075)), True, 0.026))
    return parts


def _trainer(rng: np.random.Generator, factors: Factors, collar: float, detail: str) -> list[Part]:
    (s,) = measures(rng, factors, sole_thickness=(0.10, 0.14))
    toe = round(s + uniform(rng, 0.10, 0.14), 4)
    factors.update(top_height=collar, toe_height=toe, detail=detail)
    c = collar
    dip, front = c - uniform(rng, 0.05, 0.09), c + uniform(rng, 0.02, 0.07)
    throat = uniform(rng, 0.41, 0.47)
    lining = curve(
        [(0.07, c - 0.02), (0.18, c - 0.005), (throat - 0.06, front - 0.01), (0.30, dip - 0.04)]
    )
    upper = curve(
        [
            (0.015, s - 0.02, 0),
            (0.005, s + 0.10),
            (0.03, c - 0.13),
            (0.035, c - 0.03),
            (0.065, c, 0),
            (0.13, c - 0.035),
            (0.22, dip),
            (0.31, dip + 0.015),
            (throat - 0.07, front - 0.015, 0),
            (throat, front + 0.015, 0),
            (0.52, toe + 0.07 + 0.50 * (front - toe - 0.10)),
            (0.65, toe + 0.065),
            (0.76, toe + 0.022),
            (0.88, toe - 0.012),
            (0.96, s + 0.62 * (toe - s)),
            (0.992, s - 0.02, 0),
        ]
    )
    tongue_low = (0.67, toe + 0.06)
    eyestay = curve(
        [
            (throat - 0.10, front - 0.03, 0),
            (0.43, toe + 0.02 + 0.45 * (front - toe - 0.05)),
            (0.60, toe - 0.015),
            (0.69, toe - 0.035),
            (0.75, toe + 0.03, 0),
            (0.80, 0.6, 0),
            (throat, front + 0.2, 0),
        ]
    )
    parts = [Part("lining", lining), Part("body", upper), Part("panel", eyestay, True)]
    parts += _laces((throat + 0.02, front - 0.035), tongue_low, 4 if c > 0.5 else 3)
    cap = curve(
        [(0.79, 0.0, 0), (0.775, 0.10), (0.82, 0.18), (0.87, 0.4, 0), (1.1, 0.3, 0), (1.1, 0, 0)]
    )
    counter = curve([(-0.1, 0, 0), (0.25, 0.0, 0), (0.21, 0.16), (0.13, 0.25), (-0.1, 0.27, 0)])
    if "cap" in detail:
        parts.append(Part("panel", cap, True))
    if "counter" in detail:
        parts.append(Part("panel", counter, True))
    if "wave" in detail:
        mark = curve(
            [
                (-0.1, s + 0.04, 0),
                (0.22, s + 0.035),
                (0.40, s + 0.075),
                (0.60, toe + 0.10, 0),
                (0.45, toe + 0.14, 0),
                (0.34, s + 0.155),
                (0.20, s + 0.115),
                (-0.1, s + 0.13, 0),
            ]
        )
        parts.insert(2, Part("accent", mark, True))
    elif "bar" in detail:
        bar = ribbon(line((0.34, 0.0), (0.44, 0.18), (0.52, 0.32), (0.60, 0.7)), 0.10)
        parts.insert(2, Part("accent", bar, True))
    elif "disc" in detail:
        parts.append(Part("accent", ellipse(0.20, c - 0.20, 0.08, 0.071), True))
    midsole = curve(
        [
            (0.0, s, 0),
            (-0.015, s * 0.5),
            (0.02, 0.0, 0),
            (0.30, 0.0),
            (0.74, 0.0),
            (0.92, 0.012),
            (1.005, s * 0.55),
            (1.0, s + 0.012, 0),
            (0.70, s - 0.012),
            (0.30, s - 0.005),
        ]
    )
    parts.append(Part("sole", midsole))
    parts.append(
        Part(
            "stitch", line((0.0, s * 0.42), (0.70, s * 0.40), (0.985, s * 0.55)), True, 0.02, False
        )
    )
    return parts


def sneaker(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A low sports shoe."""
    detail = pick(rng, {"wave": 2.0, "bar": 2.0, "cap counter": 2.0, "wave cap": 1.0})
    return _trainer(rng, factors, uniform(rng, 0.38, 0.44), detail)


def high_top(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A sports shoe that covers the ankle."""
    detail = pick(rng, {"disc cap": 3.0, "wave": 1.0, "counter cap": 1.0, "bar": 1.0})
    return _trainer(rng, factors, uniform(rng, 0.58, 0.70), detail)


def loafer(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A low slip-on shoe with a small heel."""
    c, toe, h, s = measures(
        rng, factors, top_height=(0.29, 0.35), toe_height=(0.13, 0.18), heel_height=(0.04, 0.09),
        sole_thickness=(0.035, 0.05),
    )  # fmt: skip
    detail = pick(rng, {"saddle": 2.0, "bit": 2.0, "apron": 1.5})
    factors["detail"] = detail
    b = h + s
    upper = curve(
        [
            (0.015, b - 0.02, 0),
            (0.0, b + 0.09),
            (0.03, c, 0),
            (0.14, c - 0.045),
            (0.28, c - 0.075),
            (0.41, c - 0.05),
            (0.475, c + 0.025, 0),
            (0.54, c + 0.02),
            (0.66, toe + s + 0.085),
            (0.80, toe + s + 0.03),
            (0.93, toe + s - 0.02),
            (0.995, s + toe * 0.35),
            (0.985, s - 0.01, 0),
            (0.55, s - 0.01),
            (0.30, b - 0.01),
        ]
    )
    lining = curve(
        [(0.035, c - 0.01), (0.20, c - 0.02), (0.46, c + 0.02), (0.40, c - 0.08), (0.22, c - 0.10)]
    )
    sole = curve(
        [
            (-0.005, b, 0),
            (0.30, b),
            (0.42, s + h * 0.3),
            (0.60, s),
            (0.99, s + 0.015, 0),
            (1.0, s * 0.5),
            (0.95, 0.01),
            (0.60, 0.0),
            (0.40, h * 0.4),
            (0.29, h),
            (-0.005, h, 0),
        ]
    )
    ridge = [
        (0.44, c - 0.06, 0),
        (0.60, toe + s + 0.005),
        (0.76, toe + s - 0.05),
        (0.92, s + toe * 0.5),
    ]
    parts = [Part("lining", lining), Part("body", upper)]
    if detail == "apron":
        above: list[Anchor] = [(1.0, s + toe * 0.8, 0), (1.0, 1.0, 0), (0.44, 1.0, 0)]
        parts.append(Part("panel", curve([*ridge, *above]), True))
    else:
        saddle = [(0.44, 0.0, 0), (0.49, 0.15), (0.53, c + 0.15, 0)]
        saddle += [(0.66, c + 0.1, 0), (0.63, 0.16), (0.61, 0.0, 0)]
        parts.append(Part("accent", curve(saddle), True))
    if detail == "bit":
        parts.append(
            Part(
                "metal",
                ribbon(line((0.47, c - 0.07), (0.57, c - 0.055), (0.68, c - 0.105)), 0.045),
                True,
            )
        )
    heel = np.array([(0.0, h + 0.01), (0.015, 0.0), (0.26, 0.0), (0.285, h + 0.01)])
    return [*parts, Part("heel", heel), Part("sole", sole)]
