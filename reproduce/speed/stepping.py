"""Time training steps with and without optimisations, their memory, and the wait for pictures."""

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
    forget_peak,
    held,
    measure_machine,
    peaks,
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

Tick = Callable[[], None]  # called after each unit of the progress bar

_WARM_SECONDS = 10.0  # if one step takes longer, it is warm-up enough


def warm_steps(device: str) -> int:
    """Warm-up steps, after which memory and computation stay the same: the first step allocates the
    optimiser's moments, and a GPU records CUDA graphs before it replays them."""
    return 2 if device == "cpu" else WARMUP + TRIALS + 1


def time_step(about: Mapping[str, Any], tick: Tick) -> dict[str, Any]:
    """Seconds per step with the optimisations ``about["ways"]``, and with those of
    ``about["against"]``: A B A B ... after a warm-up of both, on one batch of noise. ``graphs`` in the
    result: see ``repeats``."""
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
    """Whether ``trainer``, after ``warm_steps``, replays CUDA graphs; False if it failed to record
    them and launches every kernel, None if it does not use graphs."""
    return not trainer.given_up if isinstance(trainer, GraphedTrainer) else None


def alternately(
    one: Callable[[], object], other: Callable[[], object], count: int, device: str, tick: Tick
) -> tuple[list[float], list[float]]:
    """Seconds of ``count`` calls of each, in turn, so that a slow phase of the machine affects
    both."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for work, seconds in zip((one, other), taken, strict=True):
            seconds.append(round(timed(work, device)[0], 6))
            tick()
    return taken


@contextlib.contextmanager
def training(about: Mapping[str, Any], ways: Sequence[str], precision: str) -> Iterator[Trainer]:
    """A trainer of ``about["method"]``, set up as in ``reproduce.training.session``: on a GPU, threads
    draw noise ahead; they end with this context."""
    network, device = network_of(about, ways), about["device"]
    trainer = make_trainer(network, 0, 10**6, World(device=device), precision)
    shape = about["batch"], about["size"], about["size"]
    with contextlib.ExitStack() as stack:
        if device.startswith("cuda"):
            ahead = NoiseAhead(network, trainer.noise, shape, device)
            trainer.noise = stack.enter_context(ahead)
        yield trainer


def stepper(about: Mapping[str, Any], trainer: Trainer) -> Callable[[], None]:
    """A function that runs the next step of a ``training``."""
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
    """Noise (batch, 3, size, size) in [-1, 1): the cost of a step does not depend on the pictures."""
    shape = (about["batch"], 3, about["size"], about["size"])
    drawn = torch.rand(shape, generator=generator(0, "pictures", domain)) * 2 - 1
    return drawn.to(about["device"])


def step_memory(about: Mapping[str, Any], tick: Tick) -> dict[str, Any]:
    """Peak memory in bytes of a few steps with ``about["ways"]``: of this process, which should do
    nothing else, above what it held before; on a GPU, of what PyTorch reserved there."""
    # Every optimiser imports this, about 90 MiB, which does not belong to the step.
    importlib.import_module("torch._dynamo")
    base = held(about["device"])
    forget_peak(about["device"])
    with training(about, about["ways"], about["precision"]) as trainer:
        step = stepper(about, trainer)
        for _ in range(warm_steps(about["device"])):
            step()
            tick()
    found = {"base_bytes": base, **peaks(base, about["device"]), "graphs": repeats(trainer)}
    if about["device"].startswith("cuda"):
        found["allocated_bytes"] = torch.cuda.max_memory_allocated(about["device"])
    return found


def time_waiting(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """The share of a training's time spent waiting for batches: prepared ahead, as in a training
    (``ahead``); each made on request (``at_once``); and one batch used throughout (``resident``),
    which shows how much preparing the others slows a step."""
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
            # A step reads its losses: when it returns, at most the last update is left to the GPU.
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
