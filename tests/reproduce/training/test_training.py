"""The training loop as a program: killed, interrupted, resumed, out of space, out of numbers."""

import io
import itertools
import json
import os
import shlex
import shutil
import signal
import threading
import time
from functools import cache, partial
from pathlib import Path

import pytest
import tiny
import torch
from filelock import FileLock
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import assert_same_tensors, train_words

from models.choices import ALL
from reproduce.commands.cli import main
from reproduce.training import loop
from reproduce.training.checkpoints import (
    load_method,
    read_checkpoint,
    remove_parts,
    save_training,
    write_atomic,
)
from reproduce.training.loop import Logging
from reproduce.training.session import train


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob("*") if p.name.startswith(".") and p.name != ".lock"]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A function: the last checkpoint of a training that nothing interrupts."""

    @cache
    def get(method="munit", **settings):
        return tiny.train(method, tmp_path_factory.mktemp("whole"), data, "--grids=0", **settings)

    return get


def test_kills_leave_no_trace_in_the_weights(whole, data, tmp_path):
    settings = {"steps": 8, "precision": "bf16"}
    out = tmp_path / "killed"
    last = out / "last.safetensors"
    for every, call in ((2, 12), (1, 13)):  # both while a checkpoint takes another one's place
        often = ("--resume", "--grids=0", f"--save-every={every}")
        words = train_words("cyclegan", out, data, *often, **settings)
        process = tiny.start(words, tmp_path / "log", kill_at=call)
        assert tiny.finish(process) == -signal.SIGKILL
    assert 0 < read_checkpoint(last).step < 8
    tiny.train("cyclegan", out, data, "--resume", "--grids=0", **settings)
    assert_same_tensors(last, whole("cyclegan", **settings))
    assert leftovers(out) == []


def save_twice(folder: Path, kill_at: int) -> None:
    tiny.kill_self_at(kill_at)
    for number in (1, 2):
        tensors = {"a": torch.full((3,), number)}
        write_atomic(folder / "last.safetensors", tensors, {}, keep=folder / "good.safetensors")


def test_a_kill_at_every_system_call_of_saving_is_survived(tmp_path):
    code, call, seen = 1, 0, set()
    while code:
        call += 1
        folder = tmp_path / f"at{call}"
        folder.mkdir()
        code = tiny.finish(tiny.forked(save_twice, folder, call))
        paths = [folder / f"{name}.safetensors" for name in ("last", "good")]
        seen.add(tuple(int(load_file(p)["a"].sum()) // 3 if p.exists() else 0 for p in paths))
        remove_parts(folder)
        assert leftovers(folder) == []
    assert seen == {(0, 0), (1, 0), (1, 1), (2, 1)}, "whole, and the last never goes away"


def test_weights_do_not_depend_on_what_happens_beside_the_steps(data, tmp_path):
    """A batch norm would learn from samples, and processes might prepare other pictures."""
    seldom, often = (
        tiny.train("cyclegan", tmp_path / name, data, *more, steps=12, norm="bn")
        for name, more in (
            ("seldom", ["--grids=0"]), ("often", ["--grids=9", "--save-every=1", "--workers=1"])
        )
    )  # fmt: skip
    assert_same_tensors(seldom, often)
    counted = [int(t) for name, t in tiny.tensors(often).items() if "batches_tracked" in name]
    assert {c % 12 for c in counted} == {0}, "12 steps, each a whole number of passes"


def test_a_signal_saves_and_says_how_to_go_on(whole, data, tmp_path):
    out, log = tmp_path / "a run's folder", tmp_path / "log"
    given = train_words("munit", out, data, "--resume", "--grids=0", steps=24)
    process = tiny.start(given, log)
    tiny.until(lambda: (out / "progress.json").exists(), 120)
    os.kill(process.pid, signal.SIGINT)
    assert tiny.finish(process) == 130
    (line,) = log.read_text().splitlines()
    step = read_checkpoint(out / "last.safetensors").step
    assert line.startswith(f"saved after step {step};") and step < 24
    words = shlex.split(line.split("resume with: ")[1])
    assert words[:3] == ["python", "-m", "reproduce"] and words.count("--resume") == 1
    told = out / "progress.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"seconds": 7200}))
    assert main(words[3:]) == 0
    assert_same_tensors(out / "last.safetensors", whole(steps=24))
    assert 7200 < json.loads(told.read_text())["seconds"] < 7800, "of both calls"


def test_a_second_signal_stops_at_once_and_the_lost_steps_are_logged_again(
    data, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(loop, "Logging", partial(Logging, log_every=1))
    out = tmp_path / "run"
    words = train_words("munit", out, data, "--save-every=5", "--grids=0", steps=16)

    def step() -> int:
        return json.loads((out / "progress.json").read_text())["step"]

    def two_signals() -> None:
        tiny.until(lambda: (out / "progress.json").exists() and step() >= 7, 120)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=two_signals)
    thread.start()
    assert main(words) == 130
    thread.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped at once") and line.endswith("--resume")
    assert leftovers(out) == []
    assert step() >= read_checkpoint(out / "last.safetensors").step >= 5
    assert main([*words, "--resume"]) == 0
    assert [e.step for e in scalars(out).Scalars("loss/gan_a")] == list(range(1, 17))


def test_many_updates_in_a_row_that_are_not_taken_stop_a_run(data, tmp_path, said, monkeypatch):
    monkeypatch.setattr(loop, "MANY", 3)
    error = said(train_words("munit", tmp_path / "run", data, steps=9, lr="1e30"), 1).err
    assert error.count("\n") == 1 and "Traceback" not in error
    failed = tmp_path / "run" / "failed.safetensors"
    with safe_open(failed, "pt") as file:
        metadata = file.metadata()
        assert file.get_tensor("x_a").shape == file.get_tensor("x_b").shape == (2, 3, 32, 32)
    assert metadata["why"] in error and "3 updates of the generators in a row" in error
    assert f"of the last in step {int(metadata['step']) + 1} loss term" in error
    method, checkpoint = load_method(failed)
    assert str(checkpoint.step) == metadata["step"]
    name, weight = next(method.named_parameters())
    assert torch.equal(weight, checkpoint.tensors[f"model.{name}"])


def test_updates_that_are_not_taken_are_told_with_their_pictures_and_remembered(tmp_path, capsys):
    folder = tiny.data_set(tmp_path / "two colours")
    tiny.white(folder / "trainA" / "2.png")

    def told(out: Path, *steps: int) -> str:
        path = out / "untaken.jsonl"
        for count in steps:
            tiny.train("munit", out, tmp_path, "--resume", task=str(folder), batch=1, n_res=3,
                       lr_policy="constant", steps=count)  # fmt: skip
            found = path.read_text()
            # A kill leaves lines of steps that come again, and half of one.
            path.write_text(found + '{"step": 6, "pictures": {}}\n{"step": 8, "pic')
        return found

    out = tmp_path / "whole"
    whole = told(out, 8)
    lines = [json.loads(line) for line in whole.splitlines()]
    assert [line["pictures"]["a"] for line in lines] == [["2"], ["2"]]  # in two epochs of four
    assert {line["phase"] for line in lines} == {"generator"}
    assert all(line["why"].startswith("the gradient's length is ") for line in lines)
    progress = [json.loads((out / name).read_text()) for name in ("progress.json", "run.json")]
    assert [one["untaken"] for one in progress] == [2, 2]
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("note: 2 of 16 updates were not taken, most often with 2 of A (2 times)")
    assert told(tmp_path / "parts", 5, 8) == whole


def test_a_refusal_leaves_no_new_folder(data, tmp_path, refused):
    words = train_words("munit", tmp_path / "new" / "runs" / "mine", data, task=str(tmp_path))
    before = sorted(data.iterdir())
    assert "holds no data set in a known layout" in refused(words)
    assert list(tmp_path.iterdir()) == [] and sorted(data.iterdir()) == before


def test_weights_that_are_not_finite_are_never_saved_as_good(data, tmp_path, said):
    out = tmp_path / "run"
    words = train_words("munit", out, data, "--save-every", "1", steps=1, lr="1e39", gan=0)
    assert "is not finite" in said(words, 1).err
    assert (out / "failed.safetensors").exists() and not (out / "last.safetensors").exists()


def scalars(folder: Path) -> EventAccumulator:
    whole = {"images": 0, "scalars": 0}
    return EventAccumulator(str(folder / "tensorboard"), size_guidance=whole).Reload()


def test_tensorboard_holds_losses_and_samples(data, tmp_path):
    out = tmp_path / "run"
    tiny.train("munit", out, data, "--grids", "2", steps=20)
    events = scalars(out)
    losses = {"gan_a", "gan_b", "recon_x_a", "recon_c_b", "recon_s_a", "dis_a", "dis_b"}
    told = set(events.Tags()["scalars"])
    assert {f"loss/{name}" for name in losses | {"total_G", "total_D"}} <= told
    assert [e.step for e in events.Scalars("loss/gan_a")] == [10, 20]
    assert [e.step for e in events.Images("samples")] == [10, 20]
    rates = [e.value for e in events.Scalars("learning_rate")]  # falls to zero in the second half
    assert rates == pytest.approx([1e-3, 1e-3 / 11])
    assert all(e.value > 0 for e in events.Scalars("pictures_per_second"))
    progress = json.loads((out / "progress.json").read_text())
    assert progress["learning_rate"] == pytest.approx(1e-3 / 11) and progress["step"] == 20
    assert progress["pictures_per_second"] > 0
    assert 0.05 < events.Scalars("loss/recon_x_a")[-1].value < 2
    grid = Image.open(io.BytesIO(events.Images("samples")[-1].encoded_image_string))
    assert grid.size == (4 * 33 + 1, 2 * 8 * 33 + 1)  # 8 inputs in both directions
    assert Image.open(out / "samples.png").size == grid.size


def test_grids_are_few_and_farther_and_farther_apart():
    steps = sorted(Logging().grid_steps(1_000_000))
    assert len(steps) == 20 and steps[0] == 10 and steps[-1] == 1_000_000
    factors = [b / a for a, b in itertools.pairwise(steps)]
    assert max(factors) - min(factors) < 0.2
    assert Logging().grid_steps(3) == {3} and not Logging(grids=0).grid_steps(99)


def test_checkpoints_are_a_matter_of_time(tmp_path, data, monkeypatch):
    seconds, saved, prepared = [0.0], [], loop._next

    def a_minute_a_step(parts):
        seconds[0] += 60
        return prepared(parts)

    def noted(path, trainer, run, step, *more, **how):
        saved.append(step)
        save_training(path, trainer, run, step, *more, **how)

    monkeypatch.setattr(loop, "_next", a_minute_a_step)
    monkeypatch.setattr(loop, "save_training", noted)
    monkeypatch.setattr(time, "perf_counter", lambda: seconds[0])
    logging = Logging(save_minutes=2, tensorboard=False, progress=False)
    train(tiny.run_of(steps=7), tmp_path / "run", data_dir=data, logging=logging)
    assert saved == [2, 4, 6, 7]


def test_the_newest_checkpoints_are_kept_on_request(data, tmp_path):
    tiny.train("munit", tmp_path / "run", data, "--save-every=2", "--keep=2", steps=7)
    kept = sorted((tmp_path / "run").glob("step*.safetensors"))
    assert [path.stem for path in kept] == ["step00000006", "step00000007"]
    assert [read_checkpoint(path).step for path in kept] == [6, 7]


@pytest.fixture(scope="module")
def killed(data, tmp_path_factory):
    """A run of 8 steps with checkpoints of steps 3 (good) and 6 (last)."""
    out = tmp_path_factory.mktemp("killed") / "begun"
    words = train_words("munit", out, data, "--save-every", "3", steps=8)
    # Its renames: 3 as last; 3 as good, 6 as last; 6 as good.
    stop = tiny.finish(tiny.start(words, out.parent / "log", kill_at=4, calls=("replace",)))
    assert stop == -signal.SIGKILL
    assert [read_checkpoint(out / f"{n}.safetensors").step for n in ("good", "last")] == [3, 6]
    return out


@pytest.fixture
def begun(killed, tmp_path):
    return Path(shutil.copytree(killed, tmp_path / "begun"))


def resume_words(out, data, **settings):
    return train_words("munit", out, data, "--resume", **({"steps": 8} | settings))


def test_a_damaged_last_checkpoint_falls_back_to_the_good_one(begun, whole, data, said):
    last = begun / "last.safetensors"
    damaged = last.read_bytes()[: last.stat().st_size // 2]
    last.write_bytes(damaged)
    error = said(resume_words(begun, data)).err
    assert str(last) in error and "going on from" in error and error.count("\n") == 1
    assert (begun / "damaged.safetensors").read_bytes() == damaged
    assert_same_tensors(last, whole(steps=8))


def test_a_damaged_checkpoint_never_takes_the_good_ones_place(begun, data, tmp_path):
    (begun / "last.safetensors").write_bytes(b"rubbish")
    words = train_words("munit", begun, data, "--resume", "--save-every", "1", steps=8)
    # Killed when a next checkpoint has been written.
    tiny.finish(tiny.start(words, tmp_path / "log", kill_at=3, calls=("replace", "link")))
    assert read_checkpoint(begun / "good.safetensors").step >= 3


def test_two_damaged_checkpoints_are_refused(begun, data, refused):
    for name in ("last", "good"):
        (begun / f"{name}.safetensors").write_bytes(b"rubbish")
    error = refused(resume_words(begun, data))
    assert "last.safetensors" in error and "remove the folder" in error


@pytest.mark.parametrize(
    ("method", "more", "settings", "told"),
    [
        ("munit", (), {}, "--resume"),
        ("munit", ("--resume",), {"dim": 8}, "dim=8 (there: 4)"),
        ("munit", ("--resume",), {"steps": 9}, "steps=9 (there: 8)"),  # its rate falls with them
        ("munit-wo-x", ("--resume",), {}, "method=munit-wo-x (there: munit)"),
    ],
)
def test_another_run_is_refused_by_name(method, more, settings, told, killed, data, refused):
    before = {p: p.read_bytes() for p in killed.iterdir() if p.is_file()}
    assert told in refused(train_words(method, killed, data, *more, **{"steps": 8} | settings))
    assert {p: p.read_bytes() for p in killed.iterdir() if p.is_file()} == before


def test_resuming_a_finished_run_changes_nothing(trained, data, said):
    last = trained("munit")
    before = last.read_bytes()
    assert said(train_words("munit", last.parent, data, "--resume")).out == f"{last}\n"
    assert last.read_bytes() == before


def test_two_runs_do_not_share_a_folder(data, tmp_path, refused):
    out = tmp_path / "run"
    first = tiny.start(train_words("munit", out, data, steps=5000), tmp_path / "log")
    tiny.until(lambda: (out / "run.json").exists(), 120)
    assert "another run is at work" in refused(resume_words(out, data, steps=5000))
    first.kill()
    tiny.finish(first)
    with FileLock(out / ".lock", timeout=0):
        pass  # the killed process holds nothing any more


@pytest.mark.parametrize("room", [0.01, 0.5, 1.5])
def test_a_full_disk_leaves_whole_files(room, small_disk, trained, data, refused):
    """``room``: of checkpoints."""
    checkpoint = trained("munit").stat().st_size
    out = small_disk(int(checkpoint * room / 1024)) / "run"
    error = refused(train_words("munit", out, data, "--save-every", "2", steps=40))
    assert "pace" in error  # the disk's
    assert leftovers(out) == []
    for path in out.glob("*.safetensors"):
        read_checkpoint(path)
    assert (out / "last.safetensors").exists() == (room > 1)


def test_ways_to_be_fast_are_chosen_and_told(data, tmp_path):
    weights = []
    for ways, named in (("all", sorted(ALL)), ("plain", [])):
        last = tiny.train("munit", tmp_path / ways, data, "--grids=0", "--ways", ways)
        weights.append(tiny.tensors(last))
        assert json.loads(last.with_name("run.json").read_text())["ways"] == named
    fast, plain = weights
    assert any(not torch.equal(plain[n], v) for n, v in fast.items())


def test_a_run_can_be_lengthened_where_the_schedule_allows_it(whole, data, tmp_path):
    constant = {"lr_policy": "constant"}
    tiny.train("munit", tmp_path / "begun", data, **constant)
    begun = tiny.train("munit", tmp_path / "begun", data, "--resume", steps=5, **constant)
    assert_same_tensors(begun, whole(steps=5, **constant))


def test_steps_are_added_to_a_finished_run_at_a_rate_that_is_told(data, tmp_path, said, refused):
    out = tmp_path / "linear"
    last = tiny.train("munit", out, data)
    before = last.read_bytes()
    error = refused(resume_words(out, data, steps=5))
    assert "fell to zero in its 3 steps" in error and "--set lr_policy=constant" in error
    assert last.read_bytes() == before
    more = {"lr_policy": "constant", "lr": 0.5}
    assert "2 steps are added to the 3" in said(resume_words(out, data, steps=5, **more)).err
    read = read_checkpoint(last)
    assert (read.step, read.run.steps, read.run.settings["lr"]) == (5, 5, 0.5)
    # Other settings are another run, finished or not.
    error = refused(resume_words(out, data, steps=9, recon_x=2, **more))
    assert "recon_x=2.0 (there: 10.0)" in error
