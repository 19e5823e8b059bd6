"""Seven kinds of bag from the front: the body is about 1 wide and stands on y = 0."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.drawn.content import Content, Factors, place
from reproduce.tasks.drawn.draws import pick, uniform
from reproduce.tasks.drawn.handbags_firm import bowling, clutch, satchel
from reproduce.tasks.drawn.handbags_soft import backpack, bucket, hobo, tote

CATEGORIES = {
    "tote": tote,
    "satchel": satchel,
    "clutch": clutch,
    "hobo": hobo,
    "backpack": backpack,
    "bucket": bucket,
    "bowling": bowling,
}


def draw_handbag(rng: np.random.Generator) -> Content:
    """Draw a bag of a random category, with random proportions and details."""
    category = pick(rng, {name: 1.0 for name in CATEGORIES})
    facing = pick(rng, {"left": 1.0, "right": 1.0})
    fill = uniform(rng, 0.94, 1.03)
    factors: Factors = {
        "body_height": 0.0,
        "taper": 0.0,
        "strap_drop": 0.0,
        "strap_width": 0.0,
        "flap": 0.0,
        "detail": "",
    }
    parts = CATEGORIES[category](rng, factors)
    return place("handbags", category, facing, factors | {"fill": fill}, parts, fill)
