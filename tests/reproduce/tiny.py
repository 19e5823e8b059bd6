"""The smallest runs that exercise everything, in this process or in processes to be killed."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file

from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.training import session
from reproduce.training.loop import Logging

SETTINGS = {
    "munit": "dim=4 dis_dim=4 dis_layers=3 dis_scales=2 dis_pad=reflect mlp_dim=8 n_downsample=2 "
    "n_res=1",
    "unit": "dim=4 dis_dim=4 n_downsample=2 n_res=1",
    "cyclegan": "dim=4 dis_dim=4 n_blocks=1 pool=5",
    "cyclegan-noise": "dim=4 dis_dim=4 pool=5",
    "bicyclegan": "dim=4 dis_dim=4 enc_dim=4",
}


# Of a preset whose methods learn nothing.
NETWORKS = """
methods:
  munit: {dim: 4, n_res: 1, mlp_dim: 8, dis_dim: 4, dis_layers: 3, dis_scales: 1}
  unit: {dim: 4, n_downsample: 1, n_res: 1, dis_dim: 4, dis_layers: 3}
  cyclegan: {dim: 4, n_blocks: 1, dis_dim: 4, dis_layers: 2, depth: 5}
  bicyclegan: {dim: 4, depth: 5, enc_dim: 4, enc_blocks: 2, dis_dim: 4, dis_layers: 2}
"""
# A record of nothing.
FACTS = {
    "metric": "m", "value": 1.0, "protocol": {}, "preset": "quick", "task": "t", "method": "munit",
    "seed": 0,
}  # fmt: skip


def places(root: Path) -> list[str]:
    """Where pictures, runs and results are, for a command line."""
    return [f"--{name}={root / name}" for name in ("data", "runs", "results")]


def places_of(root: Path) -> Places:
    """The same for a function."""
    return Places(root / "data", root / "runs", root / "results", progress=False)


def train_words(
    method: str, out: Path, data: Path, *more: str, task: str = "drawn-shoes", **settings: object
) -> list[str]:
    """The command line of a tiny training; ``settings`` go to --set, ``more`` to its end."""
    return [
        "train", method, "--task", task, "--preset", "quick", "--out", str(out),
        "--data", str(data), "--threads", "1", "--no-progress",
        *(f"--set={key}={value}" for key, value in _merged(method, task, settings).items()), *more,
    ]  # fmt: skip


def train(
    method: str, out: Path, data: Path, *more: str, task: str = "drawn-shoes", **settings: object
) -> Path:
    """The last checkpoint of such a training, which ends well."""
    assert main(train_words(method, out, data, *more, task=task, **settings)) == 0
    return out / "last.safetensors"


def run_of(method: str = "munit", task: str = "drawn-shoes", **settings: object) -> RunConfig:
    """What ``train_words`` trains."""
    return load_preset("quick").make_run(method, task, 0, _merged(method, task, settings))


def _merged(method: str, task: str, settings: Mapping[str, object]) -> dict[str, object]:
    own = method if method in SETTINGS else method.split("-")[0]
    merged: dict[str, object] = dict(pair.split("=") for pair in SETTINGS[own].split())
    merged |= {"batch": 2, "steps": 3} | ({"train": 20, "test": 8} if "drawn" in task else {})
    return merged | dict(settings)


def train_in_place(preset: Preset, run: RunConfig, places: Places, **logging: Any) -> Path:
    """The last checkpoint of a training where those of the preset are."""
    folder = run_folder(places.runs, preset.name, run)
    quiet = Logging(**{"tensorboard": False, "progress": False} | logging)
    return session.train(run, folder, data_dir=places.data, logging=quiet)


def translate_words(checkpoint: Path, inputs: Path, out: Path, *more: object) -> list[str]:
    words = ["translate", checkpoint, inputs, "--out", out, "--no-progress", *more]
    return [str(word) for word in words]


def translate(checkpoint: Path, inputs: Path, out: Path, *more: object) -> Path:
    """The folder of a translation that ends well."""
    assert main(translate_words(checkpoint, inputs, out, *more)) == 0
    return out


def instead(words: list[str], option: str, *values: str) -> list[str]:
    """``words`` with these ``values`` of an option, whatever they say of it, --set but added."""
    at = words.index(option) if option in words and option != "--set" else len(words)
    return [*words[:at], *words[at + 2 :], option, *values]


def last(words: list[str]) -> list[str]:
    """Each ``--name=value`` once, as given last; --set and --source add up."""
    named = {word.partition("=")[0]: i for i, word in enumerate(words) if "=" in word}
    return [
        word for i, word in enumerate(words)
        if word.startswith(("--set=", "--source=")) or named.get(word.partition("=")[0], i) == i
    ]  # fmt: skip


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path)


def assert_same_tensors(path: Path, other: Path) -> None:
    """Bit by bit, whatever the names; NaN would equal NaN."""
    one, two = load_file(path), load_file(other)
    assert one.keys() == two.keys()
    different = [k for k in one if one[k].dtype != two[k].dtype or _bytes(one[k]) != _bytes(two[k])]
    assert not different, different[:5]


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def picture(path: Path, colour: tuple[int, int, int] = (200, 30, 30), size: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize((size, size)).convert("RGB").save(path)
    image = Image.open(path).convert("RGB")
    image.paste(colour, (size // 4, size // 4, size // 2, size // 2))
    image.save(path)
    return path


def white(path: Path, size: int = 40) -> None:
    Image.new("RGB", (size, size), "white").save(path)


def data_set(folder: Path, count: int = 4, suffix: str = ".png") -> Path:
    """trainA trainB testA testB of ``count`` pictures each."""
    for number, split in enumerate(("trainA", "trainB", "testA", "testB")):
        for i in range(count):
            picture(folder / split / f"{i}{suffix}", (60 * number, 50 * i, 90))
    return folder


PRELOAD = [
    "reproduce.commands.train", "reproduce.training.session", "reproduce.training.vgg",
    "torch.distributed", "torch._dynamo",
]  # fmt: skip
CALLS = ("replace", "link", "fsync", "chmod", "mkdir", "rmdir", "unlink")


def start(
    words: list[str], log: Path, kill_at: int = 0, calls: tuple[str, ...] = CALLS
) -> ForkServerProcess:
    """``python -m reproduce`` with ``words`` as a process of its own, in a fraction of the time.

    Its output is in ``log``. ``kill_at``: it kills itself, with SIGKILL, just before this one
    (from 1) of the system ``calls`` that checkpoints are written with.
    """
    return forked(_program, words, str(log), kill_at, calls)


def forked(target: Callable[..., object], *arguments: object) -> ForkServerProcess:
    """A process at once: what a training imports is there."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def finish(process: ForkServerProcess, seconds: float = 60) -> int:
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError("the program did not end")
    return process.exitcode


def _program(words: list[str], log: str, kill_at: int, calls: tuple[str, ...]) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    kill_self_at(kill_at, calls)
    sys.exit(main(words))


def kill_self_at(count: int, names: tuple[str, ...] = CALLS) -> None:
    """With SIGKILL, just before call number ``count`` of these; 0: never."""
    calls, fsync = 0, os.fsync

    def deadly(call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            nonlocal calls
            if call is fsync or any(".safetensors" in str(a) for a in args):
                calls += 1
                if calls == count:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapped

    for name in names:
        setattr(os, name, deadly(getattr(os, name)))


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
