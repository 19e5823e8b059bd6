"""Several processes compute what one computes, and end together."""

import json
import os
import shutil
import signal
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import processes
import pytest
import tiny
import tiny_methods
import torch
import torch.distributed
from reading import refusal
from safetensors.torch import load_file, save_file
from tiny import assert_same_tensors, train_words, until
from tiny_methods import TINY, draws, pictures
from torch import Tensor

from models.errors import UserError
from reproduce.experiments.run import RunConfig, make_run
from reproduce.training.checkpoints import (
    new_method,
    read_checkpoint,
    restore_training,
    save_training,
)
from reproduce.training.distributed import World, joined, local_device
from reproduce.training.shared import check_shareable, make_trainer, positions
from reproduce.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[3]
ALONE = World()
STEPS, HALF, BATCH = 4, 2, 8
# What couples the pictures of a batch, or is told to each of them.
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "unit": ("unit", {}),
    "bicyclegan": ("bicyclegan", {}),
    "bicyclegan-one-scale": (
        "bicyclegan",
        {"dis_scales": 1, "conditional": True, "dropout": True, "same_discriminator": True},
    ),
    "cyclegan-short-history": ("cyclegan", {"pool": 3, "identity": 0.0}),
    "munit-cycle": ("munit", {"cycle": 10.0, "weight_decay": 1e-2, "dis_norm": "ln"}),
}
EVERY_CASE = pytest.mark.parametrize("case", CASES)


def run_of(case: str) -> RunConfig:
    method, settings = CASES[case]
    values = TINY[method] | settings | {"size": 16, "batch": BATCH, "steps": STEPS}
    return make_run(method, "drawn-shoes", values, {})


def fresh(case: str, world: World) -> Trainer:
    """A trainer whose weights are far from the first ones."""
    run = run_of(case)
    method = new_method(run).double()
    generator = draws(1)
    with torch.no_grad():
        for p in method.parameters():
            p.add_(torch.randn(p.shape, generator=generator).double() * 0.2)
    return make_trainer(method, 3, STEPS, world, "float32")


def go(trainer: Trainer, world: World, first: int, last: int) -> list[dict[str, float]]:
    """Steps ``first`` to ``last`` (exclusive) of this process's share."""
    own = positions(trainer.method, BATCH, world)
    records = []
    for step in range(first, last):
        x_a, x_b = (pictures(BATCH, seed=2 * step + i).double()[own] for i in (0, 1))
        records.append(trainer.step(x_a, x_b, step))
    return records


def weights(trainer: Trainer) -> dict[str, Tensor]:
    """All weights, and the histories."""
    found = {k: v.clone() for k, v in trainer.method.state_dict().items()}
    return found | {f"pool.{k}": p.state for k, p in trainer.pools.items() if p.state is not None}


def shared(folder: Path) -> None:
    """In each of several processes: every case from its beginning, and from one process's half."""
    torch.set_num_threads(1)
    with joined("cpu") as world:
        for case in CASES:
            trainer = fresh(case, world)
            records = go(trainer, world, 0, HALF)
            if world.rank == 0:
                save_training(
                    folder / f"{case}.half{world.size}", trainer, run_of(case), HALF, "data"
                )
            records += go(trainer, world, HALF, STEPS)
            save_file(weights(trainer), folder / f"{case}.{world.rank}")
            (folder / f"{case}.{world.rank}.json").write_text(json.dumps(records))
            resumed = fresh(case, world)
            restore_training(read_checkpoint(folder / f"{case}.half1"), resumed)
            go(resumed, world, HALF, STEPS)
            save_file(weights(resumed), folder / f"{case}.resumed{world.rank}")


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
    started = processes.start(2, one / "log", shared, one)
    codes = processes.finish(started)
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
    assert_same_tensors(two / f"{case}.0", two / f"{case}.1")
    first = {k: v for k, v in weights(fresh(case, ALONE)).items() if "pool" not in k}
    moved = [k for k, v in first.items() if (alone(two, case)[k] - v).abs().max() > 1e-4]
    assert len(moved) > len(first) / 2, "nothing was trained"


@EVERY_CASE
def test_losses_are_those_of_the_whole_batch(case: str, two: Path) -> None:
    wanted = json.loads((two / f"{case}.one.json").read_text())
    for number in (0, 1):
        found = json.loads((two / f"{case}.{number}.json").read_text())
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@EVERY_CASE
def test_a_checkpoint_is_gone_on_with_by_any_number(case: str, two: Path) -> None:
    assert_near(load_file(two / f"{case}.resumed0"), alone(two, case))
    trainer = fresh(case, ALONE)
    restore_training(read_checkpoint(two / f"{case}.half2"), trainer)
    go(trainer, ALONE, HALF, STEPS)
    assert_near(weights(trainer), alone(two, case))


def test_shares_are_equal_and_cover_the_batch() -> None:
    for case, count in (("unit", 4), ("bicyclegan", 2), ("bicyclegan", 4)):
        method = fresh(case, ALONE).method
        own = [positions(method, BATCH, World(rank, count)) for rank in range(count)]
        assert sorted(i for share in own for i in share) == list(range(BATCH))
        assert {len(share) for share in own} == {BATCH // count}
    assert positions(method, BATCH, World(1, 4)) == [1, 5], "one of either half"


@pytest.mark.parametrize(
    ("name", "settings", "batch", "count", "told"),
    [
        ("munit", {}, 6, 4, ["batch=6", "4 processes", "--set batch=8"]),
        ("bicyclegan", {}, 6, 2, ["batch=6", "2 processes", "halves", "--set batch=8"]),
        ("cyclegan", {"norm": "bn"}, 8, 2, ["bn"]),
    ],
)
def test_what_cannot_be_shared(name, settings, batch, count, told):
    method = tiny_methods.fresh(name, **settings)
    check_shareable(method, batch, 1)
    line = refusal(check_shareable, method, batch, count)
    assert all(word in line for word in told)


def test_every_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[object] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert local_device("cuda:1") == "cuda:1", "alone, any"
    assert chosen == ["cuda:1"], "its own is the one that what names none uses"
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert local_device("cpu") == "cpu"
    assert "--device cuda" in refusal(local_device, "cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="sees 1 GPU.*--nproc-per-node 1"):
        local_device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "first")
    assert "LOCAL_RANK is 'first'" in refusal(local_device, "cuda")


def test_gpus_wait_for_each_other_for_minutes_and_processes_for_a_day(monkeypatch):
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


def begun(log: Path, words: list[str], until_there: Path) -> list[ForkServerProcess]:
    """Two processes with these words, when a file of theirs is there."""
    started = processes.start(2, log, processes.train, words)
    until(until_there.exists, 300)
    return started


def ended(log: Path, started: list[ForkServerProcess]) -> tuple[list[int], list[str]]:
    """The exit codes of two processes, and what the first said, who speaks for both."""
    codes = processes.finish(started)
    first, other = (Path(f"{log}.{number}").read_text().splitlines() for number in range(2))
    assert other == []
    return codes, first


def trained(log: Path, words: list[str]) -> tuple[list[int], list[str]]:
    """The same of a training with these words."""
    return ended(log, processes.start(2, log, processes.train, words))


def test_wrong_arguments_and_a_folder_that_holds_a_run_are_refused_once(data, tmp_path, by_two):
    other = tmp_path / "run"
    for out, batch, told in ((other, 3, "batch=3"), (by_two, 2, "--resume")):
        words = train_words("munit", out, data, batch=batch)
        codes, (line,) = trained(tmp_path / told, words)
        assert codes == [2, 2] and line.startswith("error: ") and told in line
    assert not other.exists()


SHARED = {"batch": 4, "steps": 4, "lr": 1e-5}


@pytest.fixture(scope="module")
def by_two(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes, halves of BicycleGAN's halves."""
    folder = tmp_path_factory.mktemp("two") / "run"
    words = train_words("bicyclegan", folder, data, "--save-every=3", "--grids=0", **SHARED)
    told = trained(folder.parent / "log", words)
    assert told == ([0, 0], [str(folder / "last.safetensors")])
    return folder


def test_a_run_of_two_processes_is_that_of_one(by_two: Path, data: Path, tmp_path: Path) -> None:
    words = ("--save-every=3", "--grids=0")
    alone = tiny.train("bicyclegan", tmp_path / "one", data, *words, **SHARED)
    ours, theirs = load_file(by_two / "last.safetensors"), load_file(alone)
    assert ours.keys() == theirs.keys()
    moments = [k for k in theirs if k.endswith("exp_avg")]
    largest = max(theirs[k].abs().max() for k in moments)
    assert max((ours[k] - theirs[k]).abs().max() for k in moments) < 1e-4 * largest
    names = [p.name for p in by_two.iterdir()]
    assert sorted(names) == sorted(p.name for p in (tmp_path / "one").iterdir())
    assert len(list((by_two / "tensorboard").iterdir())) == 1
    assert json.loads((by_two / "run.json").read_text())["processes"] == 2


def test_an_interrupted_run_goes_on_to_the_same_bits(by_two, data, tmp_path):
    half = Path(shutil.copytree(by_two, tmp_path / "half"))
    os.replace(half / "good.safetensors", half / "last.safetensors")
    assert read_checkpoint(half / "last.safetensors").step == 3
    words = train_words("bicyclegan", half, data, "--resume", "--grids=0", **SHARED)
    assert trained(tmp_path / "log", words)[0] == [0, 0]
    assert_same_tensors(half / "last.safetensors", by_two / "last.safetensors")
    assert trained(tmp_path / "log", words)[0] == [0, 0], "it is finished, all agree"


def test_a_signal_to_one_process_stops_all_after_the_same_step(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = train_words("munit", out, data, steps=99999)
    started = begun(tmp_path / "log", words, out / "progress.json")
    for _ in range(2):  # launchers and batch systems pass on what a process was sent already
        os.kill(int(str(started[1].pid)), signal.SIGTERM)
    codes, (line,) = ended(tmp_path / "log", started)
    step = read_checkpoint(out / "last.safetensors").step
    assert codes == [130, 130] and line.startswith(f"saved after step {step};")


def test_no_number_in_one_process_stops_all(data: Path, tmp_path: Path) -> None:
    words = train_words("munit", tmp_path / "run", data, batch=4, steps=60, lr="1e30")
    started = processes.start(2, tmp_path / "log", processes.train, words, 3)
    codes, (line,) = ended(tmp_path / "log", started)
    assert codes == [1, 1] and ("is nan" in line or "is inf" in line)
    assert load_file(tmp_path / "run" / "failed.safetensors")["x_a"].shape == (4, 3, 32, 32)


def test_a_process_that_dies_ends_the_others(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = train_words("munit", out, data, "--save-every", "1", steps=99999)
    started = begun(tmp_path / "log", words, out / "last.safetensors")
    started[1].kill()
    codes, (line,) = ended(tmp_path / "log", started)
    assert codes == [2, -signal.SIGKILL] and "another process" in line and "--resume" in line
    assert read_checkpoint(out / "last.safetensors").step > 0


def test_a_picture_that_one_process_cannot_read_is_named(tmp_path):
    words = train_words("munit", tmp_path / "run", tmp_path / "data", steps=99999)
    started = begun(tmp_path / "log", words, tmp_path / "run" / "progress.json")
    for path in tmp_path.rglob("trainA/*.png"):
        path.write_bytes(b"no picture")
    codes, (line,) = ended(tmp_path / "log", started)
    assert codes == [2, 2] and line.startswith("error: ") and "trainA" in line


def torchrun(words: list[str], log: Path) -> None:
    from torch.distributed.run import main

    os.setsid()
    os.chdir(ROOT)
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ["OMP_NUM_THREADS"] = "1"
    main(["--standalone", "--nproc-per-node=2", "-m", "reproduce", *words])


def test_torchrun(data: Path, tmp_path: Path) -> None:
    """The documented command, stopped as a scheduler stops it, and gone on with."""
    out, log = tmp_path / "run", tmp_path / "log"
    words = train_words("munit", out, data, steps=99999, lr_policy="constant")
    process = tiny.forked(torchrun, words, log)
    until((out / "progress.json").exists, 300)
    os.killpg(int(str(process.pid)), signal.SIGTERM)
    tiny.finish(process, 300)
    step = read_checkpoint(out / "last.safetensors").step
    assert log.read_text().count(f"saved after step {step};") == 1
    # One process goes on with what two began.
    tiny.train("munit", out, data, "--resume", steps=step + 1, lr_policy="constant")
    assert read_checkpoint(out / "last.safetensors").step == step + 1
