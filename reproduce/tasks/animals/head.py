"""Paint body, ears and skull: all of a head except its face."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.animals.brush import Brush, Look
from reproduce.tasks.animals.canvas import Floats
from reproduce.tasks.animals.shapes import closed, mirrored, on_side
from reproduce.tasks.animals.style import tone
from reproduce.tasks.drawn.palette import LCH

_OUTLINE = 0.045  # its width, in half widths of the head
_DARK: LCH = (0.16, 0.02, 0.12)


def paint_body(brush: Brush, look: Look) -> None:
    """Paint neck and shoulders, down to the picture's lower border and beyond."""
    neck, shoulder = brush.anatomy.neck, brush.anatomy.shoulder
    anchors = [
        (0.0, 0.2),
        (neck, 0.4, 0),
        (neck * 1.04, 0.95),
        (shoulder * 0.9, 1.45),
        (shoulder * 1.08, 2.2),
        (shoulder * 1.1, 3.4, 0),
        (0.0, 3.4),
    ]
    outline = mirrored(anchors)
    brush.chest = brush.canvas.shape(brush.frame.upright(outline))
    wider = outline * (1 + _OUTLINE / shoulder, 1.0)
    brush.canvas.paint(brush.frame.upright(wider), tone(brush.coat.outline, 0.02))
    brush.body(outline, tone(brush.coat.base, -0.045))
    look.body(brush)


def shade_body(brush: Brush) -> None:
    """Paint the head's shadow on the chest."""
    brush.glow(0.0, 0.98, (0.85, 0.50), _DARK, 0.36, brush.chest)


def _ear(brush: Brush, side: int, front: bool, inner: bool = False) -> Floats:
    """Return the outline of an ear in the unit square; the nearer ear is wider."""
    anchors = brush.anatomy.ear_inner if inner else brush.anatomy.ear
    points = closed(anchors)
    root = np.array([anchors[-1][0], 0.0])  # the outer end stays on the skull
    wide = 1.0 - 0.25 * side * brush.frame.turn
    points = (points - root) * (wide, 1.0) + root
    depth = 0.10 if brush.anatomy.hanging else -0.08
    if front:  # keep clear of the far eye; the same ear behind the skull fills the gap
        depth += 0.32 * max(side * brush.frame.turn, 0.0)
    return brush.frame.flat(on_side(points, side), depth + (0.06 if inner else 0.0))


def paint_ears(brush: Brush, look: Look, front: bool) -> None:
    """Paint both ears, in front of the skull or behind it, the farther one first."""
    far = 1 if brush.frame.turn > 0 else -1
    for side in (far, -far):
        outline = _ear(brush, side, front)
        _paint_rim(brush, outline, brush.coat.outline)
        brush.canvas.paint(outline, brush.coat.ear)
        clip = brush.canvas.shape(outline)
        brush.canvas.paint(_ear(brush, side, front, True), brush.coat.ear_inner, 1.0, clip)
    look.ears(brush)


def _paint_rim(brush: Brush, outline: Floats, colour: LCH) -> None:
    """Paint the shape slightly enlarged, as its rim."""
    centre = (outline.min(axis=0) + outline.max(axis=0)) / 2
    half = (outline.max(axis=0) - outline.min(axis=0)) / 2
    width = _OUTLINE * brush.frame.unit * brush.frame.pose.scale
    brush.canvas.paint((outline - centre) * (1 + width / half) + centre, colour)


def paint_skull(brush: Brush, look: Look) -> None:
    """Paint the skull with its marks, and set ``brush.skull``."""
    outline = brush.frame.flat(mirrored(brush.anatomy.skull))
    brush.skull = brush.canvas.shape(outline)
    _paint_rim(brush, outline, brush.coat.outline)
    brush.canvas.paint(outline, brush.coat.base)
    light = tone(brush.coat.base, 0.07)
    brush.glow(-0.3, -0.45, (0.85, 0.60), light, 0.9)
    look.face(brush)


def shade_skull(brush: Brush) -> None:
    """Shade the cheeks, more on the side away from the light."""
    flat = brush.frame.flat(np.array([(0.98, 0.55), (-1.0, 0.70)]))
    unit = brush.frame.unit * brush.frame.pose.scale
    brush.canvas.glow(flat[0], (0.60 * unit, 0.95 * unit), _DARK, 0.24, brush.skull)
    brush.canvas.glow(flat[1], (0.45 * unit, 0.75 * unit), _DARK, 0.12, brush.skull)
