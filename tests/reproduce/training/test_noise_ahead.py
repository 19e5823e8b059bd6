"""Noise that is drawn ahead is the noise that was."""

import threading

import pytest
import torch
from tape import Gpu
from tiny import assert_same_tensors
from tiny_methods import TINY, fresh
from torch import Tensor

from models.choices import ALL
from models.method import NoiseSpec, Phase
from reproduce.experiments.preset import load_preset
from reproduce.training.ahead import STEPS, NoiseAhead
from reproduce.training.loop import Logging
from reproduce.training.session import train

SHAPE = (2, 16, 16)


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What was pinned, for a GPU that is not there."""
    found: list[Tensor] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda x: found.append(x) or x)
    return found


def test_it_is_drawn_before_it_is_asked_for_by_other_threads(pinned: list[Tensor]) -> None:
    method, drawn = fresh("unit"), dict[int, str]()
    there = threading.Condition()

    def draw(phase: Phase, role: str, spec: NoiseSpec, n: int, step: int) -> Tensor:
        with there:
            drawn[step] = threading.current_thread().name
            there.notify_all()
        return torch.zeros(n, *spec.shape)

    with NoiseAhead(method, draw, SHAPE, "cpu") as noise, there:
        asked = method.training_noise("generator", 16, 16)["n_a"]
        there.release()
        noise("generator", "n_a", asked, 2, 7)
        there.acquire()
        assert there.wait_for(lambda: set(drawn) == set(range(7, 8 + STEPS)), timeout=10)
    assert all(name.startswith("noise") for name in drawn.values())
    assert not [t for t in threading.enumerate() if t.name.startswith("noise")]


def test_a_training_for_a_gpu_is_given_what_was_pinned(pinned, data, tmp_path, monkeypatch):
    chosen: list[object] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "none")
    settings = {"train": 20, "test": 8, "batch": 2, "steps": 3}
    run = load_preset("quick").make_run("unit", "drawn-shoes", 0, TINY["unit"] | settings)
    quiet = Logging(tensorboard=False, progress=False, grids=0)
    on_cpu, on_gpu = (
        train(run, tmp_path / name, data_dir=data, device=device, logging=quiet,
              ways=ALL - {"graphs"})
        for name, device in (("cpu", "cpu"), ("gpu", Gpu("cpu")))
    )  # fmt: skip
    assert_same_tensors(on_cpu, on_gpu)
    kinds = {x.dtype for x in pinned}
    assert {torch.uint8, torch.float32, torch.int64} <= kinds, "pictures, noise, dropout's seeds"
    assert chosen and {*map(str, chosen)} == {"cpu"}, "threads pin for their own GPU"
