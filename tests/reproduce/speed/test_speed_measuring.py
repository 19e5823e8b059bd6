"""Streams, diversity beside the lpips package, IS and CIS, and waiting, as small as they come."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from speed_case import MUNIT, about
from tape import Gpu
from tiny_methods import TINY
from torch import Tensor

from benchmarks.metrics.diversity import diversity
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from models.choices import ALL
from models.errors import UserError
from reproduce.speed import drawn, measuring, stepping, translating
from reproduce.speed.measuring import (
    by_package,
    noise_pictures,
    package,
    time_diversity,
    time_modes,
)
from reproduce.speed.stepping import step_memory, time_step, time_waiting, warm_steps
from reproduce.speed.translating import time_translation


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (drawn, "TRAIN", 6), (drawn, "TEST", 4), (translating, "ROUNDS", 2), (measuring, "CHUNK", 3),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def told(folder: Path, **changes: Any) -> dict[str, Any]:
    return about(data=str(folder), task="drawn-shoes", size=32, **changes)


@pytest.mark.parametrize("version", ["paper", "consecutive-v0.1"])
def test_the_package_sees_the_same_pairs(version: str) -> None:
    protocol = get_protocol(version, 2, 4)
    weights = trained(protocol.version)
    pictures = noise_pictures(32, 4, [0, 1])
    ours = diversity(pictures, LpipsDistance(weights), protocol, 3)
    theirs = by_package(pictures, package(weights), protocol, 3)
    np.testing.assert_allclose(ours.distances, theirs, rtol=0, atol=1e-6)
    assert theirs.shape == (2, len(protocol.pairs())) and theirs.min() > 0.01


def test_diversity_is_timed_beside_it() -> None:
    ticks: list[int] = []
    settings = about(size=32, batch=8, protocol_name="consecutive", inputs=4)
    found = time_diversity(settings, lambda: ticks.append(1))
    assert found["pairs"] == 4 * 19 and found["furthest"] < 1e-6 and len(ticks) == 2
    assert found["ratio"]["n"] == 2 and found["above_bytes"] >= 0
    whole = noise_pictures(32, 20, range(4))
    expected = diversity(whole, LpipsDistance(trained("0.0")), get_protocol("consecutive", 4))
    assert found["mean"] == pytest.approx(expected.value, abs=1e-6)


def test_scores_are_of_as_many_translations_as_asked_for(tmp_path: Path) -> None:
    settings = told(tmp_path, inputs=2, samples=20)
    ticks: list[int] = []
    found = time_modes(settings, lambda: ticks.append(1))
    assert [p["pictures"] for p in found["points"]] == [2 * 2, 2 * 20] and len(ticks) == 4
    assert found["seconds"] == found["points"][-1]["seconds"] > 0
    assert 0 <= found["cis"] <= found["is"] < np.log(4) + 1e-9


def test_a_stream_is_timed_as_it_grows(tmp_path: Path) -> None:
    ticks: list[int] = []
    settings = told(tmp_path, batch=2, counts=[3, 10])
    found = time_translation(settings, lambda: ticks.append(1))
    assert [p["pictures"] for p in found["points"]] == [3, 10]
    assert 0 < found["points"][0]["seconds"] < found["points"][1]["seconds"]
    assert len(ticks) == 2 * 2 + 2 + 2 and found["ratio"]["n"] == 2
    assert found["first"]["pictures_per_s"]["median"] > 0


@pytest.mark.parametrize(("method", "workers"), [("bicyclegan", 0), ("munit", 1)])
def test_waiting_is_a_share_of_a_training(method: str, workers: int, tmp_path: Path) -> None:
    settings = MUNIT if method == "munit" else TINY[method] | {"channels_a": 1}
    ticks: list[int] = []
    chosen = told(tmp_path, method=method, settings=settings, batch=2, steps=3, workers=workers)
    found = time_waiting(chosen, lambda: ticks.append(1))
    assert len(ticks) == 3 * (warm_steps("cpu") + 3)
    for way in ("resident", "ahead", "at_once"):
        assert 0 <= found[way]["waited_s"] < found[way]["total_s"]
        assert found[way]["share"] == found[way]["waited_s"] / found[way]["total_s"]
    assert found["resident"]["share"] < 0.5, "nothing is waited for"
    assert found["at_once"]["waited_s"] > 0 and found["share"] == found["ahead"]["share"]


@pytest.mark.parametrize("kind", ["step", "memory", "data"])
def test_a_gpus_steps_are_given_noise_that_was_drawn_ahead(kind, tmp_path, monkeypatch):
    drawing: list[str] = []
    monkeypatch.setattr(
        Tensor, "pin_memory", lambda x: drawing.append(threading.current_thread().name) or x
    )
    for absent in (
        "synchronize", "set_device", "init", "memory_reserved", "max_memory_reserved",
        "max_memory_allocated", "reset_peak_memory_stats",
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, absent, lambda *device: 0)
    monkeypatch.setattr(stepping, "measure_machine", lambda *given: {})
    chosen = told(tmp_path, method="unit", settings=TINY["unit"], batch=2, workers=0,
                  device=Gpu("cpu"), ways=sorted(ALL - {"graphs"}))  # fmt: skip
    work = {"step": time_step, "memory": step_memory, "data": time_waiting}[kind]
    work(chosen, lambda: None)
    assert any(name.startswith("noise") for name in drawing)
    assert not [t for t in threading.enumerate() if t.name.startswith("noise")]


def test_pairs_are_needed_by_who_needs_pairs(tmp_path: Path) -> None:
    chosen = told(tmp_path, method="bicyclegan", settings={"dim": 2}, batch=2, workers=0)
    chosen["task"] = "drawn-housecats-dogs"
    with pytest.raises(UserError, match="drawn-shoes"):
        time_waiting(chosen, lambda: None)


def test_networks_are_those_of_the_settings(tmp_path: Path) -> None:
    network = drawn.network_of(told(tmp_path), [])
    assert network.fast == frozenset() and network.config.dim == 2
    known = drawn.told("munit", {**MUNIT, "lr": 0.5, "style_dim": 8})
    assert known["width"] == 2 and "lr" not in known["settings"]
    assert "style_dim" not in known["settings"] and known["settings"]["mlp_dim"] == 4
    assert torch.is_grad_enabled()
