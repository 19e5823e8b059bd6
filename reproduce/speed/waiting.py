"""How long a training waits for its pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from models.errors import UserError
from reproduce.speed.drawn import network_of, pictures_of
from reproduce.speed.stepping import warm_steps
from reproduce.tasks.batches import Batches
from reproduce.tasks.pictures import Preparation, from_bytes
from reproduce.training.distributed import World
from reproduce.training.shared import make_trainer


def time_waiting(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """The share of a training's time in which it waits for a batch: with batches prepared ahead,
    as a training has them; with each made when it is asked for; and with one that is there from
    the beginning, beside which it shows what preparing others takes from a step."""
    found = {how: _share(about, tick, how) for how in ("resident", "ahead", "at_once")}
    return {**found, "share": found["ahead"]["share"]}


def _share(about: Mapping[str, Any], tick: Callable[[], None], how: str) -> dict[str, float]:
    domains, network = pictures_of(about), network_of(about, about["ways"])
    trainer = make_trainer(network, 0, 10**6, World(device=about["device"]), about["precision"])
    sources = domains.train_a, domains.train_b
    if network.paired:
        if domains.pairs is None:
            raise UserError(
                f"{about['method']} needs pairs, {about['task']} has none: use drawn-shoes"
            )
        sources = domains.pairs
    preparation = Preparation(about["size"], flip=True)
    waited = total = 0.0
    warm = warm_steps(about["device"])
    with Batches(
        *sources, preparation, about["batch"], 0, paired=network.paired,
        workers=about["workers"], device=about["device"],
    ) as batches:  # fmt: skip
        x_a, x_b = batches.batch(0)
        for step in range(warm + about["steps"]):
            begin = time.perf_counter()
            if how != "resident":
                x_a, x_b = next(batches) if how == "ahead" else batches.batch(step)
            there = time.perf_counter()
            # The losses are read in a step: when it returns a GPU has its last update left at most.
            a, b = (from_bytes(x.to(about["device"], non_blocking=True)) for x in (x_a, x_b))
            trainer.step(a, b, step)
            if step >= warm:
                waited += there - begin
                total += time.perf_counter() - begin
            tick()
    return {"share": waited / total, "waited_s": waited, "total_s": total}
