"""Making one job: what was begun, adopted, locked, and by which code."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import FACTS

from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import PROGRESS, run_folder
from reproduce.measuring.rerun import _workspace
from reproduce.records.code import made_by, sign
from reproduce.records.store import Records
from reproduce.workflow import do
from reproduce.workflow.graph import Job, Made, is_done, seconds_of, stamps_folder
from reproduce.workflow.jobs import Request

QUICK = load_preset("quick")


def test_two_makers_of_a_job_make_it_once(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def slow(*_: object) -> Made:
        made.append(1)
        time.sleep(0.5)
        return Made()

    monkeypatch.setitem(do.MAKERS, "slow", slow)
    request, job = Request("quick", places, [0]), Job(QUICK, "slow/x", {})
    threads = [threading.Thread(target=do.make, args=(request, job)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder = stamps_folder(places.runs, QUICK)
    assert made == [1] and is_done(job, places.runs)
    assert not list(folder.glob("*.begun"))


def test_what_other_code_measured_is_not_found(tmp_path: Path) -> None:
    """Interrupted, edited, gone on with: a record tells its code, whatever its time."""
    Records(tmp_path, "quick", "aaa").append(FACTS)
    assert Records(tmp_path, "quick", "bbb").find(metric="m") is None
    Records(tmp_path, "quick", "bbb").append(FACTS | {"value": 2.0})
    found = Records(tmp_path, "quick", "bbb").find(metric="m")
    assert found is not None and found["value"] == 2.0
    # The newest is what tables show: going back measures again.
    assert Records(tmp_path, "quick", "aaa").find(metric="m") is None
    newest = Records(tmp_path, "quick").find(metric="m")
    assert newest is not None and newest["code"] == "bbb"


def test_a_network_of_other_code_is_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    assert not made_by(path, "benchmarks.networks.classifier_training")
    path.write_bytes(b"weights")
    assert made_by(path, "benchmarks.networks.classifier_training"), "brought here, without a note"
    sign(path, "benchmarks.networks.classifier_training")
    assert made_by(path, "benchmarks.networks.classifier_training")
    assert not made_by(path, "benchmarks.networks.mode_classifiers")


def test_pictures_of_other_code_are_drawn_again_and_a_run_on_them_is_kept(places, monkeypatch):
    sizes = {"train": "6", "test": "4", "steps": "2", "batch": "2", "dim": "4"}
    request = Request("quick", places, [0], overrides=sizes)
    preset, job = request.scale, request.jobs()["train/drawn-shoes/munit/seed0"]
    (data,) = job.needs
    do.make(request, data)
    (folder,) = (p for p in places.data.iterdir() if (p / "drawn.json").is_file())
    picture = next((folder / "trainB").iterdir())
    drawn = picture.read_bytes()

    trained: list[Path] = []
    monkeypatch.setattr(do, "train", lambda run, folder, **_: trained.append(folder))
    run = places.runs / preset.name / "drawn-shoes" / "munit-seed0"

    def begin(job: Job) -> None:
        run.mkdir(parents=True, exist_ok=True)
        do._train(request, job)

    begin(job)
    (run / "last.safetensors").write_bytes(b"half")
    begin(job)
    assert (run / "last.safetensors").exists(), "its own"
    begin(replace(job, about=dict(job.about) | {"code": {"digest": "edited", "modules": {}}}))
    assert not (run / "last.safetensors").exists(), "another's"
    stale = run.with_name("munit-seed0.stale") / "last.safetensors"
    assert stale.read_bytes() == b"half"
    (run / do.MARK).unlink()
    (run / "last.safetensors").write_bytes(b"of unknown code")
    begin(job)
    assert not (run / "last.safetensors").exists()
    assert stale.read_bytes() == b"of unknown code", "one is kept"
    assert len(trained) == 4

    picture.write_bytes(b"of other code")
    (folder / do.DRAWN_BY).write_text("{}")
    do._data(request, data)
    assert picture.read_bytes() == drawn

    assert is_done(data, places.runs)
    picture.write_bytes(drawn + b"0")
    assert not is_done(data, places.runs), "one of them is another"
    picture.unlink()
    assert not is_done(data, places.runs), "one of them is gone"
    do.make(request, data)
    assert picture.read_bytes() == drawn and is_done(data, places.runs)


def test_on_apples_gpus_only_trainings_compute(places, monkeypatch):
    """They have no float64, which measuring needs."""
    used: list[str] = []

    def uses(request: Request, job: Job) -> Made:
        used.append(request.places.device)
        return Made()

    for kind in ("train", "scores", "figure"):
        monkeypatch.setitem(do.MAKERS, kind, uses)
        for device in ("mps", "cuda:1"):
            run = QUICK.make_run("munit", "drawn-shoes", 0)
            job = Job(QUICK, f"{kind}/x", {"device": device}, runs=(run,))
            do.make(Request("quick", replace(places, device=device), [0]), job)
    assert used == ["mps", "cuda:1", "cpu", "cuda:1", "cpu", "cuda:1"]
    with _workspace("quick", [], replace(places, device="mps")) as scratch:
        assert scratch.device == "cpu", "where a record is made again"


def test_seconds_of_a_training_that_was_done_before_its_job_are_its_own(places: Places) -> None:
    sizes = {"train": "6", "test": "4", "steps": "2", "batch": "2", "dim": "4"}
    request = Request("quick", places, [0], overrides=sizes)
    job = request.jobs()["train/drawn-shoes/munit/seed0"]
    do.share(request, job)
    told = run_folder(places.runs, request.scale.name, job.runs[0]) / PROGRESS
    told.write_text(json.dumps(json.loads(told.read_text()) | {"seconds": 7200}))
    do.make(request, job)
    assert seconds_of(job, places.runs) == 7200
