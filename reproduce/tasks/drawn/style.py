"""The style of a drawn picture, independent of its content: colours, pattern and material."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from reproduce.tasks.drawn.content import Factors
from reproduce.tasks.drawn.draws import pick, uniform
from reproduce.tasks.drawn.palette import LCH, LEATHERS, RGB, draw_body, draw_second, to_rgb

PATTERNS = ("plain", "stripes", "checks", "dots", "two-tone", "zigzag")
MATERIALS = ("matte", "glossy", "suede")
_SOLES = {"white": 4.0, "gum": 1.5, "black": 2.0, "accent": 2.0, "body": 1.0}


@dataclass(frozen=True)
class Style:
    """A style. Colours are sRGB bytes; lengths are fractions of the canvas, angles slopes dy/dx."""

    kind: str
    family: str  # of the body's colour: bright, deep, pastel or a leather
    scheme: str  # how the accent was chosen
    material: str
    pattern: str
    body: RGB
    second: RGB  # the pattern's colour
    panel: RGB
    accent: RGB
    sole: RGB
    strap: RGB
    lining: RGB
    metal: RGB
    lace: RGB
    period: float  # of the pattern
    slope: tuple[int, int]  # direction across the stripes, integers (x, y)
    phase: float

    def as_dict(self) -> Factors:
        """Return the factors as a flat dict; colours are #rrggbb, and the body's also HLS."""
        hue, lightness, saturation = colorsys.rgb_to_hls(*(v / 255 for v in self.body))
        factors: Factors = {
            "family": self.family,
            "scheme": self.scheme,
            "material": self.material,
            "pattern": self.pattern,
            "body_hue": round(hue, 4),
            "body_lightness": round(lightness, 4),
            "body_saturation": round(saturation, 4),
        }
        for name in (
            "body",
            "second",
            "panel",
            "accent",
            "sole",
            "strap",
            "lining",
            "metal",
            "lace",
        ):
            factors[f"{name}_rgb"] = "#" + bytes(getattr(self, name)).hex()
        return factors | {
            "period": self.period,
            "slope": f"{self.slope[0]}:{self.slope[1]}",
            "phase": self.phase,
        }


def _shift(colour: LCH, lightness: float) -> LCH:
    return (min(max(colour[0] + lightness, 0.18), 0.96), colour[1], colour[2])


def draw_style(kind: str, rng: np.random.Generator) -> Style:
    """Draw a style for any content of ``kind``."""
    family, body = draw_body(rng)
    scheme, accent = draw_second(rng, body)
    light = body[0] > 0.60
    tone = _shift(body, -0.16 if light else 0.17)
    second = pick(rng, {"accent": 1.5, "tone": 2.0, "white": 1.0})
    pattern = pick(rng, dict(zip(PATTERNS, (84, 4, 2, 2, 7, 1), strict=True)))
    seconds = {"accent": accent, "tone": tone, "white": LEATHERS["black" if light else "white"]}
    panel = pick(rng, {"tone": 3.0, "accent": 1.0, "body": 2.0})
    sole = pick(rng, _SOLES)
    soles = {
        "white": (0.95, 0.008, 0.25),
        "gum": (0.70, 0.085, 0.18),
        "black": LEATHERS["black"],
        "accent": accent,
        "body": _shift(body, -0.10 if light else 0.08),
    }
    straps = {"accent": accent, "body": tone, "tan": LEATHERS["tan"], "black": LEATHERS["black"]}
    strap = pick(rng, {"accent": 2.0, "body": 2.5, "tan": 1.0, "black": 1.0})
    if kind == "shoes":
        strap = pick(rng, {"body": 3.0, "accent": 1.0})
        straps["body"] = body
    lining = (0.50, 0.03, 0.17) if body[0] < 0.45 else _shift((body[0], body[1] / 2, body[2]), -0.3)
    return Style(
        kind=kind,
        family=family,
        scheme=scheme,
        material=pick(rng, dict(zip(MATERIALS, (4, 3, 3), strict=True))),
        pattern=pattern,
        body=to_rgb(body),
        second=to_rgb(seconds[second]),
        panel=to_rgb({"tone": tone, "accent": accent, "body": body}[panel]),
        accent=to_rgb(accent),
        sole=to_rgb(soles[sole]),
        strap=to_rgb(straps[strap]),
        lining=to_rgb(lining),
        metal=pick(rng, {(214, 178, 82): 2.0, (186, 190, 196): 1.0}),
        lace=to_rgb(LEATHERS[pick(rng, {"white": 2.0, "black": 1.0})]),
        period=uniform(rng, 0.14, 0.20),
        slope=pick(rng, {(1, 0): 1.0, (0, 1): 1.0, (1, 1): 1.0, (1, -1): 1.0}),
        phase=uniform(rng, 0, 1),
    )
