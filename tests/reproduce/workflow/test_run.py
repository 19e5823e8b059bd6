"""Plans, Snakemake as it is told of them, and its end: real processes that only take the time."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock, SoftFileLock
from tiny import finish, forked, until

from benchmarks.files import holder
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.experiments.run import run_folder
from reproduce.training.loop import Interrupted
from reproduce.workflow import do, run
from reproduce.workflow.devices import How, Machine, machine_of, own_devices
from reproduce.workflow.graph import Job, Made, seconds_of, write_stamp
from reproduce.workflow.jobs import Request
from reproduce.workflow.run import Graph, only_command, snakemake_words, started, write_plan

ROOT = Path(__file__).resolve().parents[3]
TRAIN, WRITING = "train/drawn-shoes/munit/seed0", "table/1"
MODES = "modes/drawn-housecats-dogs/seed0"
# Says how many of its like are at work, itself among them, and makes its stamp.
AT_WORK = """
import os, sys, time
name, stamp = sys.argv[1:]
os.makedirs("at-work/" + name)
time.sleep(0.5)
print(len(os.listdir("at-work")))
os.rmdir("at-work/" + name)
open(stamp, "w").close()
"""
# Asked to stop, it takes a moment to save.
SAVES = """
import signal, sys, time
from pathlib import Path
def save(number, frame):
    time.sleep(0.3)
    Path("saved").write_text(str(time.time()))
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
Path("begun").touch()
time.sleep(60)
"""

UNKNOWN = """
import errno, fcntl
def unknown(*_):
    raise OSError(errno.ENOSYS, "Function not implemented")
"""


def planned(folder: Path, device: str = "cpu", how: How | None = None) -> dict[str, Any]:
    """A plan's entries by the names of their jobs."""
    places = Places(folder / "data", folder / "runs", folder / "results", device)
    graph = Graph(Request("quick", places, [0]), how or How(cores=4, plan=folder / "plan.json"))
    write_plan(graph, folder / "plan.json", dict.fromkeys(graph.jobs, "new"))
    plan = json.loads((folder / "plan.json").read_text())
    return dict(zip(graph.jobs, plan["jobs"], strict=True))


def test_what_only_writes_asks_for_no_gpu(tmp_path: Path) -> None:
    writes = ("data", "table", "claims", "curves", "theory-figures", "report")
    for name, entry in planned(tmp_path, "cuda").items():
        asked = entry["resources"]
        assert asked["gpu"] == (name.split("/")[0] not in writes)
        assert asked["training"] == name.startswith("train/")
    assert not any(e["resources"]["gpu"] for e in planned(tmp_path).values())
    apple = [name for name, e in planned(tmp_path, "mps").items() if e["resources"]["gpu"]]
    assert apple and all(name.startswith("train/") for name in apple)


def test_gpus_of_a_training_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    entries = planned(tmp_path, "cuda", How(cores=8, gpus_per_training=2))
    train = entries[TRAIN]
    assert train["resources"]["gpu"] == 2 and train["threads"] == 4, "two trainings side by side"
    words = shlex.split(train["words"])
    at = words.index("reproduce.workflow.devices")
    assert words[at + 2 : at + 5] == ["4", "0,1,2,3", "2"] and "torch.distributed.run" in words
    assert words[-1] == "--threads=2", "of each of the four processes"
    assert "workflow.devices" not in entries[WRITING]["words"]
    few = planned(tmp_path, "cuda", How(cores=3, gpus_per_training=2))[TRAIN]
    assert few["threads"] == 1 and "--threads=1" in few["words"], "side by side all the same"


def test_a_runtime_is_asked_for_only_where_one_is_known(places: Places, tmp_path: Path) -> None:
    assert "runtime" not in planned(tmp_path)[MODES]["resources"]
    stamp = write_stamp(Request("quick", places, [0]).jobs()[MODES], places.runs, 300, Made())
    assert planned(tmp_path)[MODES]["resources"]["runtime"] == 25
    assert not stamp.exists(), "to Snakemake, what has its stamp is done"


def test_trainings_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    def machine(cores: int, jobs: int, device: str, gpus: int = 1, trainings: int = 99) -> Machine:
        return machine_of(How(cores, jobs, gpus), device, trainings)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine(8, 3, "cpu") == Machine(8, 3, 1)
    assert machine(5, 3, "cpu").threads == 1
    assert machine(1, 3, "cpu").side_by_side == 1
    assert machine(8, 3, "cpu", trainings=1).threads == 8
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    four = machine(16, 0, "cuda")
    assert four == Machine(16, 4, 1, ("0", "1", "2", "3")) and four.gpu_slots == 4
    assert machine(16, 0, "cuda", 2) == Machine(16, 2, 2, four.devices)
    assert machine(16, 0, "cuda", 4, trainings=1).threads == 4
    assert machine(16, 6, "cuda").gpu_slots == 6
    assert machine(16, 0, "cuda:1") == Machine(16, 1, 1)
    with pytest.raises(UserError, match="sees 4"):
        machine(16, 0, "cuda", 5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,2,5,GPU-1")
    assert machine(16, 0, "cuda").devices == ("7", "2", "5", "GPU-1")


def entry(stamps: Path, name: str, needs: list[str], training: int) -> dict[str, Any]:
    """A plan's entry of a job that is the script job.py."""
    stamp = str(stamps / f"{name}.json")
    words = [sys.executable, str(stamps / "job.py"), name, stamp]
    return {
        "rule": name, "needs": needs, "stamp": stamp, "words": shlex.join(words), "threads": 1,
        "priority": 1, "resources": {"training": training, "gpu": 0},
        "log": str(stamps / "logs" / f"{name}.log"),
    }  # fmt: skip


def test_snakemake_in_a_folder_of_any_name_trains_no_more_than_jobs_says(tmp_path: Path) -> None:
    folder = tmp_path / "it's (a) #1 {b}: c"
    stamps = folder / "runs" / "stamps"
    (stamps / "logs").mkdir(parents=True)
    (stamps / "job.py").write_text(AT_WORK)
    (stamps / "at-work").mkdir()

    jobs = [entry(stamps, f"t{k}", [], 1) for k in range(3)]
    jobs.append(entry(stamps, "last", [str(job["stamp"]) for job in jobs], 0))
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"jobs": jobs, "stamps": [job["stamp"] for job in jobs]}))
    one = Machine(cores=4, side_by_side=1, gpus_per_training=1)
    words = snakemake_words(plan, one, stamps, None)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(Path(str(job["stamp"])).exists() for job in jobs)
    assert [(stamps / "logs" / f"t{k}.log").read_text() for k in range(3)] == ["1\n"] * 3


def at_work(folder: str) -> None:
    """The command, as far as Snakemake needs one."""
    here = Path(folder)
    with only_command(here):
        words = snakemake_words(here / "plan.json", Machine(1, 1, 1), here, None)
        with started(words, here, here / "log", signal.SIGTERM) as process:
            process.wait()


def one_job(folder: Path) -> None:
    """The plan of a job that saves."""
    (folder / "job.py").write_text(SAVES)
    (folder / "logs").mkdir()
    job = entry(folder, "job", [], 1)
    (folder / "plan.json").write_text(json.dumps({"jobs": [job], "stamps": [job["stamp"]]}))


@pytest.fixture
def command(tmp_path: Path) -> ForkServerProcess:
    """A command whose one job is at work."""
    one_job(tmp_path)
    process = forked(at_work, str(tmp_path))
    until((tmp_path / "begun").exists, 120)
    return process


def test_what_a_killed_command_left_saves_and_is_waited_for(command, tmp_path, capsys):
    with pytest.raises(UserError, match=r"another .* at work in .*: wait"), only_command(tmp_path):
        pass
    command.kill()
    assert finish(command) == -signal.SIGKILL
    assert not (tmp_path / "saved").exists()
    with only_command(tmp_path):
        assert float((tmp_path / "saved").read_text()) <= time.time()
    assert capsys.readouterr().err.count("waiting for them") == 1


def test_what_a_killed_snakemake_left_saves_and_is_waited_for(command, tmp_path):
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text()
    os.kill(int(children.split()[0]), signal.SIGKILL)
    assert finish(command) == 0
    assert (tmp_path / "saved").exists()


@pytest.fixture
def unknown_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process here or started from here may lock, as on some network's file systems."""
    here: dict[str, Any] = {}
    exec(UNKNOWN, here)
    monkeypatch.setattr(fcntl, "flock", here["unknown"])
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(f"{UNKNOWN}fcntl.flock = unknown\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python"))


@pytest.mark.filterwarnings("ignore:flock not supported")
def test_where_flock_is_unknown_snakemake_is_named(tmp_path: Path, unknown_flock: None) -> None:
    one_job(tmp_path)
    words = snakemake_words(tmp_path / "plan.json", Machine(1, 1, 1), tmp_path, None)
    log = tmp_path / "log"
    with only_command(tmp_path):
        with started(words, tmp_path, log, signal.SIGTERM) as process:
            until((tmp_path / "begun").exists, 120)
            assert f"process {process.pid} of " in holder(tmp_path / run.SNAKEMAKE)
            told = f"process {os.getpid()} of"
            with pytest.raises(UserError, match=told), only_command(tmp_path):
                pass
        assert (tmp_path / "saved").exists()
    with only_command(tmp_path):
        pass
    with pytest.raises(UserError, match="does not support file locks"):
        own_devices(tmp_path, 2, ["4", "7"], 1)


def test_what_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE", -59.8)
    refused = pytest.raises(UserError, match="still at work in")
    with FileLock(tmp_path / run.SNAKEMAKE), refused, only_command(tmp_path):
        pass


def test_each_command_has_gpus_of_its_own(tmp_path: Path) -> None:
    # flock is of an opened file: a lock that this process holds counts for itself too.
    assert own_devices(tmp_path, 3, ["4", "7", "9"], 2) == ["4", "7"]
    assert own_devices(tmp_path, 3, ["4", "7", "9"], 1) == ["9"]
    slots = [str(tmp_path), "4", "4,7,9", "1"]
    words = [sys.executable, "-m", "reproduce.workflow.devices", *slots]
    shown = [sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"]
    for _ in range(2):  # a slot is free again when its command has ended
        told = subprocess.check_output([*words, *shown], cwd=ROOT, text=True)
        assert told == "4\n", "the fourth slot is the first GPU's second"


def on_nodes(folder: Path, jobs: str = "", config: str = "", **how: Any) -> dict[str, Any]:
    """The plan of GPU jobs for a cluster's profile with this jobs.yaml."""
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)
    (profile / "config.yaml").write_text(f"executor: slurm\n{config}")
    if jobs:
        (profile / "jobs.yaml").write_text(jobs)
    return planned(folder, "cuda", How(profile=str(profile), **how))


def test_cores_of_jobs_on_nodes_are_not_the_login_nodes(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(128)))
    entries = on_nodes(tmp_path)
    assert (entries[TRAIN]["threads"], entries[WRITING]["threads"]) == (8, 1)
    assert "--threads=8" in entries[TRAIN]["words"]
    measuring = next(e for name, e in entries.items() if name.startswith(("scores", "diversity")))
    assert measuring["threads"] == 4 and measuring["resources"]["mem_mb"] == 16_000
    two = on_nodes(tmp_path, cores=12, gpus_per_training=2)[TRAIN]
    asked = (two["resources"][key] for key in ("nodes", "gpu", "tasks_per_gpu"))
    assert two["threads"] == 24 and [*asked] == [1, 2, 0], "one task on one node"


def test_a_type_of_gpu_is_asked_for_by_jobs_that_have_one(tmp_path: Path) -> None:
    asked = "gpu: {gpu_model: h100, slurm_partition: fast}\ncpu: {slurm_partition: cheap}\n"
    entries = on_nodes(tmp_path, asked)
    train, write = entries[TRAIN]["resources"], entries[WRITING]["resources"]
    assert (train["gpu_model"], train["gpu"], train["slurm_partition"]) == ("h100", 1, "fast")
    assert "gpu_model" not in write and not write["gpu"] and write["slurm_partition"] == "cheap"
    entries = on_nodes(tmp_path, 'gpu: {gres: "gpu:h100:{gpus}"}\n', gpus_per_training=2)
    assert entries[TRAIN]["resources"]["gres"] == "gpu:h100:2"
    assert "gpu" not in entries[TRAIN]["resources"], "SLURM's plugin refuses both"


def test_a_training_asks_for_no_more_time_than_one_that_is_not_known(places, tmp_path) -> None:
    jobs = Request("quick", places, [0]).jobs()

    def asked(runtime: str, jobs_yaml: str = "") -> tuple[int, int]:
        """Of a training and a measurement that took 40 hours."""
        for name in (TRAIN, MODES):
            write_stamp(jobs[name], places.runs, 40 * 3600, Made())
        entries = on_nodes(tmp_path, jobs_yaml, runtime)
        return tuple(entries[name]["resources"]["runtime"] for name in (TRAIN, MODES))

    assert asked("") == (7210, 7210), "a profile that tells no limit"
    assert asked("default-resources: {runtime: 1440}\n") == (1440, 7210)
    assert asked("default-resources: [mem_mb=8000, runtime=2d]\n") == (2880, 7210)
    assert asked("default-resources: {runtime: 9999}\n") == (7210, 7210)
    assert asked("default-resources: {runtime: 90}\n", "gpu: {runtime: 600}\n") == (600, 7210)


def test_a_training_that_makes_progress_did_not_fail(places, tmp_path, monkeypatch, capsys):
    graph = Graph(Request("quick", replace(places, device="cuda"), [0]), How(profile="slurm"))
    progress = run_folder(places.runs, "quick", graph.jobs[TRAIN].runs[0]) / "progress.json"
    progress.parent.mkdir(parents=True)
    ends = iter([100, 250, 250])  # at which step each round of jobs ends

    def round_of_jobs(*_: object) -> None:
        progress.write_text(json.dumps({"step": next(ends)}))
        raise UserError("its time is over")

    monkeypatch.setattr(run, "_run", round_of_jobs)
    with pytest.raises(UserError, match="its time is over"):
        run._to_the_end(graph, [], tmp_path / "plan.json", [TRAIN])
    assert next(ends, None) is None, "as long as steps were made, and no longer"
    assert capsys.readouterr().err.count("once more") == 2


def test_seconds_of_calls_that_ended_early_count(places, monkeypatch):
    request, now = Request("quick", places, [0]), [0.0]
    job, ends = request.jobs()[TRAIN], iter([Interrupted(1), KeyboardInterrupt(), None])
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def work(request: Request, job: Job) -> Made:
        now[0] += 3600
        if (end := next(ends)) is not None:
            raise end
        return Made()

    monkeypatch.setitem(do.MAKERS, "train", work)
    for end in (Interrupted, KeyboardInterrupt):
        with pytest.raises(end):
            do.make(request, job)
    do.make(request, job)
    assert seconds_of(job, places.runs) == 3 * 3600


def slowly(places: Places) -> None:
    """A training that takes its time, and tells of it often."""
    do.TOLD_EVERY = 0.05
    do.MAKERS["train"] = lambda *_: time.sleep(60)
    request = Request("quick", places, [0])
    do.make(request, request.jobs()[TRAIN])


def test_seconds_of_a_call_that_was_killed_count(places, monkeypatch):
    request = Request("quick", places, [0])
    job = request.jobs()[TRAIN]
    begun = job.stamp(places.runs).with_suffix(".begun")
    process = forked(slowly, places)
    until(lambda: begun.exists() and float(begun.read_text()) > 0.5, 120)
    process.kill()
    assert finish(process) == -signal.SIGKILL
    monkeypatch.setitem(do.MAKERS, "train", lambda *_: Made())
    do.make(request, job)
    assert (seconds_of(job, places.runs) or 0) >= 0.5


def test_a_lock_that_a_dead_machine_left_is_named(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    assert holder(lock) == ""
    with SoftFileLock(lock):  # as where flock is unknown
        assert f"process {os.getpid()} of " in holder(lock) and f"remove {lock}" in holder(lock)
    with FileLock(lock):
        assert holder(lock) == ""
