"""A small run, trained anew with a seed that is not stored, does as those with stored seeds did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from regression_world import RESULTS

import reproduce.measuring.small_run
from reproduce.experiments.places import Places, open_run_task
from reproduce.measuring.small_run import (
    PRESET,
    measure_small,
    outside,
    prediction_interval,
    small_run,
    stored_small_runs,
    train_small,
)
from reproduce.records.store import Records

STORED = RESULTS / PRESET / "records.jsonl"
NEW_SEED = 1000


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


def _outside(stored: dict[str, dict[int, float]], places: Places, seed: int) -> list[str]:
    run, checkpoint = train_small(seed, places.data, places.runs)
    return outside(stored, measure_small(run, checkpoint, places))


def test_a_new_seed_lands_within_the_spread(
    stored: dict[str, dict[int, float]], places: Places
) -> None:
    assert NEW_SEED not in {seed for by_seed in stored.values() for seed in by_seed}
    assert _outside(stored, places, NEW_SEED) == []


def test_a_training_that_hardly_learns_does_not(
    stored: dict[str, dict[int, float]], places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(small_run(NEW_SEED + 1), steps=16)
    monkeypatch.setattr(reproduce.measuring.small_run, "small_run", lambda seed: short)
    assert _outside(stored, places, short.seed) != []


def test_the_interval_is_student_s() -> None:
    low, high = prediction_interval([1.0, 2.0, 3.0], 0.95)
    # t(2) at 0.975 is 4.302653, s = 1, and sqrt(1 + 1/3) = 1.154701
    assert (low, high) == pytest.approx((2 - 4.968275, 2 + 4.968275), abs=1e-5)


def test_runs_on_other_pictures_are_no_spread_of_these(tmp_path: Path) -> None:
    records, run = Records(tmp_path, PRESET), small_run(0)
    facts = {"metric": "m", "protocol": {}, "preset": PRESET, "task": run.task,
             "method": run.method, "config": run.as_dict()}  # fmt: skip
    for seed, pictures in ((0, "before"), (1, "now"), (2, "now")):
        records.append(facts | {"value": float(seed), "seed": seed, "data_sha256": pictures})
    assert stored_small_runs(records.all(), run, "now") == {"m": {1: 1.0, 2: 2.0}}


def test_no_records_no_spread(tmp_path: Path) -> None:
    assert stored_small_runs(Records(tmp_path, PRESET).all(), small_run(0), "now") == {}
