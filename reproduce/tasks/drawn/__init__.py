"""Drawn shoes and handbags: the project's own pictures.

A picture is a content (silhouette, parts, pose) in a style (colours, pattern, material); the two
are drawn independently of each other, so any content goes with any style of its kind. Every
content also has an edge map, which knows nothing of styles.
"""

from __future__ import annotations

from reproduce.tasks.drawn.content import Content
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION, SPLITS, draw, write_drawn
from reproduce.tasks.drawn.kinds import KINDS, draw_content, draw_style
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo
from reproduce.tasks.drawn.style import Style

__all__ = [
    "GENERATOR_VERSION",
    "KINDS",
    "SPLITS",
    "Content",
    "Style",
    "draw",
    "draw_content",
    "draw_style",
    "render_edges",
    "render_mask",
    "render_photo",
    "write_drawn",
]
