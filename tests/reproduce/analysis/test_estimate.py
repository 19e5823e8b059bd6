"""Means over trainings: closed forms, coverage, pairing, Holm's correction by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reproduce.analysis.estimate import Estimate, few, holm, interval, over_trainings, tails


def test_three_values_by_hand() -> None:
    """Mean 0.9, s = 0.2646, s / sqrt(3) = 0.15275, t = 4.3027: 0.9 ± 0.6572."""
    found = over_trainings([0.7, 0.8, 1.2])
    assert found.value == pytest.approx(0.9) and found.seeds == 3
    assert found.deviation == pytest.approx(math.sqrt(0.07))
    assert (found.low, found.high) == pytest.approx((0.2428, 1.5572), abs=1e-4)
    assert found.half == pytest.approx(0.6572, abs=1e-4)
    cut = over_trainings([0.7, 0.8, 1.2], (0.5, 1.0))
    assert (cut.low, cut.high, cut.value) == (0.5, 1.0, found.value)
    assert str(over_trainings([0.5])) == str(Estimate(0.5))


def test_the_interval_covers_what_it_says() -> None:
    draws = np.random.default_rng(3).standard_normal((4000, 3)) + 5
    hits = sum(low <= 5 <= high for low, high in (interval(d, 0.025, 0.025) for d in draws))
    assert hits / 4000 == pytest.approx(0.95, abs=0.01)


def test_tails_are_those_of_the_t_test_and_of_the_interval() -> None:
    values = [0.3, 0.5, 0.55, 0.9]
    holds, fails = tails(values, 0.2, math.inf)
    reference = stats.ttest_1samp(values, 0.2, alternative="greater").pvalue
    assert holds == pytest.approx(reference) and fails == pytest.approx(1 - reference)
    assert tails(values, -math.inf, 0.2) == pytest.approx((fails, holds))
    # An end passes a limit just where the p-value is its share.
    low, high = interval(values, holds, 0.1)
    assert low == pytest.approx(0.2)
    assert tails(values, -math.inf, high)[0] == pytest.approx(0.1)
    # Between two limits: both sides must be right, either may be wrong.
    both = tails(values, 0.2, 0.9)
    assert both[0] == max(holds, tails(values, -math.inf, 0.9)[0])
    assert both[1] == min(fails, tails(values, -math.inf, 0.9)[1])


def test_values_without_spread_decide() -> None:
    assert tails([0.5, 0.5], 0.4, math.inf) == (0.0, 1.0)
    assert tails([0.5, 0.5], 0.5, math.inf) == (1.0, 1.0)


def test_holm_by_hand() -> None:
    corrected, levels = holm([0.01, 0.04, 0.02, 0.5], 0.05)
    assert corrected == pytest.approx([0.04, 0.08, 0.06, 0.5])
    # 0.01 passes 0.05 / 4; 0.02 fails 0.05 / 3, which then is the level of the rest.
    assert levels == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 3, 0.05 / 3])
    assert holm([0.001, 0.02], 0.05) == ([0.002, 0.02], [0.025, 0.05])


def test_few_trainings_are_called_few() -> None:
    assert few(1) == few(8) == ""
    assert "only 3 trainings" in few(3) and "4.3 standard errors" in few(3)
    assert "31 standard errors" in few(3, 48) and "corrected for 48 claims" in few(3, 48)
