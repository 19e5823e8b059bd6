"""Intervals: coverage on simulated data, closed forms, seeds and refusals."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from benchmarks.intervals import bootstrap_mean, dyadic_mean, wilson_share
from models.errors import UserError


def test_bootstrap_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.normal(3.0, 2.0, 50), seed=k, n=400) for k in range(300)]
    covered = np.mean([i.low <= 3.0 <= i.high for i in intervals])
    assert 0.90 <= covered <= 0.98


def test_the_seed_alone_decides() -> None:
    values = np.random.default_rng(2).random(30)
    np.random.seed(1)  # noqa: NPY002 - global state, which must not matter
    first = bootstrap_mean(values, seed=7)
    np.random.seed(2)  # noqa: NPY002
    assert bootstrap_mean(values, seed=7) == first
    assert bootstrap_mean(values, seed=8) != first
    assert bootstrap_mean(values, seed=-1).low < values.mean()


def test_constant_values_alone_have_an_interval_without_width() -> None:
    found = bootstrap_mean([0.1] * 7, seed=0)
    assert found.low == found.high == pytest.approx(0.1)
    assert found.method == "constant"
    for values in ([1.0, 1.0 + 1e-6, 1.0 + 2e-6, 1.0 - 1e-6], [1.0, 2.0], [0.0] * 9 + [1.0]):
        found = bootstrap_mean(values, seed=0, n=200)
        assert min(values) <= found.low < found.high <= max(values)


def test_dyadic_variance_adds_products_of_pairs_that_share_an_item() -> None:
    rng = np.random.default_rng(5)
    pairs = np.array([(i, j) for i in range(8) for j in range(i + 1, 8)])
    effect = rng.normal(0, 1, 8)
    values = effect[pairs].sum(1)
    residual = values - values.mean()
    variance = sum(
        residual[p] * residual[q]
        for p in range(len(pairs))
        for q in range(len(pairs))
        if set(pairs[p]) & set(pairs[q])
    )
    found = dyadic_mean(values, pairs)
    half = stats.norm.ppf(0.975) * np.sqrt(variance) / len(pairs)
    ends = values.mean() - half, values.mean() + half
    assert (found.low, found.high) == pytest.approx(ends)


@pytest.mark.parametrize(
    ("values", "message"),
    [([1.0], "at least 2 values"), ([1.0, float("nan")], "finite"), ([[1.0, 2.0]], "shape")],
)
def test_values_without_an_interval_are_refused(values: list[float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        bootstrap_mean(values, 0)


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (5, 5), (50, 100)])
def test_wilson_is_scipys(hits: int, count: int) -> None:
    found = wilson_share(hits / count, count, 0.9)
    reference = binomtest(hits, count).proportion_ci(0.9, method="wilson")
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert found.low <= hits / count <= found.high and found.method == "Wilson"
