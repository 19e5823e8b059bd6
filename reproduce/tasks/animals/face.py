"""Paint eyes, muzzle, mouth, nose and whiskers according to the pose."""

from __future__ import annotations

import numpy as np

from reproduce.tasks.animals.brush import Brush, Look
from reproduce.tasks.animals.canvas import Floats
from reproduce.tasks.animals.shapes import both, leaves, mirrored, on_side, ovals, path
from reproduce.tasks.animals.style import INK, WHITE, tone
from reproduce.tasks.drawn.curves import Anchor, curve, ellipse
from reproduce.tasks.drawn.palette import LCH

_MOUTH: LCH = (0.34, 0.10, 0.05)
_TONGUE: LCH = (0.72, 0.125, 0.03)
_GLINT: LCH = (0.99, 0.0, 0.0)
_DROP = 1.07  # how far an open mouth's chin sinks, in half heights of the lips


def paint_eyes(brush: Brush) -> None:
    """Paint both eyes: lid, white, iris, pupil and highlight."""
    openness = brush.frame.pose.openness
    shapes = _lids(brush, 0.065, 1.0), _lids(brush, 0.06, openness), _lids(brush, 0.0, openness)
    for side in (-1, 1):
        middle = np.array(brush.anatomy.eye) * (side, 1)
        socket, rim, opening = (on_side(shape, side) + middle for shape in shapes)
        light = brush.coat.base[0] > 0.4
        brush.face(socket, tone(brush.coat.base, -0.05 if light else 0.045))
        brush.face(rim, brush.coat.rim)
        _paint_eye(brush, middle, brush.canvas.shape(brush.frame.face(opening)) * brush.skull)


def _lids(brush: Brush, grow: float, openness: float) -> Floats:
    """Return the right eye's opening around its middle, enlarged by ``grow`` on all sides."""
    rx, ry = brush.anatomy.eye_radii
    wide, outer = rx + grow, brush.anatomy.slant * rx * openness**2
    upper, lower = -(ry + grow) * (1.2 * openness - 0.2), (ry + grow) * (0.85 + 0.15 * openness)
    return curve(
        [
            (-wide, outer * 0.9),
            (-wide * 0.60, upper * 0.80 + outer * 0.3),
            (0.0, upper),
            (wide * 0.62, upper * 0.78 - outer * 0.4),
            (wide, -outer),
            (wide * 0.60, lower * 0.76 - outer * 0.2),
            (0.0, lower),
            (-wide * 0.60, lower * 0.72 + outer * 0.4),
        ]
    )


def _paint_eye(brush: Brush, middle: Floats, opening: Floats) -> None:
    """Paint what is visible between the lids."""
    anatomy, pose, coat = brush.anatomy, brush.frame.pose, brush.coat
    rx, ry = anatomy.eye_radii

    def paint(shape: Floats, colour: LCH, alpha: float = 1.0) -> None:
        brush.canvas.paint(brush.frame.face(shape), colour, alpha, opening)

    whole = ellipse(middle[0], middle[1], 1.5 * rx, 1.5 * ry)
    look_x = middle[0] + pose.gaze_x * 0.30 * rx
    look_y = middle[1] + (pose.gaze_y * 0.26 + 0.04) * ry
    if anatomy.iris < 1:
        paint(whole, WHITE)
        paint(ellipse(look_x, look_y, anatomy.iris * ry, anatomy.iris * ry), coat.iris)
    else:  # the iris fills the eye, darker under the upper lid
        paint(whole, coat.iris)
        lid = ellipse(middle[0], middle[1] - 0.95 * ry, 1.1 * rx, 0.55 * ry)
        paint(lid, tone(coat.iris, -0.14), 0.7)
    paint(ellipse(look_x, look_y, anatomy.pupil[0] * ry, anatomy.pupil[1] * ry), INK)
    paint(ellipse(look_x - 0.22 * ry, look_y - 0.30 * ry, 0.24 * ry, 0.24 * ry), _GLINT)


def paint_muzzle(brush: Brush, look: Look) -> None:
    """Paint jaw, mouth, lips and nose."""
    anatomy, coat = brush.anatomy, brush.coat
    px, py = anatomy.puff
    rx, ry = anatomy.puff_radii
    drop = _DROP * ry if brush.frame.pose.expression == "open" else 0.0
    lip = py + 0.72 * ry  # where the lips meet
    wide = anatomy.chin + (0.12 if drop else 0.0)
    for grow, colour in ((0.035, tone(coat.outline, 0.06)), (0.0, tone(coat.muzzle, -0.05))):
        jaw = [
            (0.0, lip - 0.25),
            (wide + grow + 0.03, lip - 0.12),
            (wide + grow, lip + drop * 0.55),
            (wide * 0.6 + grow, lip + drop + 0.10 + grow * 0.7),
            (0.0, lip + drop + 0.17 + grow),
        ]
        brush.snout(mirrored(jaw), colour)
    if drop:
        _paint_open_mouth(brush, lip, drop)
    brush.snout(both(ellipse(px, py + 0.025, rx + 0.02, ry + 0.02)), tone(coat.muzzle, -0.09))
    brush.snout(both(ellipse(px, py, rx, ry)), coat.muzzle)
    look.muzzle(brush)
    _paint_mouth_line(brush, lip)
    _paint_nose(brush)


def _paint_open_mouth(brush: Brush, lip: float, drop: float) -> None:
    wide = brush.anatomy.chin + 0.06
    hole = mirrored(
        [
            (0.0, lip - 0.12),
            (wide, lip - 0.10),
            (wide * 0.92, lip + drop * 0.45),
            (wide * 0.45, lip + drop * 0.92),
            (0.0, lip + drop),
        ]
    )
    inside = brush.canvas.shape(brush.on_snout(hole))
    brush.snout(hole, _MOUTH)
    if brush.anatomy.feline:
        brush.snout(ellipse(0.0, lip + drop * 0.80, wide * 0.62, drop * 0.50), _TONGUE, 1.0, inside)
        return
    for grow, colour in ((0.03, tone(_TONGUE, -0.25)), (0.0, _TONGUE)):
        long = ellipse(0.0, lip + drop * 0.88, wide * 0.56 + grow, drop * 0.86 + grow)
        brush.snout(long, colour)
    brush.snout(path(0.03, (0.0, lip), (0.0, lip + drop * 1.2)), tone(_TONGUE, -0.12))


def _paint_mouth_line(brush: Brush, lip: float) -> None:
    anatomy, line = brush.anatomy, brush.coat.line
    expression, wide = brush.frame.pose.expression, anatomy.mouth
    start = anatomy.nose_y + anatomy.nose[1] * 0.6
    thin = 0.05 if anatomy.broad_nose else 0.04
    brush.snout(path(thin, (0.0, start), (0.0, lip)), line)
    if expression == "smile":
        reach = wide * 1.45
        corner = path(0.065, (0.0, lip - 0.01), (reach * 0.55, lip + 0.05), (reach, lip - 0.17))
    elif expression == "closed":
        corner = path(0.05, (0.0, lip - 0.02), (wide * 0.5, lip + 0.05), (wide, lip + 0.05))
    else:
        corner = path(0.045, (0.0, lip - 0.01), (wide * 0.6, lip + 0.04), (wide * 1.2, lip - 0.06))
    brush.snout(both(corner), line)


def _paint_nose(brush: Brush) -> None:
    y, (wide, high) = brush.anatomy.nose_y, brush.anatomy.nose
    colour = brush.coat.nose
    if brush.anatomy.broad_nose:
        anchors: list[Anchor] = [
            (0.0, y - high * 0.52),
            (wide * 0.75, y - high * 0.46),
            (wide, y - high * 0.05),
            (wide * 0.55, y + high * 0.36),
            (0.0, y + high * 0.62),
        ]
    else:
        anchors = [
            (0.0, y - high * 0.40),
            (wide * 0.7, y - high * 0.46),
            (wide, y - high * 0.15),
            (wide * 0.4, y + high * 0.45),
            (0.0, y + high * 0.62),
        ]
    brush.snout(mirrored(anchors), colour)
    if brush.anatomy.broad_nose:
        nostril = both(ellipse(wide * 0.45, y + high * 0.08, wide * 0.2, high * 0.15))
        brush.snout(nostril, tone(colour, -0.13))
    light = ellipse(-wide * 0.25, y - high * 0.26, wide * 0.38, high * 0.12)
    brush.snout(light, WHITE, 0.5)


def paint_whiskers(brush: Brush) -> None:
    """Paint the whiskers' dots and, for cats, three whiskers on each side."""
    px, py = brush.anatomy.puff
    rx, ry = brush.anatomy.puff_radii
    dots = [(px + rx * a, py + ry * b) for a, b in ((0.0, -0.25), (0.38, -0.05), (0.05, 0.25))]
    brush.snout(both(ovals(np.array(dots), 0.028, 0.028)), tone(brush.coat.line, 0.15), 0.7)
    if not brush.anatomy.feline:
        return
    strokes = [
        (px + rx * 0.35, py - 0.04, 1.28, py - 0.30, 0.035, -0.05),
        (px + rx * 0.45, py + 0.02, 1.34, py - 0.05, 0.035, -0.04),
        (px + rx * 0.35, py + 0.08, 1.26, py + 0.22, 0.035, -0.04),
    ]
    hairs = leaves(strokes)
    for side in (-1, 1):
        brush.canvas.paint(brush.frame.flat(on_side(hairs, side), 0.25), brush.coat.whisker, 0.75)
