"""How near a whole column of ours is to the paper's: rank correlation, orders of pairs, distance.

Computed seed by seed, from rows that all have a number, and averaged over seeds with Student's t.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from reproduce.analysis.estimate import Estimate, over_trainings
from reproduce.analysis.table import ENDS, in_words

FEWEST = 3  # rows, without which ranks say nothing


@dataclass(frozen=True)
class Number:
    """One number of a column: the paper's, and ours by seed. Orders are compared within a
    ``group``."""

    paper: float
    ours: Mapping[int, float]
    group: str = ""


@dataclass(frozen=True)
class Agreement:
    """Of a column of ``rows`` numbers with the paper's.

    ``correlation``: Spearman's, -1 to 1; ``orders``: the share, 0 to 1, of the pairs that the paper
    orders which ours order alike; ``distance``: the mean absolute difference, in the column's unit.
    """

    column: str
    rows: int
    correlation: Estimate
    orders: Estimate
    distance: Estimate

    def in_words(self, unit: str = "") -> str:
        """For a caption; with the distance where its ``unit`` is given."""
        told = (
            f"{self.column} ({self.rows} numbers): Spearman {_shown(self.correlation, 2)}, "
            f"{_shown(self.orders, 0, 100)}% of the paper's orders"
        )
        return told + (f", {_shown(self.distance, 3)} {unit} away on average" if unit else "")


def agreement(column: str, numbers: Sequence[Number]) -> Agreement | None:
    """Of the ``numbers`` of a column; None where fewer than three have a seed in common, all are
    the same, or the paper orders none of them."""
    numbers = [number for number in numbers if number.ours]
    seeds = sorted(set[int].intersection(*(set(n.ours) for n in numbers))) if numbers else []
    if len(numbers) < FEWEST or not seeds:
        return None
    paper = np.array([number.paper for number in numbers])
    ours = {seed: np.array([number.ours[seed] for number in numbers]) for seed in seeds}
    if np.ptp(paper) == 0 or any(np.ptp(values) == 0 for values in ours.values()):
        return None
    groups = [number.group for number in numbers]
    if not _ordered(paper, groups):
        return None

    def over_seeds(
        measure: Callable[[np.ndarray], float], low: float, high: float | None
    ) -> Estimate:
        return over_trainings([measure(values) for values in ours.values()], (low, high))

    return Agreement(
        column, len(numbers),
        over_seeds(lambda o: float(stats.spearmanr(o, paper).statistic), -1.0, 1.0),
        over_seeds(lambda o: orders_kept(o, paper, groups), 0.0, 1.0),
        over_seeds(lambda o: float(np.abs(o - paper).mean()), 0.0, None),
    )  # fmt: skip


def orders_kept(
    ours: Sequence[float] | np.ndarray, paper: Sequence[float] | np.ndarray, groups: Sequence[str]
) -> float:
    """The share of pairs within a group that the paper tells apart and ours order alike."""
    pairs = _ordered(paper, groups)
    return sum((ours[i] - ours[j]) * (paper[i] - paper[j]) > 0 for i, j in pairs) / len(pairs)


def _ordered(paper: Sequence[float] | np.ndarray, groups: Sequence[str]) -> list[tuple[int, int]]:
    """The pairs within a group that the paper tells apart."""
    every = combinations(range(len(groups)), 2)
    return [(i, j) for i, j in every if groups[i] == groups[j] and paper[i] != paper[j]]


def _shown(estimate: Estimate, digits: int, times: float = 1) -> str:
    ends = times * estimate.low, times * estimate.high
    return in_words(Estimate(times * estimate.value, *ends), f".{digits}f", form=ENDS)
