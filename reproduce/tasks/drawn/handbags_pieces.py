"""Parts shared by several bags: handles, clasps, zips, bands. See ``handbags`` for the axes."""

from __future__ import annotations

from reproduce.tasks.drawn.content import Part
from reproduce.tasks.drawn.curves import Anchor, box, curve, ellipse, line, ribbon


def loop(x0: float, x1: float, base: float, drop: float, width: float, square: float) -> Part:
    """A handle from (x0, base) up by ``drop`` and down to x1; ``square`` 0 (round) to 1."""
    r = (x1 - x0) * (0.28 - 0.14 * square)
    shoulder = base + drop * (0.70 + 0.16 * square)
    path = line(
        (x0, base),
        (x0 + r * 0.12, base + drop * 0.45),
        (x0 + r * 0.5, shoulder),
        ((x0 + x1) / 2, base + drop),
        (x1 - r * 0.5, shoulder),
        (x1 - r * 0.12, base + drop * 0.45),
        (x1, base),
    )
    return Part("strap", ribbon(path, width))


def shoulder_strap(rise: list[Anchor], top: float, width: float) -> Part:
    """A strap through ``rise``, from the bag's left side to (0.5, top), mirrored on the right."""
    fall = [(1 - x, y) for x, y in reversed(rise)]
    return Part("strap", ribbon(line(*rise, (0.5, top), *fall), width))


def clasp(x: float, y: float, kind: str) -> list[Part]:
    """A round or square clasp at (x, y)."""
    if kind == "round":
        return [Part("metal", ellipse(x, y, 0.06, 0.06), True)]
    return [tab("metal", x, 0.06, y - 0.055, y + 0.055, clip=True)]


def tab(role: str, x: float, half: float, low: float, high: float, clip: bool = False) -> Part:
    """An upright piece of strap or metal at x, 2 ``half`` wide, from ``low`` to ``high``."""
    return Part(role, box(x - half, low, x + half, high, 0.02), clip)


def band(role: str, side: float, middle: float, width: float) -> Part:
    """A band round the bag, at height ``side`` at its edges and ``middle`` in front."""
    path = line((-0.1, side), (0.5, middle), (1.1, side))
    return Part(role, ribbon(path, width), True)


def base_panel(side: float, middle: float) -> Part:
    """A base of another material, up to the height ``side`` (``middle`` in front)."""
    edge: list[Anchor] = [(-0.1, side, 0), (0.5, middle), (1.1, side, 0)]
    return Part("panel", curve([(-0.1, -0.1, 0), *edge, (1.1, -0.1, 0)]), True)


def zipper(*anchors: Anchor) -> Part:
    """A closed zip through ``anchors``."""
    return Part("metal", line(*anchors), True, 0.03)
