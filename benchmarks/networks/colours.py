"""Perceptual colours: conversion to OKLab, and eleven coarse colour bins.

Source: Ottosson, "A perceptual color space for image processing", 2020; the transfer curve of sRGB
is that of IEC 61966-2-1. Lightness is 0 to 1, a and b are within about 0.4 of 0, and equal
distances look about equally different.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

NEUTRAL_CHROMA = 0.045  # colours with less chroma look black, grey or white
NEUTRALS = (0.45, 0.78)  # lightness: dark below the first, light from the second up
HUES = 8
COLOURS = ("dark", "grey", "light", *(f"hue {360 * k // HUES}°" for k in range(HUES)))


def oklab(srgb: ArrayLike) -> FloatArray:
    """Convert sRGB colours (..., 3) in [0, 1] to OKLab (..., 3): lightness, a, b."""
    values = np.asarray(srgb, dtype=np.float64)
    curved = ((values + 0.055) / 1.055) ** 2.4
    linear = np.where(values <= 0.04045, values / 12.92, curved)
    return np.cbrt(linear @ CONES.T) @ LAB.T


def colour_bins(lab: ArrayLike) -> NDArray[np.int64]:
    """Map OKLab colours (..., 3) to indices (...) into ``COLOURS``: colours of low chroma by
    lightness, all others by hue alone, in eight sectors of 45 degrees that start at 0."""
    values = np.asarray(lab, dtype=np.float64)
    lightness, a, b = values[..., 0], values[..., 1], values[..., 2]
    neutral = np.digitize(lightness, NEUTRALS)
    turns = np.mod(np.arctan2(b, a) / (2 * np.pi), 1.0)
    hue = np.minimum((turns * HUES).astype(np.int64), HUES - 1)
    return np.where(np.hypot(a, b) < NEUTRAL_CHROMA, neutral, 3 + hue)
