"""The script for the first GPU that comes, as small as a processor can take it."""

import json
import multiprocessing
from pathlib import Path

import gpu_check
import pytest
import torch
from tape import Gpu, Tapes, Unable
from torch import Tensor

from reproduce.commands.cli import main
from reproduce.speed import stepping
from reproduce.training import shared

NAMES = ["golden", "graphs", "resume", "measurement", "step_times", "training"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu-check")
    before = torch.backends.cudnn.allow_tf32
    assert gpu_check.main(["--device=cpu", "--small", f"--out={folder}"]) == 0
    assert torch.backends.cudnn.allow_tf32 == before, "steps were timed as if they measured"
    return folder


def test_every_check_passes_and_leaves_its_figures(out: Path) -> None:
    told = json.loads((out / "gpu_check.json").read_text())
    checks = {entry["name"]: entry for entry in told["checks"]}
    assert list(checks) == NAMES and all(entry["passed"] for entry in checks.values())
    assert max(checks["golden"]["furthest"].values()) < 1e-8
    assert checks["resume"]["apart"] == 0, "on one processor the same bits"
    assert checks["training"]["steps"] > 0 and told["environment"]["packages"]["torch"]
    assert told["seconds"] >= sum(entry["seconds"] for entry in checks.values()) - 1
    assert 1 < told["processor_seconds"] < 60, "a minute, which other work makes longer"


def test_the_table_of_speed_reads_its_step_times(out, capsys):
    assert main(["speed", "table", f"--results={out}", "--kind=step", "--format=csv"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert "ratio" in heading and "munit" in row


def test_what_fails_is_told_and_the_next_check_follows(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "BAR", 0.0)
    words = ["--device=cpu", "--small", f"--out={tmp_path}", "--only", "golden", "graphs"]
    assert gpu_check.main(words) == 1
    golden, graphs = json.loads((tmp_path / "gpu_check.json").read_text())["checks"]
    assert golden["passed"] is False and "furthest" not in golden and "munit" in golden["told"]
    assert graphs["passed"] is True


@pytest.mark.parametrize("name", ["graphs", "step_times"])
@pytest.mark.parametrize(("recorder", "passed"), [(Tapes, True), (Unable, False)])
def test_a_gpu_that_records_no_graph_fails(recorder, passed, name, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "CudaGraphs", lambda device: recorder())
    monkeypatch.setattr(stepping, "measure_machine", lambda *given: {})
    monkeypatch.setattr(Tensor, "pin_memory", lambda x: x)
    for absent in ("synchronize", "set_device", "get_device_name"):
        monkeypatch.setattr(torch.cuda, absent, lambda device: "none")
    check = gpu_check.Check(Gpu("cpu"), tmp_path, tmp_path, minutes=9, small=True)
    check.take(getattr(gpu_check, name))
    (entry,) = json.loads((tmp_path / "gpu_check.json").read_text())["checks"]
    assert entry["passed"] is passed
    (figures,) = entry["losses" if name == "graphs" else "seconds_a_step"].values()
    assert figures["graphs"] is passed, "figures stay"
    assert passed or ("no CUDA graphs" in entry["told"] and "munit" in entry["told"])


def stop_at_once(out: Path) -> None:
    for _ in range(50):
        with gpu_check._stopped_after(0):
            pass
    for seconds in (1e-3, 0.0):
        gpu_check.BRIEFLY = seconds
        words = [f"--out={out / str(seconds)}", "--device=cpu", "--small", "--only", "training"]
        assert gpu_check.main(words) == 0


def test_a_training_that_has_hardly_time_to_begin_is_not_killed(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=stop_at_once, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    (stopped,), (left_out,) = (
        json.loads((tmp_path / seconds / "gpu_check.json").read_text())["checks"]
        for seconds in ("0.001", "0.0")
    )
    assert stopped["passed"] and stopped["steps"] > 0
    assert left_out["passed"] is None and "no time" in left_out["told"]


def test_it_ends_when_its_time_is_over(tmp_path: Path) -> None:
    words = ["--device=cpu", "--small", f"--out={tmp_path}", "--minutes=0"]
    assert gpu_check.main(words) == 0
    checks = json.loads((tmp_path / "gpu_check.json").read_text())["checks"]
    assert [(c["name"], c["passed"]) for c in checks] == [(name, None) for name in NAMES]
