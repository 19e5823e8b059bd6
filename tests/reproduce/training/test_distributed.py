"""Several processes compute what one computes, and end together."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import processes
import pytest
import shared_steps
import torch
from safetensors.torch import load_file
from shared_steps import BATCH, CASES, HALF, STEPS, fresh, go, run_of, weights
from tiny import assert_same_tensors, tensors, train_words, until
from torch import Tensor

from models.errors import UserError
from models.zoo import make_config, make_method
from reproduce.commands.cli import main
from reproduce.training.checkpoints import read_checkpoint, restore_training, save_training
from reproduce.training.distributed import World, joined, local_device
from reproduce.training.shared import check_shareable, positions

ROOT = Path(__file__).resolve().parents[3]
ALONE = World()
EVERY_CASE = pytest.mark.parametrize("case", CASES)


# The same numbers


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of every case: its weights, its losses, its checkpoint half way."""
    folder = tmp_path_factory.mktemp("shared")
    for case in CASES:
        trainer = fresh(case, ALONE)
        records = go(trainer, ALONE, 0, HALF)
        save_training(folder / f"{case}.half1", trainer, run_of(case), HALF, "data")
        records += go(trainer, ALONE, HALF, STEPS)
        torch.save(weights(trainer), folder / f"{case}.one")
        (folder / f"{case}.one.json").write_text(json.dumps(records))
    return folder


@pytest.fixture(scope="module")
def two(one: Path) -> Path:
    """The same folder with what two processes make of every case, four pictures each."""
    started = processes.start(2, one / "log", shared_steps.shared, one)
    codes = processes.finish(started, 240)
    assert codes == [0, 0], (one / "log.0").read_text() + (one / "log.1").read_text()
    return one


def assert_near(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    furthest = max((found[k] - wanted[k]).abs().max().item() for k in wanted)
    assert furthest < 1e-6, furthest


def alone(folder: Path, case: str) -> dict[str, Tensor]:
    return torch.load(folder / f"{case}.one", weights_only=True)


@EVERY_CASE
def test_two_processes_end_with_the_weights_of_one(case: str, two: Path) -> None:
    assert_near(load_file(two / f"{case}.0"), alone(two, case))
    first = {k: v for k, v in weights(fresh(case, ALONE)).items() if "pool" not in k}
    moved = [k for k, v in first.items() if (alone(two, case)[k] - v).abs().max() > 1e-4]
    assert len(moved) > len(first) / 2, "nothing was trained"


@EVERY_CASE
def test_all_processes_hold_the_same_bits(case: str, two: Path) -> None:
    assert_same_tensors(two / f"{case}.0", two / f"{case}.1")


@EVERY_CASE
def test_losses_are_those_of_the_whole_batch(case: str, two: Path) -> None:
    wanted = json.loads((two / f"{case}.one.json").read_text())
    for number in (0, 1):
        found = json.loads((two / f"{case}.{number}.json").read_text())
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@EVERY_CASE
def test_two_processes_go_on_from_the_checkpoint_of_one(case: str, two: Path) -> None:
    assert_near(load_file(two / f"{case}.resumed0"), alone(two, case))


@EVERY_CASE
def test_one_process_goes_on_from_the_checkpoint_of_two(case: str, two: Path) -> None:
    trainer = fresh(case, ALONE)
    restore_training(read_checkpoint(two / f"{case}.half2"), trainer)
    go(trainer, ALONE, HALF, STEPS)
    assert_near(weights(trainer), alone(two, case))


def test_shares_are_equal_and_cover_the_batch() -> None:
    for case, count in (("munit", 4), ("bicyclegan", 2), ("bicyclegan", 4)):
        method = fresh(case, ALONE).method
        own = [positions(method, BATCH, World(rank, count)) for rank in range(count)]
        assert sorted(i for share in own for i in share) == list(range(BATCH))
        assert {len(share) for share in own} == {BATCH // count}
    assert positions(method, BATCH, World(1, 4)) == [1, 5], "one of either half"


# What is refused


@pytest.mark.parametrize(
    ("name", "batch", "count", "told"),
    [
        ("munit", 6, 4, ["batch=6", "4 processes", "--set batch=8"]),
        ("munit", 1, 2, ["batch=1", "2 processes", "--set batch=2"]),
        ("bicyclegan", 6, 2, ["batch=6", "2 processes", "halves", "--set batch=8"]),
    ],
)
def test_a_batch_that_cannot_be_shared(name: str, batch: int, count: int, told: list[str]) -> None:
    method = fresh(name, ALONE).method
    check_shareable(method, batch, 1)
    with pytest.raises(UserError) as error:
        check_shareable(method, batch, count)
    assert all(word in str(error.value) for word in told)


@pytest.mark.parametrize("settings", [{"norm": "bn"}, {"norm": "bn", "dropout": "0"}])
def test_batch_norm_is_for_one_process(settings: dict[str, object]) -> None:
    settings |= {"dim": 2, "dis_dim": 2, "n_blocks": 1}
    method = make_method("cyclegan", make_config("cyclegan", settings), torch.Generator())
    check_shareable(method, 8, 1)
    with pytest.raises(UserError, match="bn"):
        check_shareable(method, 8, 2)


def test_every_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[object] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert local_device("cuda:1") == "cuda:1", "alone, any"
    assert chosen == ["cuda:1"], "its own is the one that what names none uses"
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert local_device("cpu") == "cpu"
    with pytest.raises(UserError, match="--device cuda"):
        local_device("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="sees 1 GPU.*--nproc-per-node 1"):
        local_device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "first")
    with pytest.raises(UserError, match="LOCAL_RANK is 'first'"):
        local_device("cuda")


def test_gpus_wait_for_each_other_for_minutes_and_processes_for_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[tuple[str, timedelta]] = []
    for name in ("init_process_group", "new_group"):
        monkeypatch.setattr(
            torch.distributed, name, lambda backend, timeout: called.append((backend, timeout))
        )
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
    with joined("cpu"):
        assert called == [("gloo", timedelta(days=1))]
    called.clear()
    with joined("cuda:1"):
        assert called == [("gloo", timedelta(days=1)), ("nccl", timedelta(minutes=10))]


def test_what_processes_ask_each_other_waits_for_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda x, group: asked.append(x))
    monkeypatch.setattr(
        torch.distributed, "all_gather", lambda found, x, group: [y.copy_(x) for y in found]
    )
    world = World(0, 2, "meta")  # as if its tensors were a GPU's, where values cannot be read
    assert world.any(True, False) == [True, False]
    assert world.texts("a") == ["a", "a"]
    assert len(asked) == 1, "several questions are one"


def said(log: Path, count: int = 2) -> list[list[str]]:
    return [Path(f"{log}.{number}").read_text().splitlines() for number in range(count)]


def test_wrong_arguments_are_one_line_in_all(data: Path, tmp_path: Path) -> None:
    words = train_words("munit", tmp_path / "run", data, batch=3)
    codes = processes.finish(processes.start(2, tmp_path / "log", processes.train, words))
    assert codes == [2, 2]
    (line,), others = said(tmp_path / "log")
    assert line.startswith("error: batch=3") and "2 processes" in line and others == []
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_refused_once(data: Path, tmp_path: Path) -> None:
    words = train_words("munit", tmp_path / "run", data)
    assert main(words) == 0
    codes = processes.finish(processes.start(2, tmp_path / "log", processes.train, words))
    assert codes == [2, 2]
    (line,), others = said(tmp_path / "log")
    assert "--resume" in line and others == []


# As a program


def test_a_run_of_two_processes_is_that_of_one(data: Path, tmp_path: Path) -> None:
    """In float32, with the pictures that each reads for itself: halves of BicycleGAN's halves."""
    settings = {"batch": 4, "steps": 4, "lr": 1e-5}
    words = train_words("bicyclegan", tmp_path / "two", data, **settings)
    codes = processes.finish(processes.start(2, tmp_path / "log", processes.train, words))
    assert codes == [0, 0]
    last = tmp_path / "two" / "last.safetensors"
    assert said(tmp_path / "log") == [[str(last)], []]
    assert main(train_words("bicyclegan", tmp_path / "one", data, **settings)) == 0
    ours, theirs = tensors(last), tensors(tmp_path / "one" / "last.safetensors")
    assert ours.keys() == theirs.keys()
    moments = [k for k in theirs if k.endswith("exp_avg")]
    largest = max(theirs[k].abs().max() for k in moments)
    assert max((ours[k] - theirs[k]).abs().max() for k in moments) < 1e-4 * largest
    names = [p.name for p in (tmp_path / "two").iterdir()]
    assert sorted(names) == sorted(p.name for p in (tmp_path / "one").iterdir())
    assert len(list((tmp_path / "two" / "tensorboard").iterdir())) == 1
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2


@pytest.mark.parametrize("number", [0, 1])
def test_a_signal_to_one_process_stops_all_after_the_same_step(
    number: int, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = train_words("munit", out, data, steps=99999)
    started = processes.start(2, tmp_path / "log", processes.train, words)
    until(lambda: (out / "progress.json").exists(), 60)
    for _ in range(2):  # launchers and batch systems pass on what a process was sent already
        os.kill(int(str(started[number].pid)), signal.SIGTERM)
    assert processes.finish(started) == [130, 130]
    (line,), others = said(tmp_path / "log")
    assert others == []
    step = read_checkpoint(out / "last.safetensors").step
    assert line.startswith(f"saved after step {step};")


def test_an_interrupted_run_goes_on_to_the_same_bits(data: Path, tmp_path: Path) -> None:
    def run(out: Path, *more: str) -> list[int]:
        words = train_words("cyclegan", out, data, *more, batch=4, steps=8)
        return processes.finish(processes.start(2, tmp_path / "log", processes.train, words))

    assert run(tmp_path / "whole", "--save-every", "5") == [0, 0]
    shutil.copytree(tmp_path / "whole", tmp_path / "half")
    os.replace(tmp_path / "half" / "good.safetensors", tmp_path / "half" / "last.safetensors")
    assert read_checkpoint(tmp_path / "half" / "last.safetensors").step == 5
    assert run(tmp_path / "half", "--resume") == [0, 0]
    assert_same_tensors(
        tmp_path / "half" / "last.safetensors", tmp_path / "whole" / "last.safetensors"
    )
    assert run(tmp_path / "half", "--resume") == [0, 0], "it is finished, all agree"


def test_no_number_in_one_process_stops_all(data: Path, tmp_path: Path) -> None:
    words = train_words("munit", tmp_path / "run", data, batch=4, steps=60, lr="1e30")
    codes = processes.finish(processes.start(2, tmp_path / "log", processes.train, words))
    assert codes == [1, 1]
    (line,), others = said(tmp_path / "log")
    assert "is nan" in line or "is inf" in line
    assert others == []
    assert tensors(tmp_path / "run" / "failed.safetensors")["x_a"].shape == (4, 3, 32, 32)


def test_a_process_that_dies_ends_the_others(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = train_words("munit", out, data, "--save-every", "1", steps=99999)
    started = processes.start(2, tmp_path / "log", processes.train, words)
    until(lambda: (out / "last.safetensors").exists(), 60)
    started[1].kill()
    assert processes.finish(started) == [2, -signal.SIGKILL]
    (line,), others = said(tmp_path / "log")
    assert "another process" in line and "--resume" in line and others == []
    assert read_checkpoint(out / "last.safetensors").step > 0


def test_a_picture_that_one_process_cannot_read_is_named(data: Path, tmp_path: Path) -> None:
    assert main(train_words("munit", tmp_path / "first", data)) == 0  # draws the pictures
    ours = tmp_path / "data"
    shutil.copytree(data, ours)
    words = train_words("munit", tmp_path / "run", ours, steps=99999)
    started = processes.start(2, tmp_path / "log", processes.train, words)
    until(lambda: (tmp_path / "run" / "progress.json").exists(), 60)
    for path in ours.rglob("trainA/*.png"):
        path.write_bytes(b"no picture")
    assert processes.finish(started) == [2, 2]
    (line,), others = said(tmp_path / "log")
    assert line.startswith("error: ") and "trainA" in line and others == []


def test_torchrun(data: Path, tmp_path: Path) -> None:
    """The documented command, stopped as a scheduler stops it, and gone on with."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
        "-m", "reproduce",
    ]  # fmt: skip
    out = tmp_path / "run"
    words = train_words("munit", out, data, steps=99999, lr_policy="constant")
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=log, stderr=log,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
    )  # fmt: skip
    until(lambda: (out / "progress.json").exists(), 120)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)
    text = (tmp_path / "log").read_text()
    step = read_checkpoint(out / "last.safetensors").step
    assert text.count(f"saved after step {step};") == 1
    more = train_words("munit", out, data, "--resume", steps=step + 1, lr_policy="constant")
    assert main(more) == 0, "one process goes on with what two began"
    assert read_checkpoint(out / "last.safetensors").step == step + 1
