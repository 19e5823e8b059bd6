"""A small run, trained anew with a seed that is not stored, does as those with stored seeds did."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from regression_world import RESULTS
from scipy import stats

import reproduce.measuring.small_run
from reproduce.experiments.places import Places, open_run_task
from reproduce.measuring.small_run import (
    PRESET,
    measure_small,
    small_run,
    stored_small_runs,
    train_small,
)
from reproduce.records.store import Records

STORED = RESULTS / PRESET / "records.jsonl"
NEW_SEED = 1000
LEVEL = 0.99  # at which a metric of a new seed lies in its interval


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("small-run")
    return Places(folder / "data", folder / "runs", folder / "results", progress=False)


@pytest.fixture(scope="module")
def stored(places: Places) -> dict[str, dict[int, float]]:
    """metric -> seed -> value."""
    if not STORED.is_file():
        pytest.fail(
            "no small runs are stored: python -m reproduce store --small-run --seeds 0 1 2 3"
        )
    run = small_run(0)
    pictures = open_run_task(run, places).fingerprint()
    known = stored_small_runs(Records(RESULTS, PRESET).all(), run, pictures)
    assert known, (
        "the small run has other settings or pictures than the stored ones: store it again"
    )
    return known


def outside(stored: dict[str, dict[int, float]], places: Places, seed: int) -> list[str]:
    """In words, what of a new seed does not lie where the stored ones say."""
    words = []
    for found in measure_small(*train_small(seed, places.data, places.runs), places):
        low, high = prediction_interval(list(stored.get(found.name, {}).values()), LEVEL)
        if not low <= found.value <= high:
            words.append(f"{found.name} {found.value:.4g}, not in {low:.4g} to {high:.4g}")
    return words


def prediction_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """Where one more value of the same normal distribution lies with probability ``level``:
    mean +- t(n - 1) s sqrt(1 + 1/n), with s the standard deviation of the n values."""
    n = len(values)
    assert n > 2, "too few: python -m reproduce store --small-run --seeds 0 1 2 3"
    scale = np.std(values, ddof=1) * math.sqrt(1 + 1 / n)
    low, high = stats.t.interval(level, n - 1, np.mean(values), scale)
    return float(low), float(high)


def test_a_new_seed_lands_within_the_spread(stored, places):
    assert NEW_SEED not in {seed for by_seed in stored.values() for seed in by_seed}
    assert outside(stored, places, NEW_SEED) == []


def test_a_training_that_hardly_learns_does_not(stored, places, monkeypatch):
    short = replace(small_run(NEW_SEED + 1), steps=16)
    monkeypatch.setattr(reproduce.measuring.small_run, "small_run", lambda seed: short)
    assert outside(stored, places, short.seed) != []


def test_the_interval_is_student_s() -> None:
    low, high = prediction_interval([1.0, 2.0, 3.0], 0.95)
    # t(2) at 0.975 is 4.302653, s = 1, and sqrt(1 + 1/3) = 1.154701
    assert (low, high) == pytest.approx((2 - 4.968275, 2 + 4.968275), abs=1e-5)


def test_runs_on_other_pictures_are_no_spread_of_these(tmp_path: Path) -> None:
    records, run = Records(tmp_path, PRESET), small_run(0)
    facts = {"metric": "m", "protocol": {}, "preset": PRESET, "task": run.task,
             "method": run.method, "config": run.as_dict()}  # fmt: skip
    assert stored_small_runs(records.all(), run, "now") == {}
    for seed, pictures in ((0, "before"), (1, "now"), (2, "now")):
        records.append(facts | {"value": float(seed), "seed": seed, "data_sha256": pictures})
    assert stored_small_runs(records.all(), run, "now") == {"m": {1: 1.0, 2: 2.0}}
