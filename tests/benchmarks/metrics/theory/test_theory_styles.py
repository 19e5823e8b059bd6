"""Styles whose distribution is known."""

import math

import numpy as np
import pytest

from benchmarks.metrics.theory.kernels import NULL_DRAWS
from benchmarks.metrics.theory.styles import METRICS, null_numbers, style_scores
from models.errors import UserError

MMD, MEAN, COV = (metric.name for metric in METRICS)


def normal(count: int, dim: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([7, seed]).standard_normal((count, dim)).astype(np.float32)


def numbers(styles: dict[str, np.ndarray], paired: bool = False):
    scored = style_scores(styles, paired=paired, seed=0)
    return {s.measurement.name: s for s in scored}


def test_one_in_twenty_draws_is_above_the_null() -> None:
    null = null_numbers(2, 30, 3)
    assert null.shape == (3, NULL_DRAWS)
    above = 0
    for k in range(200):
        styles = {"a": normal(30, 3, 10 + 2 * k), "b": normal(30, 3, 11 + 2 * k)}
        means = [np.linalg.norm(s.mean(axis=0)) / math.sqrt(3) for s in styles.values()]
        above += int(np.mean(means) > np.quantile(null[1], 0.95))
    assert 3 <= above <= 20


def test_moments_are_those_of_numpy() -> None:
    styles = {"a": 0.5 * normal(50) + 0.3, "b": normal(50, seed=3)}
    found = numbers(styles)
    for domain, x in styles.items():
        mean = np.linalg.norm(x.astype(np.float64).mean(axis=0)) / 2
        error = np.linalg.norm(np.cov(x.astype(np.float64), rowvar=False) - np.eye(4)) / 2
        assert found[MEAN].more["domains"][domain] == pytest.approx(mean)
        assert found[COV].more["domains"][domain] == pytest.approx(error)
    assert found[MMD].more["deviation"]["b"] == pytest.approx(1, abs=0.1)
    for name in (MMD, MEAN, COV):
        each = found[name].more["domains"]
        assert found[name].measurement.value == pytest.approx((each["a"] + each["b"]) / 2)


def test_styles_that_are_all_the_same_have_a_covariance_error_of_one() -> None:
    found = numbers({"b": np.zeros((20, 8))})
    assert found[COV].measurement.value == pytest.approx(1)
    assert found[MEAN].measurement.value == 0
    assert found[MMD].measurement.value == pytest.approx(found[MMD].more["collapsed"])
    interval = found[MMD].measurement.interval
    assert interval.low == pytest.approx(interval.high)
    assert found[MMD].measurement.protocol["domains"] == ["b"]


def test_the_interval_covers_the_truth() -> None:
    """Of the mean's norm, far enough from 0 to have no bias to speak of."""
    covered = 0
    for k in range(40):
        m = numbers({"a": normal(40, 2, 100 + k) + 2.0})[MEAN].measurement
        covered += m.interval.low <= 2.0 <= m.interval.high
    assert 33 <= covered <= 40


def test_styles_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="styles"):
        style_scores({"a": np.full((5, 2), np.nan)}, paired=False, seed=0)
