"""Six kinds of shoe from the side, facing right: heel at x = 0, toe at x = 1, ground at y = 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reproduce.tasks.drawn.content import Content, Factors, place
from reproduce.tasks.drawn.draws import pick, uniform
from reproduce.tasks.drawn.shoes_flat import high_top, loafer, sneaker
from reproduce.tasks.drawn.shoes_heeled import boot, pump
from reproduce.tasks.drawn.shoes_open import sandal

CATEGORIES = {
    "sneaker": sneaker,
    "high-top": high_top,
    "pump": pump,
    "boot": boot,
    "loafer": loafer,
    "sandal": sandal,
}

# Low shoes are drawn higher than real ones, or they would be too flat at 32 pixels.
_STOUTNESS = {
    "sneaker": 1.28,
    "high-top": 1.12,
    "pump": 1.22,
    "boot": 1.0,
    "loafer": 1.36,
    "sandal": 1.22,
}


def draw_shoe(rng: np.random.Generator) -> Content:
    """Draw a shoe of a random category, with random proportions and details."""
    category = pick(rng, {name: 1.0 for name in CATEGORIES})
    facing = pick(rng, {"left": 1.0, "right": 1.0})
    fill = uniform(rng, 0.94, 1.03)
    # The same columns for every category; its function fills in those that apply.
    factors: Factors = {
        "heel_height": 0.0,
        "top_height": 0.0,
        "sole_thickness": 0.0,
        "toe_height": 0.0,
        "detail": "",
    }
    parts = CATEGORIES[category](rng, factors)
    stout = round(_STOUTNESS[category] * uniform(rng, 0.92, 1.10), 4)
    parts = [replace(part, points=part.points * (1.0, stout)) for part in parts]
    return place("shoes", category, facing, factors | {"stout": stout, "fill": fill}, parts, fill)
