"""Harmonious colours, chosen in OKLCH (Ottosson 2020, "A perceptual color space").

Lightness is 0 to 1, chroma 0 to about 0.3, hue in turns. Equal steps look equal, so colours of
equal lightness and chroma match, whatever their hues.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from reproduce.tasks.drawn.draws import pick, uniform

RGB: TypeAlias = tuple[int, int, int]
LCH: TypeAlias = tuple[float, float, float]

# name: mean (lightness, chroma, hue) of a leather
LEATHERS: dict[str, LCH] = {
    "black": (0.25, 0.008, 0.75),
    "brown": (0.42, 0.075, 0.145),
    "tan": (0.66, 0.105, 0.175),
    "cream": (0.90, 0.030, 0.23),
    "white": (0.95, 0.006, 0.25),
    "grey": (0.62, 0.010, 0.70),
    "navy": (0.32, 0.075, 0.735),
    "burgundy": (0.38, 0.115, 0.04),
}
# hue difference of the second colour, in turns
SCHEMES: dict[str, float] = {"analogous": 0.09, "split": 0.40, "triad": 0.33, "complement": 0.50}


def to_rgb(colour: LCH) -> RGB:
    """Convert a colour to sRGB bytes, with chroma reduced until it is in gamut."""
    lightness, chroma, hue = colour
    while True:
        a = chroma * math.cos(2 * math.pi * hue)
        b = chroma * math.sin(2 * math.pi * hue)
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        linear = (
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        )
        if chroma < 1e-3 or (min(linear) >= 0 and max(linear) <= 1):
            red, green, blue = (_gamma(min(max(v, 0.0), 1.0)) for v in linear)
            return red, green, blue
        chroma *= 0.93


def _gamma(linear: float) -> int:
    v = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return int(v * 255 + 0.5)


def draw_body(rng: np.random.Generator) -> tuple[str, LCH]:
    """Draw a family (bright, deep, pastel or a leather) and the body's colour. Most are leathers,
    as in shops, so that a picture with many hues looks wrong."""
    family = pick(rng, {"bright": 16, "deep": 12, "pastel": 8} | {name: 8.0 for name in LEATHERS})
    hue, jitter, shade = uniform(rng, 0, 1), uniform(rng, -1, 1), uniform(rng, -1, 1)
    if family == "bright":
        # Yellow is only yellow when light, blue only strong when dark.
        light = 0.67 + 0.11 * math.cos(2 * math.pi * (hue - 0.30)) + 0.04 * shade
        return family, (light, 0.205, hue)
    if family == "deep":
        return family, (0.44 + 0.05 * shade, 0.13, hue)
    if family == "pastel":
        return family, (0.83 + 0.03 * shade, 0.085, hue)
    lightness, chroma, middle = LEATHERS[family]
    return family, (min(lightness + 0.025 * shade, 0.96), chroma, middle + 0.015 * jitter)


def draw_second(rng: np.random.Generator, body: LCH) -> tuple[str, LCH]:
    """Draw a scheme and an accent that matches ``body`` and contrasts with it."""
    scheme = pick(
        rng, {"neutral": 6, "analogous": 3, "split": 0.6, "triad": 0.6, "complement": 0.8}
    )
    light, chroma, hue = body
    side = 1 if rng.random() < 0.5 else -1
    other = max(light - 0.26, 0.42) if light > 0.60 else light + 0.36
    if scheme == "neutral":
        name = pick(rng, {"brown": 1, "black": 2} if light > 0.55 else {"cream": 2, "tan": 2})
        return scheme, LEATHERS[name]
    if chroma < 0.05:  # any hue matches black, white or grey
        return scheme, (0.62 + 0.05 * side, 0.19, uniform(rng, 0, 1))
    return scheme, (other, max(chroma, 0.13), (hue + side * SCHEMES[scheme]) % 1.0)
