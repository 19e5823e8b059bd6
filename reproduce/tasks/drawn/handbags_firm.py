"""Satchels, clutches and bowling bags, from the front: see ``handbags`` for the axes."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.drawn.content import Factors, Part
from reproduce.tasks.drawn.curves import Anchor, box, curve, ellipse, line, ribbon
from reproduce.tasks.drawn.draws import measures, pick
from reproduce.tasks.drawn.handbags_pieces import band, base_panel, clasp, loop, tab, zipper


def satchel(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A case with a flap over its front, a short handle and buckles."""
    h, t, drop, width, flap = measures(
        rng, factors, body_height=(0.62, 0.76), taper=(0.0, 0.06), strap_drop=(0.15, 0.24),
        strap_width=(0.06, 0.08), flap=(0.45, 0.62),
    )  # fmt: skip
    detail = pick(rng, {"two buckles": 2.0, "one clasp": 2.0, "belt": 1.0})
    factors["detail"] = detail
    low = h * (1 - flap)
    body = curve(
        [
            (t, h - 0.06),
            (t + 0.07, h),
            (0.5, h, 0),
            (0.93 - t, h),
            (1 - t, h - 0.06),
            (1.0, h * 0.3),
            (0.985, 0.05),
            (0.93, 0.0),
            (0.5, 0.0, 0),
            (0.07, 0.0),
            (0.015, 0.05),
            (0.0, h * 0.3),
        ]
    )
    cover = curve(
        [
            (t - 0.02, h - 0.05),
            (t + 0.06, h + 0.02),
            (0.5, h + 0.02),
            (0.94 - t, h + 0.02),
            (1.02 - t, h - 0.05),
            (1.015, low + 0.12),
            (0.95, low + 0.02),
            (0.5, low - 0.02),
            (0.05, low + 0.02),
            (-0.015, low + 0.12),
        ]
    )
    handle = loop(0.5 - 0.22, 0.5 + 0.22, h - 0.01, drop, width, 0.9)
    parts = [handle, Part("panel", body), Part("body", cover)]
    if detail == "two buckles":
        for x in (0.24, 0.76):
            parts.append(tab("strap", x, 0.05, low - 0.14, h + 0.015, clip=True))
            parts.append(tab("metal", x, 0.075, low - 0.04, low + 0.06, clip=True))
    elif detail == "belt":
        parts.append(band("strap", low + 0.10, low + 0.06, 0.085))
        parts += clasp(0.5, low + 0.065, "square")
    else:
        parts.append(Part("strap", box(0.42, low - 0.13, 0.58, low + 0.12, 0.04), True))
        parts += clasp(0.5, low - 0.01, pick(rng, {"round": 1.0, "square": 1.0}))
    return parts


def clutch(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A flat purse without handles."""
    h, point = measures(rng, factors, body_height=(0.50, 0.64), taper=(0.22, 0.60))
    detail = pick(rng, {"envelope": 2.0, "rounded": 1.0, "kiss-lock": 1.0})
    strap = pick(rng, {"wrist": 1.0, "none": 1.0})
    factors["detail"] = f"{detail} {strap}"
    parts: list[Part] = []
    if strap == "wrist":
        hang = line(
            (0.96, h * 0.84),
            (1.08, h * 0.82),
            (1.19, h * 0.52),
            (1.22, h * 0.22),
            (1.15, h * 0.20),
            (1.09, h * 0.46),
            (0.97, h * 0.78),
        )
        parts.append(Part("strap", ribbon(hang, 0.05)))
    if detail == "kiss-lock":
        body = curve(
            [
                (0.10, h * 0.86, 0),
                (0.5, h * 0.92),
                (0.90, h * 0.86, 0),
                (1.0, h * 0.40),
                (0.94, 0.05),
                (0.5, -0.03),
                (0.06, 0.05),
                (0.0, h * 0.40),
            ]
        )
        parts.append(Part("body", body))
        frame = line(
            (0.08, h * 0.74), (0.12, h * 0.90), (0.5, h * 0.95), (0.88, h * 0.90), (0.92, h * 0.74)
        )
        parts.append(Part("metal", ribbon(frame, 0.07)))
        parts += [
            Part("metal", ellipse(0.46, h * 0.95 + 0.06, 0.05, 0.05)),
            Part("metal", ellipse(0.55, h * 0.95 + 0.06, 0.05, 0.05)),
        ]
        return parts
    r = 0.03 if detail == "envelope" else 0.12
    parts.append(Part("body", box(0.0, 0.0, 1.0, h, r)))
    low = h * (1 - point) - 0.04
    if detail == "envelope":
        flap: list[Anchor] = [
            (-0.1, h + 0.2, 0),
            (-0.1, h * 0.90, 0),
            (0.0, h * 0.88, 0),
            (0.46, low + 0.02),
            (0.54, low + 0.02),
            (1.0, h * 0.88, 0),
            (1.1, h * 0.90, 0),
            (1.1, h + 0.2, 0),
        ]
    else:
        flap = [
            (-0.1, h + 0.2, 0),
            (-0.1, h * 0.6, 0),
            (0.08, low + 0.08),
            (0.5, low),
            (0.92, low + 0.08),
            (1.1, h * 0.6, 0),
            (1.1, h + 0.2, 0),
        ]
    parts.append(Part("panel", curve(flap), True))
    return parts + clasp(0.5, low + 0.04, pick(rng, {"round": 1.0, "square": 1.0}))


def bowling(rng: np.random.Generator, factors: Factors) -> list[Part]:
    """A domed bag with a zip and two handles."""
    h, t, drop, width = measures(
        rng, factors, body_height=(0.54, 0.66), taper=(0.08, 0.22), strap_drop=(0.24, 0.34),
        strap_width=(0.06, 0.08),
    )  # fmt: skip
    detail = pick(rng, {"ends": 2.0, "base": 1.0, "plain": 1.0})
    factors["detail"] = detail
    body = curve(
        [
            (0.0, 0.12),
            (0.06, 0.01),
            (0.5, 0.0, 0),
            (0.94, 0.01),
            (1.0, 0.12),
            (0.985 - t * 0.3, h * 0.62),
            (0.96 - t, h * 0.94),
            (0.5, h + 0.03),
            (0.04 + t, h * 0.94),
            (0.015 + t * 0.3, h * 0.62),
        ]
    )
    parts = [loop(0.30, 0.72, h - 0.04, drop * 0.94, width, 0.1), Part("body", body)]
    if detail == "ends":
        for edge, side in ((0.0, 1), (1.0, -1)):
            end = curve(
                [
                    (edge - side * 0.1, -0.1, 0),
                    (edge + side * 0.30, -0.1, 0),
                    (edge + side * 0.24, h * 0.25),
                    (edge + side * 0.10, h * 0.45),
                    (edge - side * 0.1, h * 0.5, 0),
                ]
            )
            parts.append(Part("panel", end, True))
    elif detail == "base":
        parts.append(base_panel(h * 0.30, h * 0.27))
    parts.append(zipper((t * 0.5, h * 0.80), (0.5, h * 0.88), (1 - t * 0.5, h * 0.80)))
    parts.append(loop(0.27, 0.73, h * 0.55, drop + h * 0.42, width, 0.1))
    for x in (0.27, 0.73):
        parts.append(tab("strap", x, 0.05, h * 0.42, h * 0.62))
        parts.append(tab("metal", x, 0.05, h * 0.58, h * 0.68))
    return parts
