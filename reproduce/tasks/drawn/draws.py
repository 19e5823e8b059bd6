"""Random draws from uniform numbers only, the only numpy stream that is stable over versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from reproduce.tasks.drawn.content import Factors

T = TypeVar("T")


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number in [low, high), rounded to 4 decimals so that a table can store it exactly."""
    return round(low + (high - low) * float(rng.random()), 4)


def measures(
    rng: np.random.Generator, factors: Factors, **ranges: tuple[float, float]
) -> list[float]:
    """Draw a number from each range, in order, and store them in ``factors`` by name."""
    drawn = {name: uniform(rng, low, high) for name, (low, high) in ranges.items()}
    factors.update(drawn)
    return list(drawn.values())


def pick(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """Draw a key of ``weights``, with probability proportional to its weight."""
    left = float(rng.random()) * sum(weights.values())
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    return key
