"""Means over trainings and their agreement with the paper: closed forms, coverage, corrections."""

import math

import numpy as np
import pytest
from scipy import stats

from reproduce.analysis.agreement import Number, agreement
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


PAPER = (0.011, 0.010, 0.016, 0.213, 0.172, 0.070, 0.109, 0.104, 0.293)


def column(*seeds: tuple[float, ...]) -> list[Number]:
    return [Number(p, {s: of[i] for s, of in enumerate(seeds)}) for i, p in enumerate(PAPER)]


def test_the_papers_own_numbers_agree_and_reversed_ones_do_not() -> None:
    same = agreement("Diversity", column(PAPER))
    assert same is not None and same.rows == 9
    assert (same.correlation.value, same.orders.value, same.distance.value) == (1.0, 100.0, 0.0)
    assert "(9 numbers): Spearman 1.00, 100% of pairs in the paper's order" in same.in_words()
    other = agreement("Diversity", column(tuple(-p for p in PAPER)))
    assert other is not None
    assert (other.correlation.value, other.orders.value) == (pytest.approx(-1), 0.0)


def test_seeds_are_averaged_with_an_interval() -> None:
    swapped = (PAPER[1], PAPER[0], *PAPER[2:])
    found = agreement("CIS", column(PAPER, swapped))
    assert found is not None
    # Two ranks that differ by 1: 1 - 6 * 2 / (9 * 80); 35 of 36 orders.
    assert found.correlation.value == pytest.approx((1 + 1 - 12 / 720) / 2)
    assert found.orders.value == pytest.approx((100 + 3500 / 36) / 2)
    assert found.distance.value == pytest.approx(0.002 / 9 / 2)
    assert found.correlation.seeds == 2 and found.correlation.high == 1.0
    assert "mean absolute difference" in found.in_words("nats")


@pytest.mark.parametrize(
    ("ours", "paper", "groups", "kept"),
    [
        ([1, 2, 3, 4], [1, 2, 2, 1], "aabb", 50),
        ([1, 2, 3, 4], [1, 1, 2, 5], "aaaa", 100),  # ties of the paper are no orders
        ([1, 1, 2], [1, 2, 3], "aab", 0),  # ours does not order them
    ],
)
def test_orders_are_within_groups(ours, paper, groups: str, kept: float) -> None:
    told = [Number(p, {0: o}, g) for o, p, g in zip(ours, paper, groups, strict=True)]
    found = agreement("CIS", told)
    assert found is not None and found.orders.value == kept


def test_what_says_nothing_is_none() -> None:
    assert agreement("Diversity", []) is None
    assert agreement("Diversity", column(PAPER)[:2]) is None
    assert agreement("Diversity", column((0.5,) * 9)) is None
    # Rows without a number are left out, seeds must be common.
    some = [*column(PAPER)[:4], Number(0.5, {})]
    found = agreement("Diversity", some)
    assert found is not None and found.rows == 4
    assert agreement("Diversity", [*column(PAPER)[:4], Number(0.5, {7: 1.0})]) is None
