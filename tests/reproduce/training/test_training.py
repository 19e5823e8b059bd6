"""The training loop as a program: killed, interrupted, resumed, out of space, out of numbers."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
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

from models.choices import ALL, ways_of
from models.errors import UserError
from reproduce.commands.cli import main
from reproduce.experiments.preset import load_preset
from reproduce.training import loop
from reproduce.training.checkpoints import load_method, read_checkpoint, save_training
from reproduce.training.loop import Interrupted, Logging
from reproduce.training.session import train

ROOT = Path(__file__).resolve().parents[3]
METHODS = ("munit", "cyclegan")


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob("*") if p.name.startswith(".") and p.name != ".lock"]


def tiny_run(method="munit", **settings):
    pairs = dict(p.split("=") for p in tiny.SETTINGS[method].split())
    pairs |= {"train": "20", "test": "8", "batch": "2"} | {k: str(v) for k, v in settings.items()}
    return load_preset("quick").make_run(method, "drawn-shoes", 0, pairs)


# Killed


@pytest.mark.parametrize("method", METHODS)
def test_ten_kills_leave_no_trace_in_the_weights(method, data, tmp_path):
    steps = 36
    assert main(train_words(method, tmp_path / "whole", data, steps=steps)) == 0
    draws, killed, log = random.Random(method), 0, tmp_path / "log"
    out = tmp_path / "killed"
    while killed < 10:
        often = draws.choice(("1", "2", "3", "7"))
        process = tiny.start(
            train_words(method, out, data, "--resume", "--save-every", often, steps=steps), log
        )
        time.sleep(draws.uniform(0.05, 0.3))
        process.kill()
        killed += tiny.finish(process) == -signal.SIGKILL
        if (out / "last.safetensors").exists():
            assert read_checkpoint(out / "last.safetensors").step < steps, "it was too fast to kill"
    assert main(train_words(method, out, data, "--resume", steps=steps)) == 0
    assert_same_tensors(out / "last.safetensors", tmp_path / "whole" / "last.safetensors")
    names = set(tiny.tensors(out / "last.safetensors"))
    assert any(n.startswith("optimiser.generator.0.exp_avg_sq") for n in names)
    assert any(n.startswith("pool.x_ab") for n in names) == (method == "cyclegan")
    assert leftovers(out) == []


def test_a_kill_at_every_system_call_of_saving_is_survived(data, tmp_path):
    def words(out, *more):
        often = ("--save-every", "1")
        return train_words("munit", out, data, *often, *more, steps=2)

    assert main(words(tmp_path / "whole")) == 0
    ended, call = 0, 0
    while not ended:
        call += 1
        out = tmp_path / f"at{call}"
        code = tiny.finish(tiny.start(words(out), tmp_path / "log", kill_at=call))
        ended = code == 0
        found = [p for p in (out / "last.safetensors", out / "good.safetensors") if p.exists()]
        for path in found:
            read_checkpoint(path)
        assert (out / "last.safetensors").exists() or not found, "the last checkpoint went away"
        assert main(words(out, "--resume")) == 0
        assert_same_tensors(out / "last.safetensors", tmp_path / "whole" / "last.safetensors")
        assert leftovers(out) == []
    assert call > 10, "the kills missed the saving"


@pytest.mark.parametrize("method", METHODS)
def test_weights_do_not_depend_on_how_often_one_looks(method, data, tmp_path):
    for name, often, grids in (("seldom", "99", "0"), ("often", "1", "9")):
        looks = ("--save-every", often, "--grids", grids)
        assert main(train_words(method, tmp_path / name, data, *looks, steps=12)) == 0
    assert_same_tensors(
        tmp_path / "seldom" / "last.safetensors", tmp_path / "often" / "last.safetensors"
    )


def test_a_batch_norm_learns_nothing_from_samples(data, tmp_path):
    for name, grids in (("seldom", "0"), ("often", "3")):
        looks = ("--grids", grids)
        words = train_words("cyclegan", tmp_path / name, data, *looks, norm="bn", steps=12)
        assert main(words) == 0
    last = tiny.tensors(tmp_path / "often" / "last.safetensors")
    assert any("running_mean" in name for name in last)
    assert_same_tensors(
        tmp_path / "seldom" / "last.safetensors", tmp_path / "often" / "last.safetensors"
    )
    counted = [int(t) for name, t in last.items() if name.endswith("num_batches_tracked")]
    assert {c % 12 for c in counted} == {0}, "12 steps, each a whole number of passes"


# Interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(number, data, tmp_path):
    out, log = tmp_path / "a run's folder", tmp_path / "log"
    process = tiny.start(train_words("munit", out, data, steps=24), log)
    tiny.until(lambda: (out / "progress.json").exists())
    os.kill(process.pid, number)
    assert tiny.finish(process) == 130
    (line,) = log.read_text().splitlines()
    assert line.startswith("saved after step ")
    step = read_checkpoint(out / "last.safetensors").step
    assert f"saved after step {step};" in line and step < 24
    python, *words = shlex.split(line.split("to go on: ")[1])
    assert [python, *words[:2]] == ["python", "-m", "reproduce"]
    assert main(words[2:]) == 0
    assert main(train_words("munit", tmp_path / "whole", data, steps=24)) == 0
    assert_same_tensors(out / "last.safetensors", tmp_path / "whole" / "last.safetensors")


def test_a_second_signal_stops_at_once(data, tmp_path):
    out, log = tmp_path / "run", tmp_path / "log"
    process = tiny.start(train_words("munit", out, data, steps=9999), log)
    tiny.until(lambda: (out / "progress.json").exists())
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    assert tiny.finish(process, 10) == 130
    (line,) = log.read_text().splitlines()
    assert line.startswith("stopped at once") and line.endswith("--resume")
    assert leftovers(out) == []


def test_a_real_command_is_interrupted_and_resumed_by_its_own_words(data, tmp_path):
    """The one test that goes through the shell's command and its exit codes."""
    command = [sys.executable, "-m", "reproduce"]
    words = train_words("munit", tmp_path / "run", data, steps=400)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    tiny.until(lambda: (tmp_path / "run" / "progress.json").exists(), 60)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in error and len(error.splitlines()) == 1
    assert shlex.join([*words, "--resume"]) in error


# Numbers that are none


def test_many_updates_in_a_row_that_are_not_taken_stop_a_run(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loop, "MANY", 3)
    assert main(train_words("munit", tmp_path / "run", data, steps=9, lr="1e30")) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    failed = tmp_path / "run" / "failed.safetensors"
    with safe_open(failed, "pt") as file:
        metadata = file.metadata()
        assert file.get_tensor("x_a").shape == file.get_tensor("x_b").shape == (2, 3, 32, 32)
    assert metadata["why"] in error and "3 updates of the generators in a row" in error
    assert f"of the last in step {int(metadata['step']) + 1} loss term" in error
    method, checkpoint = load_method(failed)
    assert str(checkpoint.step) == metadata["step"]
    name = next(iter(dict(method.named_parameters())))
    assert torch.equal(dict(method.named_parameters())[name], checkpoint.tensors[f"model.{name}"])


def test_updates_that_are_not_taken_are_told_with_their_pictures(tmp_path, capsys):
    folder, out = tiny.data_set(tmp_path / "two colours"), tmp_path / "run"
    tiny.white(folder / "trainA" / "2.png")
    words = train_words("munit", out, tmp_path, task=str(folder), batch=1, steps=8, n_res=3)
    assert main(words) == 0
    lines = [json.loads(line) for line in (out / "untaken.jsonl").read_text().splitlines()]
    assert [line["pictures"]["a"] for line in lines] == [["2"], ["2"]]  # in two epochs of four
    assert {line["phase"] for line in lines} == {"generator"}
    assert all(line["why"].startswith("the gradient's length is ") for line in lines)
    progress = json.loads((out / "progress.json").read_text())
    assert progress["untaken"] == json.loads((out / "run.json").read_text())["untaken"] == 2
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("note: 2 of 16 updates were not taken, most often with 2 of A (2 times)")


def test_what_was_not_taken_is_remembered_by_a_resumed_run(tmp_path):
    folder, kinds = (
        tiny.data_set(tmp_path / "data"),
        {"batch": 1, "n_res": 3, "lr_policy": "constant"},
    )
    tiny.white(folder / "trainA" / "2.png")

    def told(out: str, *steps: int) -> str:
        path = tmp_path / out / "untaken.jsonl"
        for count in steps:
            words = train_words("munit", path.parent, tmp_path, task=str(folder), **kinds)
            words = [w.replace("steps=3", f"steps={count}") for w in words]
            assert main([*words, "--resume"]) == 0
            found = path.read_text()
            # A kill leaves lines of steps that come again, and half of one.
            path.write_text(found + '{"step": 6, "pictures": {}}\n{"step": 8, "pic')
        return found

    assert told("parts", 5, 8) == told("whole", 8)


def test_a_refusal_leaves_no_new_folder(data, tmp_path, capsys):
    words = train_words("munit", tmp_path / "new" / "runs" / "mine", data, task=str(tmp_path))
    assert main(words) == 2
    assert "holds no data set" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_never_saved_as_good(data, tmp_path, capsys):
    out = tmp_path / "run"
    words = train_words("munit", out, data, "--save-every", "1", steps=1, lr="1e39", gan=0)
    assert main(words) == 1
    assert "is not finite" in capsys.readouterr().err
    assert (out / "failed.safetensors").exists()
    assert not (out / "last.safetensors").exists()


# TensorBoard


def scalars(folder: Path) -> EventAccumulator:
    events = EventAccumulator(
        str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0}
    )
    events.Reload()
    return events


def test_tensorboard_holds_losses_and_samples(data, tmp_path):
    out = tmp_path / "run"
    assert main(train_words("munit", out, data, "--grids", "2", steps=20)) == 0
    events = scalars(out)
    tags = events.Tags()
    assert tags["images"] == ["samples"]
    losses = {"gan_a", "gan_b", "recon_x_a", "recon_c_b", "recon_s_a", "dis_a", "dis_b"}
    assert {f"loss/{name}" for name in losses | {"total_G", "total_D"}} <= set(tags["scalars"])
    assert [e.step for e in events.Scalars("loss/gan_a")] == [10, 20]
    assert [e.step for e in events.Images("samples")] == [10, 20]
    rates = [e.value for e in events.Scalars("learning_rate")]  # falls to zero in the second half
    assert rates == pytest.approx([1e-3, 1e-3 / 11])
    assert all(e.value > 0 for e in events.Scalars("pictures_per_second"))
    progress = json.loads((out / "progress.json").read_text())
    assert progress["learning_rate"] == pytest.approx(1e-3 / 11) and progress["step"] == 20
    assert progress["pictures_per_second"] > 0
    recon = events.Scalars("loss/recon_x_a")[-1].value
    assert 0.05 < recon < 2
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
    train(tiny_run(steps=7), tmp_path / "run", data_dir=data, logging=logging)
    assert saved == [2, 4, 6, 7]


def test_the_newest_checkpoints_are_kept_on_request(data, tmp_path):
    words = train_words("munit", tmp_path / "run", data, "--save-every=2", "--keep=2", steps=7)
    assert main(words) == 0
    kept = sorted((tmp_path / "run").glob("step*.safetensors"))
    assert [read_checkpoint(path).step for path in kept] == [6, 7]
    assert [path.stem for path in kept] == ["step00000006", "step00000007"]


def test_resuming_purges_what_the_lost_steps_logged(data, tmp_path):
    out, run = tmp_path / "run", tiny_run(steps=30)
    logging = Logging(save_every=5, log_every=1, grids=0, progress=False)

    def two_signals() -> None:
        tiny.until(lambda: (out / "progress.json").exists() and step() >= 12)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    def step() -> int:
        return json.loads((out / "progress.json").read_text())["step"]

    thread = threading.Thread(target=two_signals)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        train(run, out, data_dir=data, logging=logging)
    thread.join()
    saved = read_checkpoint(out / "last.safetensors").step
    assert step() >= saved >= 10
    train(run, out, data_dir=data, logging=logging, resume=True)
    steps = [e.step for e in scalars(out).Scalars("loss/gan_a")]
    assert steps == list(range(1, 31))


# Folders that hold something already


@pytest.fixture
def begun(data, tmp_path):
    """A run of 8 steps with checkpoints of steps 3 (good) and 6 (last)."""
    out = tmp_path / "begun"
    log = tmp_path / "log"
    words = train_words("munit", out, data, "--save-every", "3", steps=8)
    # Its renames: 3 as last; 3 as good, 6 as last; 6 as good.
    stop = tiny.finish(tiny.start(words, log, kill_at=4, calls=("replace",)))
    assert stop == -signal.SIGKILL
    assert read_checkpoint(out / "last.safetensors").step == 6
    assert read_checkpoint(out / "good.safetensors").step == 3
    return out


def resume(out, data, *more, **settings):
    return main(train_words("munit", out, data, "--resume", *more, **({"steps": 8} | settings)))


def test_a_damaged_last_checkpoint_falls_back_to_the_good_one(begun, data, tmp_path, capsys):
    whole = (begun / "last.safetensors").read_bytes()
    (begun / "last.safetensors").write_bytes(whole[: len(whole) // 2])
    assert resume(begun, data) == 0
    error = capsys.readouterr().err
    assert "last.safetensors" in error and "going on from" in error and error.count("\n") == 1
    assert (begun / "damaged.safetensors").read_bytes() == whole[: len(whole) // 2]
    assert main(train_words("munit", tmp_path / "whole", data, steps=8)) == 0
    assert_same_tensors(begun / "last.safetensors", tmp_path / "whole" / "last.safetensors")


def test_a_damaged_checkpoint_never_takes_the_good_ones_place(begun, data):
    (begun / "last.safetensors").write_bytes(b"rubbish")
    log = begun.parent / "log"
    words = train_words("munit", begun, data, "--resume", "--save-every", "1", steps=8)
    for call in range(1, 12):
        tiny.finish(tiny.start(words, log, kill_at=call))
        good = read_checkpoint(begun / "good.safetensors")
        assert good.step >= 3


def test_two_damaged_checkpoints_are_refused(begun, data, capsys):
    for name in ("last", "good"):
        (begun / f"{name}.safetensors").write_bytes(b"rubbish")
    assert resume(begun, data) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "last.safetensors" in error and "remove the folder" in error


def test_other_settings_are_refused_by_name(begun, data, capsys):
    before = (begun / "last.safetensors").read_bytes()
    for settings, words in (
        ({"dim": 8}, "dim=8 (there: 4)"),
        ({"size": 64}, "size=64 (there: 32)"),
        ({"lr": 0.1}, "lr=0.1"),
    ):
        assert resume(begun, data, **settings) == 2
        assert words in capsys.readouterr().err
    assert main(train_words("munit-wo-x", begun, data, "--resume", steps=8)) == 2
    assert "method=munit-wo-x (there: munit)" in capsys.readouterr().err
    assert main(train_words("cyclegan", begun, data, "--resume", steps=8)) == 2
    assert "holds another run" in capsys.readouterr().err
    assert (begun / "last.safetensors").read_bytes() == before


def test_a_run_is_not_overwritten_without_resume(begun, data, capsys):
    before = {p: p.read_bytes() for p in begun.iterdir() if p.is_file()}
    assert main(train_words("munit", begun, data, steps=8)) == 2
    assert "--resume" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in begun.iterdir() if p.is_file()} == before


def test_resuming_a_finished_run_changes_nothing(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(train_words("munit", out, data)) == 0
    before = (out / "last.safetensors").read_bytes()
    capsys.readouterr()
    assert main(train_words("munit", out, data, "--resume")) == 0
    assert capsys.readouterr().out.strip() == str(out / "last.safetensors")
    assert (out / "last.safetensors").read_bytes() == before


def test_other_pictures_are_refused(data, tmp_path, capsys):
    folder = tiny.data_set(tmp_path / "pictures")
    out = tmp_path / "run"
    words = train_words("munit", out, data, task=str(folder), steps=4)
    assert main(words) == 0
    last = out / "last.safetensors"
    with safe_open(last, "pt") as file:
        assert len(file.metadata()["data"]) == 64
    # As if it had been stopped at step 2 of 4: the same run, with more to do.
    half = tmp_path / "half"
    logging = Logging(save_every=2, progress=False, tensorboard=False)
    run = replace(read_checkpoint(last).run, steps=500)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(Interrupted):
        train(run, half, data_dir=data, logging=logging)
    tiny.picture(folder / "trainB" / "0.png", (1, 2, 3))
    with pytest.raises(UserError, match=r"are not those that this run began with: restore them"):
        train(run, half, data_dir=data, logging=logging, resume=True)


def test_two_runs_do_not_share_a_folder(data, tmp_path, capsys):
    out = tmp_path / "run"
    first = tiny.start(train_words("munit", out, data, steps=5000), tmp_path / "log")
    tiny.until(lambda: (out / "run.json").exists())
    assert main(train_words("munit", out, data, "--resume", steps=5000)) == 2
    error = capsys.readouterr().err
    assert "another run is at work" in error and error.count("\n") == 1
    first.kill()
    tiny.finish(first)
    with FileLock(out / ".lock", timeout=0):
        pass  # the killed process holds nothing any more


# A full disk


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of some KiB."""
    mounted = []

    def mount(kib: int) -> Path:
        place = tmp_path / f"disk{kib}"
        place.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("needs root, to mount a small disk")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.parametrize("kib", [4, 40, 200, "half a checkpoint", "one checkpoint"])
def test_a_full_disk_leaves_whole_files(kib, small_disk, trained, data, tmp_path, capfd):
    checkpoint = trained("munit").stat().st_size // 1024
    capfd.readouterr()
    room = {"half a checkpoint": checkpoint // 2, "one checkpoint": checkpoint + 350}
    out = small_disk(room.get(kib, kib)) / "run"
    words = train_words("munit", out, data, "--save-every", "2", steps=40)
    assert main(words) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1, error
    assert "pace" in error  # the disk's
    assert leftovers(out) == [] if out.exists() else True
    for path in out.glob("*.safetensors"):
        read_checkpoint(path)
    assert (out / "last.safetensors").exists() == (kib == "one checkpoint")


def test_a_limit_on_file_sizes_leaves_the_last_checkpoint(begun, data, capsys):
    resource = pytest.importorskip("resource")
    before = {p.name: p.read_bytes() for p in begun.glob("*.safetensors")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limits[1]))
    try:
        assert resume(begun, data) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot write" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in begun.glob("*.safetensors")} == before
    assert leftovers(begun) == []


# Others


def test_mixed_precision_trains_and_resumes_exactly(data, tmp_path):
    settings = {"precision": "bf16", "steps": 4}
    assert main(train_words("cyclegan", tmp_path / "whole", data, **settings)) == 0
    log = tmp_path / "log"
    words = train_words("cyclegan", tmp_path / "cut", data, "--save-every", "1", **settings)
    process = tiny.start(words, log, kill_at=5, calls=("replace",))
    assert tiny.finish(process) == -signal.SIGKILL
    assert read_checkpoint(tmp_path / "cut" / "last.safetensors").step == 2
    assert main([*words, "--resume"]) == 0
    assert_same_tensors(
        tmp_path / "cut" / "last.safetensors", tmp_path / "whole" / "last.safetensors"
    )


def test_ways_to_be_fast_are_chosen_and_told(data, tmp_path, capsys):
    weights = {}
    for ways in ("all", "plain", "batching, norms"):
        folder = tmp_path / ways
        assert main(train_words("munit", folder, data, "--ways", ways, steps=3)) == 0
        weights[ways] = load_file(folder / "last.safetensors")
        told = json.loads((folder / "run.json").read_text())
        assert told["ways"] == (sorted(ALL) if ways == "all" else ways_of(ways))
    # Adam makes steps of lr of gradients that are nothing but rounding (biases before a norm).
    reach = 3 * tiny_run().method_config.lr
    for name, value in weights["all"].items():
        if name.startswith("model."):
            torch.testing.assert_close(weights["plain"][name], value, rtol=0, atol=reach, msg=name)
    assert any(not torch.equal(weights["plain"][n], v) for n, v in weights["all"].items())
    capsys.readouterr()
    assert main(train_words("munit", tmp_path / "none", data, "--ways", "kernals")) == 2
    assert "did you mean kernels?" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_processes_that_prepare_pictures_change_no_weight(data, tmp_path):
    for name, more in (("threads", ()), ("processes", ("--workers", "1"))):
        assert main(train_words("munit", tmp_path / name, data, *more, steps=3)) == 0
    assert_same_tensors(
        tmp_path / "threads" / "last.safetensors", tmp_path / "processes" / "last.safetensors"
    )


def test_a_run_can_be_lengthened_where_the_schedule_allows_it(data, tmp_path, capsys):
    whole, begun = tmp_path / "whole", tmp_path / "begun"
    constant = {"lr_policy": "constant"}
    assert main(train_words("munit", whole, data, steps=5, **constant)) == 0
    assert main(train_words("munit", begun, data, steps=3, **constant)) == 0
    assert main(train_words("munit", begun, data, "--resume", steps=5, **constant)) == 0
    assert_same_tensors(begun / "last.safetensors", whole / "last.safetensors")


def test_steps_are_added_to_a_finished_run_at_a_rate_that_is_told(data, tmp_path, capsys):
    out = tmp_path / "linear"
    assert main(train_words("munit", out, data, steps=3)) == 0
    before = (out / "last.safetensors").read_bytes()
    assert main(train_words("munit", out, data, "--resume", steps=5)) == 2
    error = capsys.readouterr().err
    assert "fell to zero in its 3 steps" in error and "--set lr_policy=constant" in error
    assert (out / "last.safetensors").read_bytes() == before
    more = {"lr_policy": "constant", "lr": 0.5}
    assert main(train_words("munit", out, data, "--resume", steps=5, **more)) == 0
    assert "2 steps are added to the 3" in capsys.readouterr().err
    read = read_checkpoint(out / "last.safetensors")
    assert (read.step, read.run.steps, read.run.settings["lr"]) == (5, 5, 0.5)
    # Other settings are another run, finished or not.
    assert main(train_words("munit", out, data, "--resume", steps=9, recon_x=2, **more)) == 2
    assert "recon_x=2.0 (there: 10.0)" in capsys.readouterr().err


def test_a_run_whose_rate_falls_is_not_lengthened_half_way(begun, data, capsys):
    assert resume(begun, data, steps=9) == 2
    assert "steps=9 (there: 8)" in capsys.readouterr().err
