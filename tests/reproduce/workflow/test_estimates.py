"""How long jobs are said to take: by their stamps, or those of another seed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.workflow.graph import Job, Made, seconds_of, stamps_folder, write_stamp
from reproduce.workflow.jobs import Request

QUICK = load_preset("quick")
PLACES = Places(Path("data"), Path("runs"), Path("results"))
JOBS = Request("quick", PLACES, [0]).jobs()
TRAIN, MEASURE = JOBS["train/drawn-shoes/munit/seed0"], JOBS["diversity/drawn-shoes/seed0"]


def took(job: Job, runs: Path, seconds: float, minute: int = 0) -> None:
    """A stamp beside the others, of which a graph of today would keep the last."""
    path = write_stamp(job, runs / "new", seconds, Made())
    os.utime(path, (60 * minute, 60 * minute))
    folder = stamps_folder(runs, job.preset)
    folder.mkdir(parents=True, exist_ok=True)
    path.replace(folder / path.name)


def seed(job: Job, number: int) -> Job:
    """The job with another seed."""
    return replace(job, name=job.name.replace("/seed0", f"/seed{number}"))


def test_the_newest_stamp_counts_and_the_own_before_another_seed(tmp_path: Path) -> None:
    assert seconds_of(MEASURE, tmp_path) is None
    took(seed(MEASURE, 1), tmp_path, 22, minute=10)
    took(seed(MEASURE, 2), tmp_path, 33, minute=8)
    assert seconds_of(MEASURE, tmp_path) == 22
    for minute, seconds in ((2, 44), (3, 55), (1, 66)):
        took(replace(MEASURE, about={"version": minute}), tmp_path, seconds, minute)
    took(JOBS["observed/drawn-shoes/seed0"], tmp_path, 77, minute=20)
    assert seconds_of(MEASURE, tmp_path) == 55


def test_a_stamp_of_another_number_of_steps_is_scaled(tmp_path: Path) -> None:
    run = replace(TRAIN.runs[0], steps=10 * TRAIN.runs[0].steps)
    took(replace(TRAIN, about={"config": run.as_dict()}, runs=(run,)), tmp_path, 500, minute=1)
    assert seconds_of(TRAIN, tmp_path) == 50
    took(TRAIN, tmp_path, 60, minute=2)
    assert seconds_of(TRAIN, tmp_path) == 60


def test_the_like_on_other_pictures_tells_of_a_training(tmp_path: Path) -> None:
    other = Request("quick", PLACES, [0], tasks=["drawn-handbags"])
    elsewhere = other.jobs()
    took(TRAIN, tmp_path, 60)
    assert seconds_of(elsewhere["train/drawn-handbags/munit/seed0"], tmp_path) == 60
    assert seconds_of(elsewhere["train/drawn-handbags/unit/seed0"], tmp_path) is None
    assert seconds_of(elsewhere["diversity/drawn-handbags/seed0"], tmp_path) is None
    wider = replace(other, overrides={"batch": "2"}).jobs()
    assert seconds_of(wider["train/drawn-handbags/munit/seed0"], tmp_path) is None
