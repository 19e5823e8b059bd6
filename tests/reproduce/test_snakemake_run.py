"""Plans, and Snakemake as it is told of them: real processes that only take the time."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.workflow.estimates import Estimates
from reproduce.workflow.jobs import all_jobs
from reproduce.workflow.plan import Graph, Machine, machine_of, write_plan
from reproduce.workflow.snakemake_run import snakemake_words

QUICK = load_preset("quick")
ALONE = Machine(cores=4, side_by_side=2, gpus_per_training=1)
# Says how many of its like are at work, itself among them, and makes its stamp.
AT_WORK = """
import os, sys, time
name, stamp = sys.argv[1:]
os.makedirs("at-work/" + name)
time.sleep(1.5)
print(len(os.listdir("at-work")))
os.rmdir("at-work/" + name)
open(stamp, "w").close()
"""


def graph(folder: Path, device: str = "cpu", machine: Machine = ALONE) -> Graph:
    places = Places(folder / "data", folder / "runs", folder / "results", device)
    jobs = all_jobs(QUICK, [0], threads=machine.threads)
    return Graph(QUICK, {}, [0], {}, {}, places, machine, jobs, folder / "runs/quick/stamps")


def planned(folder: Path, device: str = "cpu", machine: Machine = ALONE) -> dict[str, Any]:
    """A plan's entries by the names of their jobs; those whose time nobody must measure here."""
    whole = graph(folder, device, machine)
    names = [name for name, job in whole.jobs.items() if device == "cuda" or job.kind != "train"]
    estimates = Estimates(whole.jobs, whole.folder, folder, device)
    write_plan(whole, folder / "plan.json", dict.fromkeys(names, "new"), estimates)
    plan = json.loads((folder / "plan.json").read_text())
    return dict(zip(names, plan["jobs"], strict=True))


def test_what_only_writes_asks_for_no_gpu(tmp_path: Path) -> None:
    gpus = {name: entry["resources"]["gpu"] for name, entry in planned(tmp_path, "cuda").items()}
    without = {name for name, count in gpus.items() if not count}
    assert without == {
        name for name in gpus
        if name.split("/")[0] in ("data", "table", "claims", "curves", "theory-figures", "report")
    }  # fmt: skip
    assert {gpus["train/drawn-shoes/munit/seed0"], gpus["diversity/drawn-shoes/seed0"]} == {1}
    assert not any(e["resources"]["gpu"] for e in planned(tmp_path).values())


def test_gpus_of_a_training_are_its_own(tmp_path: Path) -> None:
    machine = Machine(8, 2, 2, ("0", "1", "2", "3"))
    entries = planned(tmp_path, "cuda", machine)
    train = entries["train/drawn-shoes/munit/seed0"]
    assert train["resources"]["gpu"] == 2 and train["threads"] == 8
    words = shlex.split(train["words"])
    at = words.index("reproduce.workflow.own_devices")
    assert words[at + 2 : at + 5] == ["4", "0,1,2,3", "2"] and "torch.distributed.run" in words
    assert "own_devices" not in entries["table/1"]["words"]


def test_a_runtime_is_asked_for_only_where_one_is_known(tmp_path: Path) -> None:
    on_gpu = planned(tmp_path, "cuda")
    assert "runtime" not in on_gpu["train/drawn-shoes/munit/seed0"]["resources"]
    assert on_gpu["table/1"]["resources"]["runtime"] == 10
    assert planned(tmp_path)["modes/drawn-housecats-dogs/seed0"]["resources"]["runtime"] == 25


def test_each_training_is_counted(tmp_path: Path) -> None:
    for name, entry in planned(tmp_path, "cuda").items():
        assert entry["resources"]["training"] == name.startswith("train/")


def test_trainings_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine_of(8, 3, "cpu", 1, elsewhere=False) == Machine(8, 3, 1)
    assert machine_of(5, 3, "cpu", 1, elsewhere=False).threads == 1
    assert machine_of(1, 3, "cpu", 1, elsewhere=False).side_by_side == 1
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    four = machine_of(16, 0, "cuda", 1, elsewhere=False)
    assert four == Machine(16, 4, 1, ("0", "1", "2", "3")) and four.gpu_slots == 4
    assert machine_of(16, 0, "cuda", 2, elsewhere=False).side_by_side == 2
    assert machine_of(16, 6, "cuda", 1, elsewhere=False).gpu_slots == 6
    assert machine_of(16, 0, "cuda:1", 1, elsewhere=False) == Machine(16, 1, 1)
    assert machine_of(16, 0, "cuda", 8, elsewhere=True).devices == ()
    with pytest.raises(UserError, match="sees 4"):
        machine_of(16, 0, "cuda", 5, elsewhere=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,2,5,GPU-1")
    assert machine_of(16, 0, "cuda", 1, elsewhere=False).devices == ("7", "2", "5", "GPU-1")


def test_snakemake_in_a_folder_of_any_name_trains_no_more_than_jobs_says(tmp_path: Path) -> None:
    folder = tmp_path / "it's (a) #1 {b}: c"
    stamps = folder / "runs" / "stamps"
    (stamps / "logs").mkdir(parents=True)
    (stamps / "job.py").write_text(AT_WORK)
    (stamps / "at-work").mkdir()

    def entry(name: str, needs: list[str], training: int) -> dict[str, object]:
        stamp = str(stamps / f"{name}.json")
        words = [sys.executable, str(stamps / "job.py"), name, stamp]
        return {
            "rule": name, "needs": needs, "stamp": stamp, "words": shlex.join(words), "threads": 1,
            "priority": 1, "resources": {"training": training, "gpu": 0},
            "log": str(stamps / "logs" / f"{name}.log"),
        }  # fmt: skip

    jobs = [entry(f"t{k}", [], 1) for k in range(3)]
    jobs.append(entry("last", [str(job["stamp"]) for job in jobs], 0))
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"jobs": jobs, "stamps": [job["stamp"] for job in jobs]}))
    one = Machine(cores=4, side_by_side=1, gpus_per_training=1)
    words = snakemake_words(plan, one, stamps, None)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(Path(str(job["stamp"])).exists() for job in jobs)
    assert [(stamps / "logs" / f"t{k}.log").read_text() for k in range(3)] == ["1\n"] * 3
