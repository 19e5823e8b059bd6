"""Random draws from uniform numbers only: the one numpy stream that does not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in [low, high), rounded to 4 decimals so that a table can hold it exactly."""
    return round(low + (high - low) * float(rng.random()), 4)


def pick(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """A key of ``weights``, with probability proportional to its weight."""
    left = float(rng.random()) * sum(weights.values())
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    return key
