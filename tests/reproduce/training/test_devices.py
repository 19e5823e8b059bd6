"""Devices that are there, or are not, and what a GPU is told of in records."""

from functools import cache

import pytest
import tiny
import torch
from tiny_methods import fresh

from benchmarks.devices import check_device
from models.errors import UserError
from reproduce.records.environment import environment
from reproduce.training.distributed import World
from reproduce.training.shared import make_trainer
from reproduce.training.trainer import Trainer


def test_who_has_an_old_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError(
            "The NVIDIA driver on your system is too old (found version 11040). Please update it"
        )

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "init", fail)
    with pytest.raises(UserError, match=r"sees no GPU.*\(.*too old \(found version 11040\)\): use"):
        check_device("cuda")


def test_apples_gpus_are_taken_in_float32_without_graphs(data, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(torch.backends.mps, "is_available", cache(lambda: True))
    assert check_device("mps") == "mps"
    trainer = make_trainer(fresh("munit"), 0, 9, World(device="mps"), "float32")
    assert type(trainer) is Trainer
    words = tiny.train_words("munit", tmp_path / "run", data, "--device=mps", precision="bf16")
    assert "use float32" in refused(words) and not (tmp_path / "run").exists()


def test_records_of_a_gpu_name_what_decides_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    told = environment("cuda:0")
    gpu = told["gpu"]
    assert told["device"] == "H100" and isinstance(gpu, dict)
    assert set(gpu) == {"driver", "cuda", "cudnn", "tf32", "deterministic"}
    assert gpu["tf32"]["convolutions"] is torch.backends.cudnn.allow_tf32
    assert "gpu" not in environment("cpu")
