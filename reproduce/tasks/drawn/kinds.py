"""The kinds of drawn pictures, and functions that draw their contents and styles."""

from __future__ import annotations

import numpy as np

from models.errors import UserError
from reproduce.tasks.drawn.content import Content
from reproduce.tasks.drawn.handbags import draw_handbag
from reproduce.tasks.drawn.shoes import draw_shoe
from reproduce.tasks.drawn.style import Style
from reproduce.tasks.drawn.style import draw_style as _draw_style

KINDS = ("shoes", "handbags")


def check_kind(kind: str) -> None:
    """Raise UserError for an unknown kind."""
    if kind not in KINDS:
        raise UserError(f"kind {kind!r} is not drawn: choose one of {', '.join(KINDS)}")


def draw_content(kind: str, rng: np.random.Generator) -> Content:
    """Draw a content of ``kind`` ("shoes" or "handbags") with ``rng``."""
    check_kind(kind)
    return draw_shoe(rng) if kind == "shoes" else draw_handbag(rng)


def draw_style(kind: str, rng: np.random.Generator) -> Style:
    """Draw a style for any content of ``kind`` with ``rng``."""
    check_kind(kind)
    return _draw_style(kind, rng)
