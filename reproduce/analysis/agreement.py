"""Agreement of a whole column with the paper's: rank correlation, order of pairs, distance.

Computed per seed, from the rows that have a number, then averaged over seeds (Student's t).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from reproduce.analysis.estimate import Estimate, over_trainings
from reproduce.analysis.table import ENDS, in_words

FEWEST = 3  # rows; with fewer, ranks are meaningless


@dataclass(frozen=True)
class Number:
    """One number of a column: the paper's, and ours by seed. Only pairs within a ``group`` are
    compared."""

    paper: float
    ours: Mapping[int, float]
    group: str = ""


@dataclass(frozen=True)
class Agreement:
    """Agreement of a column of ``rows`` numbers with the paper's.

    ``correlation``: Spearman's, -1 to 1; ``orders``: percentage of the pairs within a group, distinct
    in the paper, that have the same order here; ``distance``: the mean absolute difference, in the
    column's unit.
    """

    column: str
    rows: int
    correlation: Estimate
    orders: Estimate
    distance: Estimate

    def in_words(self, unit: str = "") -> str:
        """The agreement for a caption; with the distance if its ``unit`` is given."""
        told = (
            f"{self.column} ({self.rows} numbers): Spearman "
            f"{in_words(self.correlation, '.2f', form=ENDS)}, "
            f"{in_words(self.orders, '.0f', form=ENDS)}% of pairs in the paper's order"
        )
        if not unit:
            return told
        return f"{told}, mean absolute difference {in_words(self.distance, form=ENDS)} {unit}"


def agreement(column: str, numbers: Sequence[Number]) -> Agreement | None:
    """The agreement of a column's ``numbers``; None if there are fewer than three, they share no
    seed, all of ours are equal at a seed, or the paper orders no pair."""
    numbers = [number for number in numbers if number.ours]
    if len(numbers) < FEWEST:
        return None
    seeds = sorted(set[int].intersection(*(set(number.ours) for number in numbers)))
    ours = [np.array([number.ours[seed] for number in numbers]) for seed in seeds]
    paper = np.array([number.paper for number in numbers])
    pairs = [
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(numbers), 2)
        if one.group == other.group and one.paper != other.paper
    ]
    if not ours or not pairs or any(np.ptp(values) == 0 for values in ours):
        return None
    ranks = [float(stats.spearmanr(values, paper).statistic) for values in ours]
    kept = [sum((o[i] - o[j]) * (paper[i] - paper[j]) > 0 for i, j in pairs) for o in ours]
    away = [float(np.abs(values - paper).mean()) for values in ours]
    return Agreement(
        column, len(numbers),
        over_trainings(ranks, (-1.0, 1.0)),
        over_trainings([100 * n / len(pairs) for n in kept], (0.0, 100.0)),
        over_trainings(away, (0.0, None)),
    )  # fmt: skip
