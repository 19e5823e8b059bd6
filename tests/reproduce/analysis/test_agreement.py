"""How near a column is to the paper's: closed forms."""

from __future__ import annotations

import pytest

from reproduce.analysis.agreement import Number, agreement

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
