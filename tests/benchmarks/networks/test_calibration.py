"""Calibration: closed forms, an independent reference, and temperatures that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from benchmarks.networks.calibration import (
    Calibration,
    calibrate,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)


def drawn(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 4), and labels that follow softmax(logits / temperature)."""
    draws = np.random.default_rng([5, seed])
    logits = draws.normal(0, 3, (count, 4))
    cumulated = softmax(logits / temperature, axis=1).cumsum(axis=1)
    return logits, (draws.random((count, 1)) > cumulated).sum(axis=1)


def test_error_of_a_constant_confidence_is_its_distance_from_the_accuracy():
    probabilities = np.tile([0.8, 0.1, 0.1], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    (row,) = reliability(probabilities, labels)
    assert (row.low, row.high, row.count) == (11 / 15, 12 / 15, 10)
    assert (row.confidence, row.accuracy) == pytest.approx((0.8, 0.6), abs=1e-12)
    assert expected_calibration_error([row]) == pytest.approx(0.2, abs=1e-12)
    certain = np.eye(4)[[0, 1, 2, 3]]
    assert expected_calibration_error(reliability(certain, np.arange(4))) == 0
    assert expected_calibration_error(reliability(certain, np.array([1, 2, 3, 0]))) == 1


def test_bins_are_open_below_and_closed_above():
    for m in range(8, 16):  # above 1/2, so that it is the highest of two
        p = np.array([[m / 15, 1 - m / 15]])
        (row,) = reliability(p, np.array([0]))
        assert (row.low, row.high) == ((m - 1) / 15, m / 15)


def test_error_agrees_with_another_way_to_compute_it():
    logits, labels = drawn(500, 2.0)
    p = softmax(logits, axis=1)
    # The sum over bins of |pictures named rightly - confidence|, over the number of pictures.
    surplus = dict.fromkeys(range(15), 0.0)
    for row, label in zip(p, labels, strict=True):
        m = next(m for m in range(15) if row.max() <= (m + 1) / 15)
        surplus[m] += float(row.argmax() == label) - row.max()
    expected = sum(abs(v) for v in surplus.values()) / 500
    rows = reliability(p, labels)
    assert expected_calibration_error(rows) == pytest.approx(expected, abs=1e-12)
    assert sum(row.count for row in rows) == 500
    assert expected > 0.05


def test_the_temperature_is_found():
    for true in (1.5, 3.0):
        logits, labels = drawn(20000, true)
        found = fit_temperature(logits, labels)
        assert found == pytest.approx(true, rel=0.05)
        for other in (found * 0.98, found * 1.02):
            assert log_loss(logits / found, labels) < log_loss(logits / other, labels)
        assert fit_temperature(2 * logits, labels) == pytest.approx(2 * found, rel=1e-9)


def test_it_never_sharpens_and_has_a_limit():
    logits, labels = drawn(2000, 0.5)
    assert fit_temperature(logits, labels) == 1.0
    assert fit_temperature(logits, logits.argmax(axis=1)) == 1.0  # all right: colder is better
    assert fit_temperature(logits, logits.argmin(axis=1)) == 10.0


def test_fitted_on_one_half_and_measured_on_the_other():
    logits, labels = drawn(4001, 3.0)
    found = calibrate(logits, labels)
    assert found.fitted_on + found.measured_on == 4001
    assert abs(found.fitted_on - found.measured_on) <= 4  # one a class
    assert found.error < 0.03 < 0.1 < found.error_before
    # The half that is measured on has no say in the temperature.
    place = np.array([np.sum(labels[:i] == labels[i]) for i in range(4001)])
    other = labels.copy()
    order = np.flatnonzero((place % 2 == 1) & (labels == 0))
    swapped = logits.copy()
    swapped[order] = -swapped[order]
    assert calibrate(swapped, other).temperature == found.temperature
    assert calibrate(swapped, other).error > found.error


@given(st.integers(0, 10**6), st.integers(1, 200))
def test_errors_are_shares(seed: int, count: int):
    logits, labels = drawn(count, 1.0, seed)
    assert 0 <= expected_calibration_error(reliability(softmax(logits, axis=1), labels)) <= 1


def test_as_json_values_and_back():
    found = calibrate(*drawn(300, 2.0))
    values = found.as_dict()
    assert values["error"] == found.error
    assert Calibration.from_dict(values) == found
    row = values["bins"][0]
    for wrong in (
        {"temperature": float("nan")},
        {"temperature": 0.1},
        {"error_before": -1},
        {"bins": []},
        {"bins": [row | {"count": 0}]},
        {"bins": [row | {"count": 1.5}]},
        {"bins": [row | {"accuracy": float("nan")}]},
        {"bins": [row | {"more": 1}]},
        {"fitted_on": "many"},
    ):
        with pytest.raises((TypeError, ValueError)):
            Calibration.from_dict(values | wrong)
