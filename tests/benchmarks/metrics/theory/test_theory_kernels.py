"""Kernel distances against closed forms and direct sums."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from benchmarks.metrics.theory import kernels
from benchmarks.metrics.theory.kernels import BetweenSamples, FromNormal, squared_distances


def once(count: int) -> np.ndarray:
    return np.ones((1, count))


def halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.repeat([[1.0, 0.0]], count, axis=1)
    return first, 1 - first


def test_distances_are_those_of_scipy_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 11)), rng.standard_normal((5, 11))
    monkeypatch.setattr(kernels, "COLUMNS", 4)
    assert squared_distances(x, y) == pytest.approx(cdist(x, y, "sqeuclidean"))
    assert kernels.l1_distances(x, y) == pytest.approx(cdist(x, y, "cityblock") / 11)


def test_the_bandwidth_is_the_median_distance_of_normal_draws() -> None:
    draws = np.random.default_rng(0).standard_normal((600, 8))
    found = kernels.median_distance(squared_distances(draws, draws))
    assert found == pytest.approx(kernels.normal_bandwidth(8), rel=0.01)
    assert kernels.median_distance(np.zeros((4, 4))) == 1


@pytest.mark.parametrize("shift, scale", [(0.0, 1.0), (0.3, 0.5)])
def test_on_average_it_is_the_closed_form_of_two_normals(shift: float, scale: float) -> None:
    dim, s = 4, kernels.normal_bandwidth(4) ** 2
    rng = np.random.default_rng(2)

    def overlap(variance: float, moved: float) -> float:
        """E k(x, y) where x - y ~ N(moved, variance I)."""
        away = dim * moved**2 / (2 * (s + variance))
        return (s / (s + variance)) ** (dim / 2) * math.exp(-away)

    truth = overlap(2 * scale**2, 0) - 2 * overlap(1 + scale**2, shift) + overlap(2, 0)
    found = [
        FromNormal(shift + scale * rng.standard_normal((40, dim))).squared(once(40))[0]
        for _ in range(300)
    ]
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(truth, abs=4 * error)
    assert error < 0.002
    if shift == 0:
        assert truth == pytest.approx(0, abs=1e-12) and min(found) < 0 < max(found)
        assert kernels.distance(np.array([min(found)]))[0] == 0


def test_points_that_are_all_zero_are_as_far_as_it_says() -> None:
    assert FromNormal(np.zeros((5, 6))).squared(once(5))[0] == pytest.approx(
        kernels.collapsed(6) ** 2
    )


def test_weights_are_copies_that_make_no_pairs() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((6, 2))
    left_out = FromNormal(x).squared(np.array([[1.0, 1, 0, 1, 1, 1]]))[0]
    assert left_out == pytest.approx(FromNormal(np.delete(x, 2, 0)).squared(once(5))[0])
    twice = FromNormal(x).squared(2 * once(6))[0]
    assert twice == pytest.approx(FromNormal(x).squared(once(6))[0])


@pytest.mark.parametrize("paired", [False, True])
def test_two_samples_give_the_textbook_sum(paired: bool) -> None:
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((6, 3)), rng.standard_normal((6, 3)) + 0.5
    both = np.concatenate([a, b])
    samples = BetweenSamples(squared_distances(both, both), paired)

    def k(u: np.ndarray, v: np.ndarray) -> float:
        return math.exp(-float(np.square(u - v).sum()) / (2 * samples.bandwidth**2))

    apart = [(i, j) for i in range(6) for j in range(6) if i != j]
    across = apart if paired else [(i, j) for i in range(6) for j in range(6)]
    truth = float(np.mean([k(a[i], a[j]) + k(b[i], b[j]) for i, j in apart]))
    truth -= 2 * float(np.mean([k(a[i], b[j]) for i, j in across]))
    assert samples.squared(*halves(6))[0] == pytest.approx(truth)


@pytest.mark.parametrize("paired", [False, True])
def test_samples_of_one_distribution_lie_among_the_mixed_ones(paired: bool) -> None:
    """About one in twenty lies above 95 % of them, and a shifted one far above."""
    above = 0
    for k in range(100):
        rng = np.random.default_rng([6, k])
        content = rng.standard_normal((25, 4)) if paired else 0
        both = np.concatenate([content + rng.standard_normal((25, 4)) for _ in range(2)])
        samples = BetweenSamples(squared_distances(both, both), paired)
        null = samples.mixed(200, rng)
        above += int(samples.squared(*halves(25))[0] > np.quantile(null, 0.95))
    assert 1 <= above <= 12
    both[25:] += 1.5
    samples = BetweenSamples(squared_distances(both, both), paired)
    assert samples.squared(*halves(25))[0] > samples.mixed(200, rng).max()
