"""IS and CIS: closed forms, bounds on any probabilities, invariances, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from scipy.special import rel_entr

from benchmarks.metrics.inception_score import (
    FloatArray,
    bootstrap_inception_score,
    bootstrap_of_means,
    per_input,
)
from models.errors import UserError


def certain(modes: np.ndarray, count: int) -> FloatArray:
    """Probabilities (inputs, samples, K) of a classifier that is sure of ``modes``."""
    return np.eye(count)[modes]


def soft(inputs: int, samples: int, count: int = 4, seed: int = 0) -> FloatArray:
    return np.random.default_rng([3, seed]).dirichlet(np.full(count, 0.5), (inputs, samples))


def by_definition(p: FloatArray) -> tuple[float, float]:
    """Mean Kullback-Leibler divergences of all pictures."""
    everything = p.mean(axis=(0, 1))
    scores = [rel_entr(x, everything).sum(axis=1) for x in p]
    conditional = [rel_entr(x, x.mean(axis=0)).sum(axis=1) for x in p]
    return float(np.mean(scores)), float(np.mean(conditional))


@st.composite
def any_probabilities(draw: st.DrawFn) -> FloatArray:
    shape = tuple(draw(st.integers(low, high)) for low, high in ((1, 6), (2, 6), (2, 5)))
    numbers = st.floats(0, 1, allow_subnormal=False) | st.sampled_from([0.0, 1.0])
    weights = draw(arrays.arrays(np.float64, shape, elements=numbers))
    sums = weights.sum(axis=-1, keepdims=True)
    p = np.where(sums > 1e-3, weights / np.maximum(sums, 1e-3), 1 / shape[-1])
    if draw(st.booleans()):  # one conditional distribution: IS equals CIS
        p = np.repeat(p[:1], shape[0], axis=0)
    return p


@settings(max_examples=60, deadline=None)
@given(any_probabilities())
def test_cis_is_at_most_is_on_any_probabilities(p: FloatArray) -> None:
    score, conditional = per_input(p).scores()
    assert 0 <= conditional <= score <= math.log(p.shape[2])
    expected = by_definition(p)
    # Cutting at the bounds moves no score by more than rounding does.
    assert (score, conditional) == pytest.approx(expected, abs=1e-12)


def test_probabilities_that_vanish_are_no_infinity() -> None:
    p = np.full((2, 3, 2), [1.0, 0.0])
    p[0, 0, 1] = 5e-324  # its mean with zeros is no number above 0
    assert per_input(p).scores() == (0, 0)


def test_rows_within_the_tolerance_are_taken_and_never_pass_the_limit() -> None:
    p = certain(np.tile(np.arange(4), (3, 2)), 4)
    for factor in (1 + 9e-7, 1 - 9e-7):
        assert per_input(p * factor).scores()[0] == pytest.approx(math.log(4), abs=1e-12)
        assert per_input(p * factor).scores()[0] <= math.log(4)


def broken(value: float) -> FloatArray:
    p = np.full((3, 4, 4), 0.25)
    p[1, 2, 3] = value
    return p


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (broken(0.250002), r"row \[1, 2\] sums to 1\.000002, not to 1 within 1e-06"),
        (broken(math.nan), r"value \[1, 2, 3\], nan, is NaN or infinite: mend the classifier"),
        (broken(-0.25), r"value \[1, 2, 3\], -0\.25, is negative: pass probabilities, not logits"),
        (np.ones((3, 4, 1)), r"shape \(3, 4, 1\): pass one row a picture, of at least 2 modes"),
        (np.ones((3, 0, 4)), r"shape \(3, 0, 4\)"),
        (np.full((4, 4), 0.25), r"shape \(4, 4\): pass \(inputs, samples, K\)"),
    ],
)
def test_what_are_no_probabilities_is_refused(p: FloatArray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        per_input(p)


def by_hand(p: FloatArray, seed: int, resamples: int) -> list[float]:
    """IS of resampled inputs, by the definition."""
    rng = np.random.default_rng([77, seed])
    return [by_definition(p[rng.integers(len(p), size=len(p))])[0] for _ in range(resamples)]


def test_bootstrap_draws_whole_inputs() -> None:
    p = soft(12, 6, seed=4) ** 3
    p /= p.sum(axis=2, keepdims=True)
    value = per_input(p).scores()[0]
    lower, upper = np.quantile(by_hand(p, 0, 400), (0.025, 0.975))
    found = bootstrap_inception_score(per_input(p), seed=0)
    assert found.low == pytest.approx(2 * value - upper, abs=0.1 * (upper - lower))
    assert found.high == pytest.approx(2 * value - lower, abs=0.1 * (upper - lower))


@pytest.mark.parametrize("balanced", [True, False])
def test_interval_covers_the_is_of_all_inputs(balanced: bool) -> None:
    """Also at the limit ln K, where every sample and every resample falls below the truth."""
    shares = np.full(4, 0.25) if balanced else np.array([0.4, 0.3, 0.2, 0.1])
    truth = stats.entropy(shares)
    covered = []
    for seed in range(100):
        modes = np.random.default_rng([11, seed]).choice(4, p=shares, size=(60, 1))
        sums = per_input(certain(np.repeat(modes, 2, axis=1), 4))
        interval = bootstrap_of_means(
            sums.entropy, sums.mean, lambda m: stats.entropy(m, axis=1), seed,
            (0.0, sums.limit), resamples=300,
        )  # fmt: skip
        covered.append(interval.low - 1e-9 <= truth <= interval.high + 1e-9)
    assert np.mean(covered) >= 0.88


def test_interval_of_inputs_that_are_all_alike_has_no_width() -> None:
    p = certain(np.tile(np.arange(4), (8, 1)), 4)
    found = bootstrap_inception_score(per_input(p), 0)
    assert found.low == pytest.approx(math.log(4), abs=1e-12)
    assert found.low <= per_input(p).scores()[0] <= found.high <= math.log(4)


def test_an_interval_needs_two_inputs() -> None:
    with pytest.raises(UserError, match="over inputs needs at least 2 of them"):
        bootstrap_inception_score(per_input(soft(1, 4)), 0)
