"""Counts, alternation, statistics and memory of steps."""

import json
import mmap
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from speed_case import about
from tiny_methods import SIZE, TINY
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.choices import ALL, PLAIN
from models.zoo import make_config
from reproduce.speed import counting
from reproduce.speed.counting import count_step
from reproduce.speed.machine import (
    best,
    forget_peak,
    held,
    measure_machine,
    peak,
    peaks,
    ratios,
    spread,
    timed,
)
from reproduce.speed.stepping import alternately, step_memory, stepper, training


def test_a_convolution_has_the_flop_of_its_formula() -> None:
    n, c_in, c_out, kernel, side = 3, 5, 7, 3, 16
    with torch.device("meta"):
        layer, x = nn.Conv2d(c_in, c_out, kernel, padding=1), torch.empty(n, c_in, side, side)
    x.requires_grad_()
    with counting._Tally() as tally:
        layer(x)
    forward = 2 * n * c_out * side * side * c_in * kernel * kernel
    numbers = x.numel() + sum(p.numel() for p in layer.parameters()) + n * c_out * side * side
    assert (tally.flop, tally.bytes, tally.calls) == (forward, 4 * numbers, 1)
    with counting._Tally() as tally:
        x.view(-1)[1:].unsqueeze(0)
    assert (tally.bytes, tally.calls) == (0, 0)  # nothing is moved
    with counting._Tally() as tally:
        layer(x).sum().backward()
    assert tally.flop == 3 * forward  # again for the gradients of pictures, and of weights


@pytest.mark.parametrize(
    ("name", "ways", "more"),
    [
        ("munit", ALL, {}), ("munit", PLAIN, {}), ("unit", ALL, {}), ("cyclegan-noise", ALL, {}),
        ("bicyclegan", ALL, {"channels_a": 1}),
    ],
)  # fmt: skip
def test_a_step_counts_what_a_real_one_does(name, ways, more):
    settings = TINY[name] | more
    config = make_config(name, settings)
    counts = count_step(name, config, SIZE, 2, ways)
    told = about(method=name, size=SIZE, batch=2, settings=settings)
    with training(told, sorted(ways), "float32") as trainer:
        real = stepper(told, trainer)
        with FlopCounterMode(display=False) as counted:
            real()
    assert counts["flop"] == counted.get_total_flops() > 0
    assert counts["calls"] > 100 and counts["bytes"] > 28 * counts["parameters"] > 0


def test_two_ways_take_turns() -> None:
    log: list[str] = []
    first, second = alternately(lambda: log.append("A"), lambda: log.append("B"), 3, "cpu", int)
    assert "".join(log) == "AB" * 3 and len(first) == len(second) == 3


def test_spread_and_ratios_are_those_of_their_definitions() -> None:
    found = spread([4.0, 1.0, 2.0, 3.0, 5.0])
    assert found == {"median": 3, "q1": 2, "q3": 4, "min": 1, "max": 5, "n": 5}
    # A machine that slows down threefold half-way: the ratio does not notice.
    slow = np.array([1, 1, 3, 3])
    assert ratios(list(0.2 * slow), list(0.4 * slow))["max"] == pytest.approx(0.5)
    pairs = ratios([1.0, 2.0, 6.0], [2.0, 2.0, 2.0])
    assert (pairs["min"], pairs["median"], pairs["max"]) == (0.5, 1.0, 3.0)


@pytest.mark.parametrize(
    ("device", "there", "calls"),
    [
        ("cuda:1", torch.cuda, [("cuda:1",), "work", ("cuda:1",)]),
        ("mps", torch.mps, [(), "work", ()]),
    ],
)
def test_work_has_ended_when_its_device_has_done_it(device, there, calls, monkeypatch):
    log: list[object] = []
    monkeypatch.setattr(there, "synchronize", lambda *given: log.append(given))
    timed(lambda: log.append("work"), device)
    assert log == calls


def test_the_machine_is_no_slower_than_anything_it_does() -> None:
    before = measure_machine("cpu", "float32")
    flop, moved, call = before.values()
    assert 1e8 < flop < 1e16 and 1e7 < moved < 1e14 and 1e-8 < call < 1e-2
    after = {"flop_per_s": 2 * flop, "bytes_per_s": moved / 2, "call_s": call / 2}
    assert best({"before": before, "after": after}) == after | {"bytes_per_s": moved}


def test_the_peak_shows_a_block_that_is_gone_again() -> None:
    before, size = held(), 256 * 2**20
    forget_peak()
    # Of the system, not of malloc: that may hand out pages which an earlier test left resident.
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        for _ in range(0, size, 2**20):
            block.write(bytes(2**20))
        assert held() - before > 0.9 * size
    assert 0.9 * size < peak() - before < 1.5 * size
    if Path("/proc/self/clear_refs").exists():
        forget_peak()
        assert peak() - before < 0.5 * size


def test_memory_on_a_gpu_is_that_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = {"memory_reserved": 5, "max_memory_reserved": 9, "reset_peak_memory_stats": None}
    for name, value in answers.items():
        told = lambda device, value=value: asked.append(device) or value  # noqa: E731
        monkeypatch.setattr(torch.cuda, name, told)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    gpu = "cuda:1"
    forget_peak(gpu)
    assert held(gpu) == 5 and peaks(5, gpu) == {"peak_bytes": 9, "above_bytes": 4}
    assert asked == [gpu] * 3


def write_memory(batch: int, path: str) -> None:
    found = step_memory(about(batch=batch, size=64), lambda: None)
    Path(path).write_text(json.dumps(found))


def test_memory_of_a_step_grows_with_its_pictures(tmp_path: Path) -> None:
    """In processes of their own: one that other tests ran in has memory to spare."""
    found = {}
    for batch in (1, 16):
        path = tmp_path / f"{batch}.json"
        assert tiny.finish(tiny.forked(write_memory, batch, str(path))) == 0
        found[batch] = json.loads(path.read_text())
    pictures = 2 * 16 * 3 * 64 * 64 * 4
    # What a step keeps for its gradients is many times its pictures.
    assert found[16]["above_bytes"] > found[1]["above_bytes"] + 10 * pictures
    assert found[16]["above_bytes"] == found[16]["peak_bytes"] - found[16]["base_bytes"] > 0
