"""Timing a training: a step two ways, alternately, the memory that one way takes, and waiting for pictures."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from models.errors import UserError
from models.randomness import generator
from models.zoo import make_config, recipe
from reproduce.speed.counting import count_step
from reproduce.speed.drawn import network_of, pictures_of
from reproduce.speed.machine import (
    above,
    forget_peak,
    held,
    measure_machine,
    peak,
    ratios,
    spread,
    timed,
)
from reproduce.tasks.batches import Batches
from reproduce.tasks.pictures import Preparation, from_bytes
from reproduce.training.ahead import NoiseAhead
from reproduce.training.distributed import World
from reproduce.training.graphed import TRIALS, WARMUP, GraphedTrainer
from reproduce.training.shared import make_trainer
from reproduce.training.trainer import Trainer
from reproduce.training.translate import shown_to

Tick = Callable[[], None]  # called after each piece of work that a progress bar shows

_WARM_SECONDS = 10.0  # where one step takes longer, one is warm-up enough


def warm_steps(device: str) -> int:
    """Steps after which a training holds what it will hold, and computes as it will: in the first
    one the optimiser's moments are not there yet, and a GPU records a step before it repeats it."""
    return 2 if device == "cpu" else WARMUP + TRIALS + 1


def time_step(about: Mapping[str, Any], tick: Tick) -> dict[str, Any]:
    """Seconds a step of the ways ``about["ways"]`` and of those it is compared with,
    ``about["against"]``: A B A B ... after a warm-up of both, on one batch of noise. ``graphs``:
    whether they were CUDA graphs (``repeats``)."""
    device, precision, other = about["device"], about["precision"], about["against"]
    before = measure_machine(device, precision)
    with (
        training(about, about["ways"], precision) as one,
        training(about, other["ways"], other["precision"]) as two,
    ):
        steppers = stepper(about, one), stepper(about, two)
        for step in steppers:
            begin = time.perf_counter()
            for _ in range(about["warmup"]):
                timed(step, device)
                if device == "cpu" and time.perf_counter() - begin > _WARM_SECONDS:
                    break
            tick()
        taken = alternately(*steppers, about["steps"], device, tick)
    network = about["method"], make_config(about["method"], about["settings"])
    shape = about["size"], about["batch"]
    first, second = (
        spread(s)
        | {"seconds": s, "counts": count_step(*network, *shape, ways), "graphs": repeats(t)}
        for s, ways, t in zip(taken, (about["ways"], other["ways"]), (one, two), strict=True)
    )
    return {
        "first": first, "second": second, "ratio": ratios(*taken),
        "machine": {"before": before, "after": measure_machine(device, precision)},
    }  # fmt: skip


def repeats(trainer: Trainer) -> bool | None:
    """Whether ``trainer``, after ``warm_steps``, repeats its steps as CUDA graphs; False where it
    has given that up and asks for every kernel, None where it never was to."""
    return not trainer.given_up if isinstance(trainer, GraphedTrainer) else None


def alternately(
    one: Callable[[], object], other: Callable[[], object], count: int, device: str, tick: Tick
) -> tuple[list[float], list[float]]:
    """Seconds of ``count`` calls of each, one after the other: a machine that is slower for a while
    is so for both."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for work, seconds in zip((one, other), taken, strict=True):
            seconds.append(round(timed(work, device)[0], 6))
            tick()
    return taken


@contextlib.contextmanager
def training(about: Mapping[str, Any], ways: Sequence[str], precision: str) -> Iterator[Trainer]:
    """What trains ``about["method"]``, as ``reproduce.training.session`` puts it together: on a GPU
    noise is drawn ahead, by threads that end with this context."""
    network, device = network_of(about, ways), about["device"]
    trainer = make_trainer(network, 0, 10**6, World(device=device), precision)
    shape = about["batch"], about["size"], about["size"]
    with contextlib.ExitStack() as stack:
        if device.startswith("cuda"):
            ahead = NoiseAhead(network, trainer.noise, shape, device)
            trainer.noise = stack.enter_context(ahead)
        yield trainer


def stepper(about: Mapping[str, Any], trainer: Trainer) -> Callable[[], None]:
    """Each call is the next step of a ``training``."""
    x_a, x_b = (shown_to(trainer.method, noise(about, domain), domain) for domain in "ab")
    done = 0

    def step() -> None:
        nonlocal done
        trainer.step(x_a, x_b, done)
        for one in trainer.untaken:
            raise UserError(f"{about['method']}: {one.why} in step {done}: use other settings")
        done += 1

    return step


def noise(about: Mapping[str, Any], domain: str) -> Tensor:
    """Pictures (batch, 3, size, size) in [-1, 1): a step costs the same whatever they show."""
    shape = (about["batch"], 3, about["size"], about["size"])
    drawn = torch.rand(shape, generator=generator(0, "pictures", domain)) * 2 - 1
    return drawn.to(about["device"])


def step_memory(about: Mapping[str, Any], tick: Tick) -> dict[str, Any]:
    """The most memory of a few steps in ``about["ways"]``: of this process, which should do nothing
    else, above what it held before; on a GPU what PyTorch took there."""
    # What every optimiser imports, about 90 MiB, is no memory of a step's.
    importlib.import_module("torch._dynamo")
    base = held(about["device"])
    forget_peak(about["device"])
    with training(about, about["ways"], about["precision"]) as trainer:
        step = stepper(about, trainer)
        for _ in range(warm_steps(about["device"])):
            step()
            tick()
    found = {
        "base_bytes": base, "peak_bytes": peak(about["device"]),
        "above_bytes": above(base, about["device"]), "graphs": repeats(trainer),
    }  # fmt: skip
    if about["device"].startswith("cuda"):
        found["allocated_bytes"] = torch.cuda.max_memory_allocated(about["device"])
    return found


def time_waiting(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """The share of a training's time in which it waits for a batch: with batches prepared ahead,
    as a training has them; with each made when it is asked for; and with one that is there from
    the beginning, beside which it shows what preparing others takes from a step."""
    found = {how: _share(about, tick, how) for how in ("resident", "ahead", "at_once")}
    return {**found, "share": found["ahead"]["share"]}


def _share(about: Mapping[str, Any], tick: Callable[[], None], how: str) -> dict[str, float]:
    domains, device = pictures_of(about), about["device"]
    paired = recipe(about["method"]).method.paired
    sources = domains.pairs if paired else (domains.train_a, domains.train_b)
    if sources is None:
        raise UserError(f"{about['method']} needs pairs, {about['task']} has none: use drawn-shoes")
    preparation = Preparation(about["size"], flip=True)
    waited = total = 0.0
    warm = warm_steps(device)
    with training(about, about["ways"], about["precision"]) as trainer, Batches(
        *sources, preparation, about["batch"], 0, paired=paired,
        workers=about["workers"], device=device,
    ) as batches:  # fmt: skip
        x_a, x_b = batches.batch(0)
        for step in range(warm + about["steps"]):
            begin = time.perf_counter()
            if how != "resident":
                x_a, x_b = next(batches) if how == "ahead" else batches.batch(step)
            there = time.perf_counter()
            # The losses are read in a step: when it returns a GPU has its last update left at most.
            a, b = (
                shown_to(trainer.method, from_bytes(x.to(device, non_blocking=True)), domain)
                for x, domain in zip((x_a, x_b), "ab", strict=True)
            )
            trainer.step(a, b, step)
            if step >= warm:
                waited += there - begin
                total += time.perf_counter() - begin
            tick()
    return {"share": waited / total, "waited_s": waited, "total_s": total}
