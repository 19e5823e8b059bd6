"""Render an animal to pixels."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.animals.animal import Animal, look_of
from reproduce.tasks.animals.brush import Brush
from reproduce.tasks.animals.canvas import Bytes, Canvas
from reproduce.tasks.animals.face import paint_eyes, paint_muzzle, paint_whiskers
from reproduce.tasks.animals.head import (
    paint_body,
    paint_ears,
    paint_skull,
    shade_body,
    shade_skull,
)
from reproduce.tasks.animals.pose import Frame, Pose
from reproduce.tasks.drawn.palette import to_rgb
from reproduce.tasks.drawn.render import check_size


def render_animal(animal: Animal, size: int) -> Bytes:
    """Render the picture (size, size, 3) in sRGB; equal arguments give equal pictures.

    Raises UserError unless ``size`` is 32 to 256 pixels.
    """
    check_size(size)
    look = look_of(animal)
    canvas = Canvas(size)
    _paint_backdrop(canvas, animal.pose)
    frame = Frame(animal.pose, look.anatomy.unit, look.anatomy.level)
    brush = Brush(
        canvas, frame, look.anatomy, look.coat, np.random.default_rng(animal.style.layout)
    )
    paint_body(brush, look)
    shade_body(brush)
    look.behind(brush)
    paint_ears(brush, look, front=False)
    paint_skull(brush, look)
    shade_skull(brush)
    paint_eyes(brush)
    paint_muzzle(brush, look)
    if look.anatomy.hanging:
        paint_ears(brush, look, front=True)
    paint_whiskers(brush)
    return canvas.pixels()


def _paint_backdrop(canvas: Canvas, pose: Pose) -> None:
    light, chroma, hue = pose.backdrop_lightness, pose.backdrop_chroma, pose.backdrop_hue
    middle = np.array(to_rgb((light, chroma, hue)), dtype=np.float64)
    canvas.rgb += middle
    if pose.backdrop == "gradient":
        low = np.array(to_rgb((light - 0.10, chroma, hue + 0.06)), dtype=np.float64)
        share = np.linspace(0.0, 1.0, canvas.size)[:, None, None]
        canvas.rgb += share * (low - middle)
    elif pose.backdrop == "spot":
        canvas.glow(np.array([0.5, 0.45]), (0.75, 0.75), (light + 0.09, chroma, hue), 1.0)
