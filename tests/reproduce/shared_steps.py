"""Some steps of every kind of method in float64, by one process or by several that share each batch."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_methods import TINY, draws, pictures
from torch import Tensor

from reproduce.experiments.run import RunConfig, make_run
from reproduce.training.checkpoints import (
    new_method,
    read_checkpoint,
    restore_training,
    save_training,
)
from reproduce.training.distributed import World, joined
from reproduce.training.shared import make_trainer, positions
from reproduce.training.trainer import Trainer

STEPS, HALF, BATCH = 4, 2, 8
# What couples the pictures of a batch, or is told to each of them.
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "unit": ("unit", {}),
    "bicyclegan": ("bicyclegan", {}),
    "bicyclegan-one-scale": (
        "bicyclegan",
        {"dis_scales": 1, "conditional": True, "dropout": True, "same_discriminator": True},
    ),
    "cyclegan-short-history": ("cyclegan", {"pool": 3, "identity": 0.0}),
    "munit-cycle": ("munit", {"cycle": 10.0, "weight_decay": 1e-2, "dis_norm": "ln"}),
}


def run_of(case: str) -> RunConfig:
    method, settings = CASES[case]
    values = TINY[method] | settings | {"size": 16, "batch": BATCH, "steps": STEPS}
    return make_run(method, "drawn-shoes", values, {})


def fresh(case: str, world: World) -> Trainer:
    """A trainer whose weights are far from the first ones."""
    run = run_of(case)
    method = new_method(run).double()
    generator = draws(1)
    with torch.no_grad():
        for p in method.parameters():
            p.add_(torch.randn(p.shape, generator=generator).double() * 0.2)
    return make_trainer(method, 3, STEPS, world, "float32")


def go(trainer: Trainer, world: World, first: int, last: int) -> list[dict[str, float]]:
    """Steps ``first`` to ``last`` (exclusive) of this process's share."""
    own = positions(trainer.method, BATCH, world)
    records = []
    for step in range(first, last):
        x_a, x_b = (pictures(BATCH, seed=2 * step + i).double()[own] for i in (0, 1))
        records.append(trainer.step(x_a, x_b, step))
    return records


def weights(trainer: Trainer) -> dict[str, Tensor]:
    """All weights, and the histories."""
    found = {k: v.clone() for k, v in trainer.method.state_dict().items()}
    return found | {f"pool.{k}": p.state for k, p in trainer.pools.items() if p.state is not None}


def shared(folder: Path) -> None:
    """In each of several processes: every case from its beginning, and from one process's half."""
    torch.set_num_threads(1)
    with joined("cpu") as world:
        for case in CASES:
            trainer = fresh(case, world)
            records = go(trainer, world, 0, HALF)
            if world.rank == 0:
                save_training(
                    folder / f"{case}.half{world.size}", trainer, run_of(case), HALF, "data"
                )
            records += go(trainer, world, HALF, STEPS)
            save_file(weights(trainer), folder / f"{case}.{world.rank}")
            (folder / f"{case}.{world.rank}.json").write_text(json.dumps(records))
            resumed = fresh(case, world)
            restore_training(read_checkpoint(folder / f"{case}.half1"), resumed)
            go(resumed, world, HALF, STEPS)
            save_file(weights(resumed), folder / f"{case}.resumed{world.rank}")
