"""Pictures of a study, written without a trace.

A picture that raters see must not tell where it comes from, so it is encoded anew from its pixels
alone: one size, no metadata, a random name, the same time stamp for all.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.study.draw import counted


def degraded(image: Image.Image, seed: int, name: str) -> Image.Image:
    """``image`` so blurred and noisy that nobody who looks prefers it."""
    blurred = image.filter(ImageFilter.GaussianBlur(max(image.size) / 8))
    noise = counted(seed, "noise", name).normal(0, 64, (image.height, image.width, 3))
    pixels = np.clip(np.asarray(blurred, dtype=np.float64) + noise, 0, 255)
    return Image.fromarray(pixels.round().astype(np.uint8))


def farthest(image: np.ndarray, others: dict[str, np.ndarray]) -> str:
    """The name of the thumbnail among ``others`` that differs most from ``image``."""
    return max(sorted(others), key=lambda name: float(np.abs(others[name] - image).mean()))


def thumbnail(image: Image.Image) -> np.ndarray:
    """16x16 RGB values in [0, 255], to compare pictures roughly."""
    return np.asarray(image.resize((16, 16), Image.Resampling.BOX), dtype=np.float64)


def encoded(image: Image.Image) -> bytes:
    """PNG of the pixels and nothing else."""
    file = io.BytesIO()
    # Through an array: what Pillow remembers of the source (profiles, comments) stays behind.
    Image.fromarray(np.asarray(image)).save(file, format="PNG")
    return file.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a picture, dated like all others."""
    path.write_bytes(data)
    os.utime(path, (0, 0))
