"""An animal's style, which varies within a mode, and its coat's colours."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from reproduce.tasks.drawn.content import Factors
from reproduce.tasks.drawn.draws import uniform
from reproduce.tasks.drawn.palette import LCH

WHITE: LCH = (0.96, 0.010, 0.22)
INK: LCH = (0.22, 0.012, 0.10)
PINK: LCH = (0.76, 0.090, 0.03)


@dataclass(frozen=True)
class Style:
    """Style factors, uniform in [-1, 1] or [0, 1]; each mode interprets them in its own way."""

    hue: float  # -1 to 1: the coat's, relative to the mode's
    lightness: float  # -1 to 1
    chroma: float  # -1 to 1
    marking: float  # 0 to 1: size of mask, blaze, mane, patches
    density: float  # 0 to 1: number or strength of stripes and spots
    eye: float  # -1 to 1: the eyes' colour
    build: float  # -1 to 1: size of the ears
    layout: int  # seed for the layout of stripes and spots

    def as_dict(self) -> Factors:
        """Return the factors as a flat dict."""
        return asdict(self)

    def coat(self, colour: LCH, lightness: float = 0.035, hue: float = 0.016) -> LCH:
        """Shift ``colour`` by this style's factors, at most by ``lightness`` and ``hue``."""
        return (
            colour[0] + lightness * self.lightness,
            colour[1] * (1 + 0.16 * self.chroma),
            colour[2] + hue * self.hue,
        )

    def iris(self, colour: LCH, hue: float = 0.03) -> LCH:
        """Return the eyes' colour, near ``colour``."""
        return (colour[0] + 0.03 * self.eye, colour[1], colour[2] + hue * self.eye)


def draw_style(rng: np.random.Generator) -> Style:
    """Draw a style for any mode with ``rng``."""
    return Style(
        hue=uniform(rng, -1, 1),
        lightness=uniform(rng, -1, 1),
        chroma=uniform(rng, -1, 1),
        marking=uniform(rng, 0, 1),
        density=uniform(rng, 0, 1),
        eye=uniform(rng, -1, 1),
        build=uniform(rng, -1, 1),
        layout=int(rng.random() * 2**31),
    )


@dataclass(frozen=True)
class Coat:
    """The colours of an animal's parts."""

    base: LCH
    muzzle: LCH
    ear: LCH
    ear_inner: LCH
    iris: LCH
    outline: LCH  # of head, ears and body
    nose: LCH = PINK
    rim: LCH = INK  # of the eyes
    line: LCH = INK  # of the mouth
    whisker: LCH = WHITE


def tone(colour: LCH, lightness: float, chroma: float = 1.0) -> LCH:
    """Return a lighter or darker colour of the same hue."""
    return (min(max(colour[0] + lightness, 0.12), 0.97), colour[1] * chroma, colour[2])
