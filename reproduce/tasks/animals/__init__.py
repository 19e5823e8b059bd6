"""Drawn heads of house cats, big cats and dogs: domains of four modes each.

A picture is a content (pose, gaze, expression, backdrop: one meaning and one distribution for
all animals) in a style (what a mode leaves open: hues, layout of stripes and spots). The domains
differ in the shape of face, ears, eyes and muzzle, the modes of a domain in coat and features.
"""

from __future__ import annotations

from reproduce.tasks.animals.animal import (
    DOMAINS,
    GENERATOR_VERSION,
    SPLITS,
    Animal,
    Domain,
    draw_animal,
)
from reproduce.tasks.animals.dataset import write_animals
from reproduce.tasks.animals.render import render_animal

__all__ = [
    "DOMAINS",
    "GENERATOR_VERSION",
    "SPLITS",
    "Animal",
    "Domain",
    "draw_animal",
    "render_animal",
    "write_animals",
]
