"""Render content and style to pixels.

    content ──> part map ──┬──> mask
                           ├──> boundaries ──> edge map
                           └──> (part, pattern, seam) ──> flat colours × light ──> photo

Flat colours are computed at SAMPLES times the resolution, so that borders of parts are crisp;
light, which is smooth, is computed at the picture's resolution, which is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError
from reproduce.tasks.drawn.canvas import (
    SAMPLES,
    Bools,
    Bytes,
    Counts,
    blur,
    boundaries,
    count,
    paint_lines,
    part_map,
)
from reproduce.tasks.drawn.content import ROLES, Content
from reproduce.tasks.drawn.style import Style

SMALLEST, LARGEST = 32, 256
Floats: TypeAlias = NDArray[np.float64]
_FULL = SAMPLES * SAMPLES
# Largest brightness of a photo's object: one sample of it in a white pixel gives 254.
_CEILING = 240.0
_PALEST = 218.0  # in the darkest channel
# The roles that are lit together as one rounded volume.
_VOLUMES = {
    "body": ("body", "panel", "accent", "lace", "stitch"),
    "sole": ("sole", "heel"),
    "strap": ("strap",),
    "inside": ("lining",),
    "metal": ("metal",),
}
_VOLUME_OF = {role: volume for volume, roles in _VOLUMES.items() for role in roles}


def check_size(size: int) -> None:
    """Raise UserError for a picture size outside 32 to 256 pixels."""
    if not SMALLEST <= size <= LARGEST:
        nearest = min(max(size, SMALLEST), LARGEST)
        raise UserError(
            f"size {size}: drawn pictures come in {SMALLEST} to {LARGEST} pixels; "
            f"the nearest is {nearest}"
        )


def line_width(size: int) -> float:
    """Return the width of edges in pixels: 1/28 of a 32-pixel picture, and less of larger ones."""
    return float(32 / 28 * np.sqrt(np.sqrt(size / 32)))


def render_mask(content: Content, size: int) -> Bytes:
    """Render the silhouette (size, size), 0 outside to 255 inside, anti-aliased."""
    check_size(size)
    inside = count(part_map(content, size * SAMPLES) > 0)
    return ((inside * 255 + _FULL // 2) // _FULL).astype(np.uint8)


def render_edges(content: Content, size: int) -> Bytes:
    """Render the outline and the parts' boundaries (size, size, 3), black on white."""
    check_size(size)
    n = size * SAMPLES
    parts = part_map(content, n)
    black = count(boundaries(content, parts, line_width(size) * SAMPLES))
    grey = (((_FULL - black) * 255 + _FULL // 2) // _FULL).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def render_photo(content: Content, style: Style, size: int) -> Bytes:
    """Render the lit object on white, (size, size, 3) sRGB; white exactly where the mask is 0.

    Equal arguments give equal pictures on every machine.
    """
    return painter(content, size)(style)


def painter(content: Content, size: int) -> Callable[[Style], Bytes]:
    """Return ``render_photo`` of one content for any style; shared work is done once."""
    check_size(size)
    n = size * SAMPLES
    parts = part_map(content, n)
    seams = boundaries(content, parts, 0.55 * line_width(size) * SAMPLES)
    parts = paint_lines(content, parts, 1.1 / size)
    roles = np.array([0, *(1 + ROLES.index(part.role) for part in content.parts)], np.uint8)[parts]
    keys = roles * 4  # + 2 where the second colour goes, + 1 on a seam
    keys += seams & (roles > 0)
    found = np.flatnonzero(np.bincount(keys.ravel(), minlength=4))
    shares = {int(key): count(keys == key) for key in found if key >= 4}
    covered = sum(shares.values(), np.zeros((size, size), dtype=np.int64))
    reliefs = {
        volume: _relief(volume, np.isin(roles, [1 + ROLES.index(r) for r in names]), size)
        for volume, names in _VOLUMES.items()
    }

    def paint(style: Style) -> Bytes:
        if content.kind != style.kind:
            raise UserError(f"style for {style.kind!r} on {content.kind!r}: draw one of that kind")
        second = _pattern(style, n)
        own = dict(shares)
        for key in {4, 5} & shares.keys() if second is not None else ():
            own[key + 2] = count((keys == key) & second)
            own[key] = shares[key] - own[key + 2]
        light = {volume: _light(style, volume, *relief) for volume, relief in reliefs.items()}
        picture = np.zeros((size, size, 3))
        for key, share in sorted(own.items()):
            role = ROLES[key // 4 - 1]
            shade, shine = light[_VOLUME_OF[role]]
            colour = np.array(_colour(style, role, bool(key & 2)), dtype=np.float64)
            seam = 0.66 if key & 1 else 1.0
            lit = colour * (shade * seam)[:, :, None] + (shine * seam)[:, :, None]
            lit = np.minimum(lit, _CEILING)
            # Pale leather stays darker than the background, so that the silhouette can be found in
            # the picture.
            lit -= np.maximum(lit.min(axis=2, keepdims=True) - _PALEST, 0)
            picture += share[:, :, None] * lit
        picture += (_FULL - covered)[:, :, None] * 255.0
        return np.floor(picture / _FULL + 0.5).astype(np.uint8)

    return paint


def _colour(style: Style, role: str, second: bool) -> tuple[int, int, int]:
    if role == "body":
        return style.second if second else style.body
    if role == "heel":
        return style.sole
    if role == "stitch":
        return style.accent
    colour: tuple[int, int, int] = getattr(style, role)
    return colour


def _pattern(style: Style, n: int) -> Bools | None:
    """Return (n, n): where the second colour is used if everything is body; None if plain."""
    if style.pattern == "plain":
        return None
    x = (np.arange(n)[None, :] + 0.5) / n
    y = (np.arange(n)[:, None] + 0.5) / n
    dx, dy = style.slope
    norm = 1.0 if dx * dy == 0 else np.sqrt(2.0)
    u = (dx * x + dy * y) / (norm * style.period) + style.phase
    v = (dy * x - dx * y) / (norm * style.period) + style.phase
    if style.pattern == "stripes":
        return np.asarray((u % 1.0) < 0.5)
    if style.pattern == "checks":
        return np.asarray(((u * 0.9) % 1.0 < 0.5) ^ ((v * 0.9) % 1.0 < 0.5))
    if style.pattern == "dots":
        row = np.floor(v)
        du, dv = (u + 0.5 * (row % 2)) % 1.0 - 0.5, v - row - 0.5
        return np.asarray(du**2 + dv**2 < 0.105)
    if style.pattern == "zigzag":
        return np.asarray((u * 0.85 + np.abs((v * 0.7) % 1.0 - 0.5)) % 1.0 < 0.5)
    middle = 0.46 + 0.12 * style.phase
    return np.asarray(dx * (x - middle) + dy * (y - middle) > 0)


def _relief(volume: str, samples: Bools, size: int) -> tuple[Floats, Floats]:
    """Return a rounded volume's height, and how much it faces the light from the upper left."""
    whole: Counts = count(samples)
    # Large volumes have a rounded border on a rounded whole, thin ones a single rounding.
    radii = (0.035, 0.08) if volume in ("body", "sole") else (0.012, 0.012)
    height, facing = np.zeros((size, size)), np.zeros((size, size))
    for share in radii:
        radius = max(1, int(size * share + 0.5))
        level = blur(whole, radius) / float(_FULL * (2 * radius + 1) ** 6)
        slope_y, slope_x = np.gradient(level * (2.0 * radius))
        height += level / 2
        facing += (slope_x * 0.5 + slope_y * 0.85) / 2  # positive towards the light
    return height, facing


def _light(style: Style, volume: str, height: Floats, facing: Floats) -> tuple[Floats, Floats]:
    """Return a relief's lighting: a factor for colours, and highlights to add."""
    rim = np.clip(height * 2.0 - 0.55, 0, 1)
    down = np.linspace(0.07, -0.09, len(height))[:, None]
    if volume == "inside":
        return 0.80 + 0.15 * rim, np.zeros_like(height)
    if style.material == "glossy" or volume == "metal":
        shade = 0.80 + 0.18 * rim + 0.40 * facing + down
        streak = np.clip(1 - np.abs(height - 0.72) / 0.15, 0, 1) * np.clip(facing * 6 - 0.4, 0, 1)
        return shade, 120.0 * streak
    if style.material == "suede":
        return 0.72 + 0.28 * rim + 0.15 * facing + 1.6 * down, np.full_like(height, 6.0)
    return 0.84 + 0.16 * rim + 0.40 * facing + down, np.zeros_like(height)
