"""How long jobs are said to take: by their stamps, else by their steps and pixels."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.console import in_words
from reproduce.experiments.preset import load_preset
from reproduce.workflow.estimates import Estimates
from reproduce.workflow.graph import Job, Made, write_stamp
from reproduce.workflow.jobs import all_jobs

QUICK = load_preset("quick")
JOBS = all_jobs(QUICK, [0])
TRAIN, MEASURE = "train/drawn-shoes/munit/seed0", "diversity/drawn-shoes/seed0"


def took(job: Job, folder: Path, seconds: float, minute: int = 0) -> None:
    """A stamp beside the others, of which a graph of today would keep the last."""
    (folder / "new").mkdir(exist_ok=True)
    path = write_stamp(job, folder / "new", seconds, Made())
    os.utime(path, (60 * minute, 60 * minute))
    path.replace(folder / path.name)


def longer(name: str, steps: int) -> Job:
    """The training with another number of steps."""
    job = JOBS[name]
    run = replace(job.runs[0], steps=steps)
    return Job(job.name, {"config": run.as_dict()}, job.needs, job.threads, (run,))


def seed(job: Job, number: int) -> Job:
    """The job with another seed."""
    return replace(job, name=job.name.replace("/seed0", f"/seed{number}"))


def test_the_newest_stamp_counts_and_the_own_before_another_seed(tmp_path: Path) -> None:
    job, estimates = JOBS[MEASURE], Estimates(JOBS, tmp_path)
    took(seed(job, 3), tmp_path, 11, minute=9)
    assert estimates.seconds(MEASURE) == 11, "no job of these: a stamp of another seed"
    took(seed(job, 1), tmp_path, 22, minute=10)
    took(seed(job, 2), tmp_path, 33, minute=8)
    assert estimates.seconds(MEASURE) == 22
    for minute, seconds in ((2, 44), (3, 55), (1, 66)):
        took(replace(job, about={"version": minute}), tmp_path, seconds, minute)
    assert estimates.seconds(MEASURE) == 55
    took(JOBS["observed/drawn-shoes/seed0"], tmp_path, 77, minute=20)
    assert estimates.seconds(MEASURE) == 55


def test_a_stamp_of_another_number_of_steps_is_scaled(tmp_path: Path) -> None:
    estimates = Estimates(JOBS, tmp_path)
    steps = JOBS[TRAIN].runs[0].steps
    took(longer(TRAIN, 10 * steps), tmp_path, 500, minute=1)
    assert estimates.seconds(TRAIN) == 50
    took(JOBS[TRAIN], tmp_path, 60, minute=2)
    assert estimates.seconds(TRAIN) == 60


def test_what_is_typical_grows_with_the_pixels(tmp_path: Path) -> None:
    large = {name: replace(job, runs=tuple(replace(r, size=128) for r in job.runs))
             for name, job in JOBS.items()}  # fmt: skip
    small = Estimates(JOBS, tmp_path)
    for name, times in ((MEASURE, 16), ("modes/drawn-housecats-dogs/seed0", 16), ("table/1", 1),
                        ("report", 1)):  # fmt: skip
        seconds = small.seconds(name)
        assert seconds and Estimates(large, tmp_path).seconds(name) == times * seconds


def test_on_a_gpu_without_records_nothing_is_said(tmp_path: Path) -> None:
    estimates = Estimates(JOBS, tmp_path, tmp_path, "cuda")
    assert estimates.seconds(TRAIN) is None and estimates.seconds(MEASURE) is None
    assert in_words(estimates.seconds(TRAIN)) == "unknown"
    assert estimates.seconds("table/1") == Estimates(JOBS, tmp_path).seconds("table/1")
    assert estimates.makespan(list(JOBS), 2) is None
    took(JOBS[TRAIN], tmp_path, 60)
    assert estimates.seconds(TRAIN) == 60 and estimates.makespan([TRAIN], 2) == 60


def test_a_training_without_stamps_is_timed_here(tmp_path: Path) -> None:
    run = QUICK.make_run("cyclegan", "drawn-shoes", overrides={
        "dim": 2, "n_blocks": 1, "dis_dim": 2, "batch": 1})  # fmt: skip
    jobs = {f"train/x/{steps}/seed0": Job(f"train/x/{steps}/seed0", {}, runs=(replace(run, steps=steps),))
            for steps in (100, 200)}  # fmt: skip
    few, many = (Estimates(jobs, tmp_path, tmp_path).seconds(name) for name in jobs)
    assert few is not None and many is not None and 0.1 < few < 100


@pytest.fixture
def chain(tmp_path: Path) -> Estimates:
    """Four trainings of 10 s and one thread; b, 5 s, needs the first; c, 1 s and two threads."""
    run = JOBS[TRAIN].runs[0]
    jobs = {f"train/{k}": Job(f"train/{k}", {"config": {"steps": run.steps}}, runs=(run,))
            for k in range(4)}  # fmt: skip
    jobs["b"] = Job("b", {}, (jobs["train/0"],))
    jobs["c"] = Job("c", {}, threads=2)
    for name, job in jobs.items():
        took(job, tmp_path, {"b": 5, "c": 1}.get(name, 10))
    return Estimates(jobs, tmp_path)


def test_the_whole_lasts_as_long_as_its_longest_chain(chain: Estimates) -> None:
    four = [f"train/{k}" for k in range(4)]
    assert chain.makespan([], 2) == 0
    assert chain.makespan(four, 1) == 40
    assert chain.makespan(four, 2) == 20
    assert chain.makespan(four, 4) == 10
    assert chain.makespan(four, 4, side_by_side=2) == 20
    assert chain.makespan(four, 4, side_by_side=1) == 40
    assert chain.makespan(["train/0", "b"], 4) == 15
    # While the trainings wait for one another, others may have the core.
    assert chain.makespan(["train/0", "b", "train/1"], 2, side_by_side=1) == 20
    assert chain.makespan(["train/0", "c"], 2) == 11, "c needs both cores"
    assert chain.makespan(["c"], 1) == 1, "a job has all cores at most"


def test_stamps_are_those_of_the_graph(tmp_path: Path) -> None:
    took(JOBS[TRAIN], tmp_path, 60)
    (tmp_path / f"{TRAIN.replace('/', '.')}.0.json").write_text(json.dumps({"seconds": 5}))
    (tmp_path / f"{TRAIN.replace('/', '.')}.1.json").write_text("half of")
    assert Estimates(JOBS, tmp_path).seconds(TRAIN) == 60
