"""Totes, hobos, backpacks and bucket bags, from the front: see ``handbags`` for the axes."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.drawn.content import Factors, Part
from reproduce.tasks.drawn.curves import Anchor, box, curve, ellipse, line, ribbon
from reproduce.tasks.drawn.draws import measures, pick, uniform
from reproduce.tasks.drawn.handbags_pieces import (
    band,
    base_panel,
    clasp,
    loop,
    shoulder_strap,
    tab,
    zipper,
)


def tote(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A wide open bag with two long handles."""
    h, t, drop, width = measures(
        rng, factors, body_height=(0.66, 0.88), taper=(-0.02, 0.13), strap_drop=(0.26, 0.42),
        strap_width=(0.060, 0.085),
    )  # fmt: skip
    detail = pick(rng, {"plain": 1.0, "base": 2.0, "pocket": 2.0, "band": 1.0})
    factors["detail"] = detail
    body = curve(
        [
            (0.0, h, 0),
            (0.5, h - 0.03),
            (1.0, h, 0),
            (1 - t * 0.7, h * 0.4),
            (1 - t, 0.02, 0),
            (0.5, 0),
            (t, 0.02, 0),
            (t * 0.7, h * 0.4),
        ]
    )
    x0 = 0.5 - uniform(rng, 0.17, 0.25)
    x1 = 1 - x0
    parts = [loop(x0 + 0.05, x1 - 0.02, h - 0.02, drop * 0.92, width, 0.2)]
    mouth = curve([(0.0, h, 0), (0.5, h + 0.045), (1.0, h, 0), (0.5, h - 0.05)])
    parts += [Part("lining", mouth), Part("body", body)]
    if detail == "base":
        parts.append(base_panel(h * 0.27, h * 0.24))
    elif detail == "pocket":
        parts.append(Part("panel", box(0.27, 0.12, 0.73, h * 0.58, 0.06), True))
    elif detail == "band":
        parts.append(
            Part(
                "panel",
                curve(
                    [
                        (-0.1, h * 0.80, 0),
                        (0.5, h * 0.77),
                        (1.1, h * 0.80, 0),
                        (1.1, 2, 0),
                        (-0.1, 2, 0),
                    ]
                ),
                True,
            )
        )
    parts.append(loop(x0, x1, h - 0.18, drop + 0.16, width, 0.2))
    for x in (x0, x1):
        parts.append(tab("strap", x, 0.055, h - 0.27, h - 0.13))
    return parts


def hobo(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A crescent that hangs from one broad strap."""
    sag, drop, d, width = measures(
        rng, factors, taper=(0.16, 0.28), strap_drop=(0.42, 0.60), body_height=(0.58, 0.72),
        strap_width=(0.07, 0.10),
    )  # fmt: skip
    detail = pick(rng, {"zip": 1.0, "pocket": 1.0, "tassel": 1.0})
    factors["detail"] = detail
    body = curve(
        [
            (0.02, d + 0.06, 0),
            (0.20, d - sag * 0.62),
            (0.5, d - sag),
            (0.80, d - sag * 0.62),
            (0.98, d + 0.06, 0),
            (1.02, d * 0.58),
            (0.90, 0.10),
            (0.5, 0.0),
            (0.10, 0.10),
            (-0.02, d * 0.58),
        ]
    )
    rise: list[Anchor] = [(0.05, d - 0.01), (0.09, d + drop * 0.42), (0.27, d + drop * 0.86)]
    parts = [shoulder_strap(rise, d + drop, width), Part("body", body)]
    hem = line(
        (-0.02, d + 0.03),
        (0.19, d - sag * 0.62 - 0.07),
        (0.5, d - sag - 0.085),
        (0.81, d - sag * 0.62 - 0.07),
        (1.02, d + 0.03),
    )
    parts.append(Part("panel", ribbon(hem, 0.17), True))
    for x in (0.055, 0.945):
        parts.append(Part("metal", ellipse(x, d + 0.05, 0.065, 0.065)))
    if detail == "pocket":
        parts.append(
            Part(
                "panel",
                curve(
                    [
                        (0.26, d - sag - 0.20, 0),
                        (0.5, d - sag - 0.23),
                        (0.74, d - sag - 0.20, 0),
                        (0.68, 0.09),
                        (0.5, 0.07),
                        (0.32, 0.09),
                    ]
                ),
                True,
            )
        )
    elif detail == "tassel":
        x, y = 0.72, d - sag - 0.10
        parts.append(
            Part(
                "accent",
                np.array(
                    [(x - 0.025, y), (x + 0.025, y), (x + 0.075, y - 0.24), (x - 0.075, y - 0.24)]
                ),
                True,
            )
        )
        parts.append(Part("metal", ellipse(x, y, 0.05, 0.05), True))
    else:
        y = d - sag - 0.17
        parts.append(zipper((0.24, y), (0.5, d - sag - 0.20), (0.76, y)))
    return parts


def backpack(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A round-topped pack with a pocket, its straps showing at the sides."""
    h, w = measures(rng, factors, body_height=(1.02, 1.18), taper=(0.36, 0.42))
    pocket, width = uniform(rng, 0.36, 0.46), uniform(rng, 0.055, 0.075)
    detail = pick(rng, {"zip": 1.0, "flap": 1.0})
    factors.update(strap_drop=0.12, strap_width=width, detail=detail)
    left, right = 0.5 - w, 0.5 + w
    parts = [loop(0.39, 0.61, h - 0.03, 0.12, 0.05, 0.8)]
    for x, side in ((left, -1), (right, 1)):
        path = line(
            (x - side * 0.12, h * 0.92),
            (x + side * 0.055, h * 0.80),
            (x + side * 0.085, h * 0.45),
            (x - side * 0.02, h * 0.10),
        )
        parts.append(Part("strap", ribbon(path, width + 0.02)))
    body = curve(
        [
            (left + 0.02, 0.06),
            (left + 0.10, 0.0),
            (0.5, 0.0, 0),
            (right - 0.10, 0.0),
            (right - 0.02, 0.06),
            (right, h * 0.45),
            (right - 0.02, h * 0.75),
            (right - 0.16, h * 0.96),
            (0.5, h),
            (left + 0.16, h * 0.96),
            (left + 0.02, h * 0.75),
            (left, h * 0.45),
        ]
    )
    parts.append(Part("body", body))
    low = h * 0.52
    if detail == "flap":
        cover = curve(
            [
                (left - 0.015, low + 0.16),
                (left + 0.10, low + 0.03),
                (0.5, low - 0.02),
                (right - 0.10, low + 0.03),
                (right + 0.015, low + 0.16),
                (right - 0.01, h * 0.76),
                (right - 0.16, h * 0.965),
                (0.5, h + 0.005),
                (left + 0.16, h * 0.965),
                (left + 0.01, h * 0.76),
            ]
        )
        parts.append(Part("panel", cover))
        parts.append(Part("strap", box(0.44, low - 0.14, 0.56, low + 0.14, 0.02), True))
        parts += clasp(0.5, low - 0.01, "square")
        pocket = 0.34
    else:
        arc = zipper(
            (left + 0.05, h * 0.56),
            (left + 0.10, h * 0.76),
            (0.36, h * 0.87),
            (0.5, h * 0.885),
            (0.64, h * 0.87),
            (right - 0.10, h * 0.76),
            (right - 0.05, h * 0.56),
        )
        parts.append(arc)
    parts.append(Part("panel", box(left + 0.10, 0.06, right - 0.10, h * pocket, 0.10), True))
    parts.append(zipper((left + 0.13, h * pocket - 0.10), (right - 0.13, h * pocket - 0.10)))
    return parts


def bucket(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A pail closed by a cord, hanging from one strap."""
    h, taper, drop, width = measures(
        rng, factors, body_height=(0.74, 0.92), taper=(0.02, 0.11), strap_drop=(0.34, 0.50),
        strap_width=(0.06, 0.085),
    )  # fmt: skip
    detail = pick(rng, {"base": 2.0, "plain": 1.0, "middle": 1.0})
    factors["detail"] = detail
    t = taper + 0.08
    body = curve(
        [
            (0.05, h, 0),
            (0.28, h - 0.03),
            (0.5, h - 0.04),
            (0.72, h - 0.03),
            (0.95, h, 0),
            (0.90, h - 0.17),
            (0.97 - t * 0.3, h * 0.45),
            (1 - t, 0.04, 0),
            (0.5, 0.0),
            (t, 0.04, 0),
            (0.03 + t * 0.3, h * 0.45),
            (0.10, h - 0.17),
        ]
    )
    mouth = curve(
        [
            (0.05, h, 0),
            (0.28, h + 0.05),
            (0.5, h + 0.055),
            (0.72, h + 0.05),
            (0.95, h, 0),
            (0.5, h - 0.06),
        ]
    )
    rise: list[Anchor] = [(0.11, h - 0.14), (0.10, h + drop * 0.3), (0.24, h + drop * 0.82)]
    strap = shoulder_strap(rise, h + drop, width)
    parts = [strap, Part("lining", mouth), Part("body", body)]
    if detail == "base":
        parts.append(base_panel(h * 0.30, h * 0.25))
    elif detail == "middle":
        parts.append(band("panel", h * 0.42, h * 0.38, 0.17))
    cord = line((0.05, h - 0.15), (0.5, h - 0.20), (0.95, h - 0.15))
    parts.append(Part("accent", ribbon(cord, 0.055), True))
    for side in (-1, 1):
        end = line((0.5, h - 0.20), (0.5 + side * 0.06, h - 0.31), (0.5 + side * 0.10, h - 0.42))
        parts.append(Part("accent", ribbon(end, 0.045, 0.07), True))
    return [*parts, Part("metal", ellipse(0.5, h - 0.20, 0.05, 0.045), True)]
