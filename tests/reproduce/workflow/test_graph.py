"""The graph of jobs: its order, what makes a job stale and what does not, and how long jobs take."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import FACTS

from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.records import code as recorded_code
from reproduce.records.store import Records, record_id
from reproduce.workflow.graph import (
    Job,
    Made,
    is_done,
    seconds_of,
    stale_jobs,
    stamps_folder,
    write_stamp,
)
from reproduce.workflow.jobs import Request
from reproduce.workflow.run import in_order

QUICK = load_preset("quick")
PLACES = Places(Path("data"), Path("runs"), Path("results"))


def jobs_of(preset: str, *seeds: int, **more: Any) -> dict[str, Job]:
    return Request(preset, PLACES, seeds or [0], **more).jobs()


def code(digest: str, **modules: str) -> dict[str, object]:
    return {"digest": digest, "modules": {f"models.{k}": v for k, v in modules.items()}}


def chain(middle: object = 1) -> dict[str, Job]:
    a = Job(QUICK, "a", {"x": 1})
    b = Job(QUICK, "b/seed0", {"x": middle, "code": code("1", munit="m")}, (a,))
    c = Job(QUICK, "c", {}, (b,))
    other = Job(QUICK, "other", {}, (a,))
    return {job.name: job for job in (a, b, c, other)}


def stamped(jobs: dict[str, Job], folder: Path) -> None:
    for job in jobs.values():
        made = folder / job.name.replace("/", "-")
        made.write_text(job.digest)
        write_stamp(job, folder, 1.0, Made([made]))


def test_every_job_comes_after_what_it_needs() -> None:
    for name in ("quick", "cpu"):
        jobs = jobs_of(name, 0, 1)
        seen: set[str] = set()
        for key, job in jobs.items():
            assert key == job.name
            assert {need.name for need in job.needs} <= seen
            assert all(jobs[need.name] is need for need in job.needs), "one job, one object"
            seen.add(key)
    first, second = (jobs[f"train/drawn-shoes/munit/seed{k}"] for k in (0, 1))
    assert first.needs == second.needs and first.digest != second.digest, "the same pictures"
    assert {"table/1", "table/2", "figure/1/drawn-shoes", "unit-figure/4", "styles/drawn-shoes",
            "theory/drawn-shoes/seed1", "theory-figures", "curves", "claims", "report"} <= seen  # fmt: skip
    assert sum(name.startswith("train/") for name in seen) == 2 * (16 + 12) + 3


def digests(jobs: dict[str, Job]) -> dict[str, str]:
    return {name: job.digest for name, job in jobs.items()}


@pytest.mark.parametrize(
    ("target", "more", "kinds"),
    [
        ("table/1", {}, {"data", "train", "scores", "observed", "judged", "evidence", "figure"}),
        ("table/2", {}, {"data", "train", "modes", "figure"}),
        ("unit-figure", {"figures": [4]}, {"data", "train"}),
        ("claims", {}, {"data", "train", "scores", "modes", "observed", "judged", "theory"}),
    ],
)
def test_a_target_is_made_with_what_it_needs_and_as_everything_is(target, more, kinds, places):
    jobs = Request("cpu", places, [0], target, **more).jobs()
    assert {job.kind for job in jobs.values()} == kinds | {target.split("/")[0]}
    whole = digests(Request("cpu", places, [0]).jobs())
    assert digests(jobs).items() <= whole.items()


def test_a_plan_tells_all_that_was_asked_for(places: Places) -> None:
    study, weights = places.data / "study.json", places.data / "weights.pth"
    places.data.mkdir()
    study.write_text("{}")
    plain = digests(Request("quick", places, [0]).jobs())
    weights.write_bytes(b"1")
    request = Request(
        "quick", replace(places, lpips_path=weights), [0], "table/1", scores="all",
        tasks=["drawn-handbags"], measuring={"inputs": 7}, overrides={"steps": "9"},
        human={"drawn-handbags": str(study)},
    )  # fmt: skip
    again = Request.read(json.loads(json.dumps(request.told())))
    assert again.scale == request.scale and digests(again.jobs()) == digests(request.jobs())
    assert "human/drawn-handbags" in request.jobs()
    # Other weights measure other numbers, and train nothing anew.
    measured = digests(Request("quick", replace(places, lpips_path=weights), [0]).jobs())
    assert measured["diversity/drawn-shoes/seed0"] != plain["diversity/drawn-shoes/seed0"]
    assert all(measured[name] == plain[name] for name in plain if name.startswith("train/"))


def test_the_observer_is_asked_where_pictures_are_drawn_and_judges_elsewhere() -> None:
    def asked(name: str) -> set[str]:
        kinds = ("observed/", "judged/", "evidence/")
        return {job for job in jobs_of(name, 0, 1) if job.startswith(kinds)}

    def jobs(kinds: Sequence[str], *tasks: str) -> set[str]:
        """That they can judge is shown once a task."""
        found = {f"{kind}/{task}" for kind in kinds for task in tasks}
        return {f"{name}/seed{k}" for name in found for k in (0, 1)} | {
            f"evidence/{name}" for name in found
        }

    assert asked("quick") == {f"observed/drawn-shoes/seed{k}" for k in (0, 1)}
    assert asked("cpu") == jobs(["observed", "judged"], "drawn-shoes", "drawn-handbags")
    assert asked("paper") == jobs(["judged"], "edges2shoes", "edges2handbags")
    own = QUICK.make_run("munit", "drawn-shoes", 0, source="elsewhere")
    assert QUICK.measure.preferring(own) == ("judged",)


def test_seeds_come_one_after_the_other_and_the_first_table_first() -> None:
    jobs = jobs_of("cpu", 3, 0)
    place = in_order(jobs, list(jobs), [3, 0])
    assert sorted(place.values()) == list(range(len(jobs)))
    last_of_3 = max(place[name] for name in jobs if name.endswith("/seed3"))
    assert last_of_3 < min(place[name] for name in jobs if name.endswith("/seed0"))
    assert place["train/drawn-shoes/munit/seed3"] < place["train/drawn-faces/unit/seed3"]


def test_the_report_hangs_on_everything_and_on_what_was_written_by_hand() -> None:
    jobs = jobs_of("quick")

    def behind(job: Job) -> set[str]:
        return {job.name}.union(*map(behind, job.needs))

    assert behind(jobs["report"]) == set(jobs)
    causes = jobs_of("quick", by_hand={"causes.yaml": "1", "page.html.j2": "2"})
    page = jobs_of("quick", by_hand={"causes.yaml": "1", "page.html.j2": "3"})
    assert jobs["claims"].digest != causes["claims"].digest == page["claims"].digest
    assert causes["report"].digest != page["report"].digest


def test_what_is_stamped_is_done_until_it_changes(tmp_path: Path) -> None:
    jobs = chain()
    assert list(stale_jobs(jobs, tmp_path)) == ["a", "b/seed0", "c", "other"]
    stamped(jobs, tmp_path)
    assert stale_jobs(jobs, tmp_path) == {}

    # An option that changes makes stale what hangs on it; so does going back.
    changed = chain(middle=2)
    why = stale_jobs(changed, tmp_path)
    assert why == {"b/seed0": "x changed", "c": "b/seed0 changed"}
    stamped(changed, tmp_path)
    # What the other option made has taken the place of what this one did.
    assert stale_jobs(jobs, tmp_path) == {"b/seed0": "x changed", "c": "b/seed0 changed"}


def test_a_line_of_code_is_named(tmp_path: Path) -> None:
    jobs = chain()
    stamped(jobs, tmp_path)
    for now, why in (
        (code("2", munit="n"), "models.munit changed"),
        (code("2", moved="m", new="n"), "models.new changed"),
        (code("2", munit="m"), "code changed"),  # what it imports from where
        (code("1", moved="m"), None),
    ):
        b = replace(jobs["b/seed0"], about={"x": 1, "code": now})
        assert stale_jobs({"a": jobs["a"], "b/seed0": b}, tmp_path).get("b/seed0") == why


@pytest.mark.parametrize("what", ["stamp", "made"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{")])
def test_what_is_missing_is_made_again_with_what_hangs_on_it(damage, what, tmp_path):
    jobs = chain()
    stamped(jobs, tmp_path)
    damage(jobs["b/seed0"].stamp(tmp_path) if what == "stamp" else tmp_path / "b-seed0")
    why = stale_jobs(jobs, tmp_path)
    assert list(why) == ["b/seed0", "c"] and why["c"] == "b/seed0 is made again"


def test_code_makes_stale_what_it_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    before = jobs_of("quick")
    (data,) = (name for name in before if name.startswith("data/drawn-shoes"))
    real = recorded_code._read

    def edited(module: str):
        def read(name: str):
            source = real(name)
            return replace(source, code="edited") if name == module else source

        monkeypatch.setattr(recorded_code, "_read", read)
        monkeypatch.setattr(recorded_code, "_KNOWN", {})
        after = jobs_of("quick")
        return {name for name in before if after[name].digest != before[name].digest}

    munit = edited("models.munit")
    assert "train/drawn-shoes/munit-wo-x/seed0" in munit and "table/1" in munit
    assert not {"train/drawn-shoes/unit/seed0", data, "unit-figure/4"} & munit
    trainings = {name for name in before if name.startswith("train/")}
    assert trainings <= edited("reproduce.training.checkpoints")
    metric = edited("benchmarks.metrics.diversity")
    assert {"diversity/drawn-shoes/seed0", "table/1"} <= metric
    assert not any(name.startswith(("train", "data", "modes", "theory")) for name in metric)
    assert "table/2" not in metric
    assert {"claims", "report"} <= metric
    assert edited("reproduce.report.page") == {"report"}
    drawing = edited("reproduce.tasks.drawn.shoes_open")
    assert {data, "train/drawn-shoes/unit/seed0"} <= drawing
    assert "train/drawn-housecats-dogs/unit/seed0" not in drawing


def test_a_picture_that_changes_makes_stale_what_is_trained_on_it(tmp_path: Path) -> None:
    pictures = tmp_path / "mine"
    (pictures / "trainA").mkdir(parents=True)
    (pictures / "trainA" / "1.png").write_bytes(b"1")

    def digests() -> set[str]:
        jobs = jobs_of("quick", sources={"drawn-shoes": str(pictures)})
        return {job.digest for name, job in jobs.items() if name.startswith("train/drawn-shoes")}

    before = digests()
    assert digests() == before
    (pictures / "trainA" / "1.png").write_bytes(b"23")
    changed = digests()
    assert not changed & before
    (pictures / "trainA" / "2.png").write_bytes(b"4")
    assert not digests() & (changed | before)


def test_a_measurement_is_done_while_its_records_are_there(tmp_path: Path) -> None:
    records, job = Records(tmp_path / "results", "quick"), Job(QUICK, "diversity/x", {})
    first, second = (records.append(FACTS | {"value": value}) for value in (1.0, 2.0))
    made = Made(records={records.path: [record_id(first), record_id(second)]})
    write_stamp(job, tmp_path, 1.0, made)
    assert is_done(job, tmp_path)
    records.append(FACTS | {"value": 3.0})
    assert is_done(job, tmp_path), "others come and go"
    lines = records.path.read_text().splitlines(keepends=True)
    records.path.write_text("".join(lines[1:]))
    assert not is_done(job, tmp_path)
    assert list(stale_jobs({job.name: job}, tmp_path)) == [job.name]
    records.path.unlink()
    assert not is_done(job, tmp_path)


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
