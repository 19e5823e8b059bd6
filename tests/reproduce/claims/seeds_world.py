"""A results folder of three trainings of everything, and the tables made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from claims_world import PRESET, World
from scipy import stats

import benchmarks.fidelity  # noqa: F401  (declares its metrics)
from benchmarks.registry import METRICS
from reproduce.experiments import load_preset
from reproduce.over_seeds import stored
from reproduce.table2 import Table2, table2
from reproduce.tables import Row, Table1, table1

QUICK = load_preset(PRESET)
SEEDS = (0, 1, 2)
T2 = float(stats.t.ppf(0.975, 2))  # 4.303: three seeds, and nothing known of other methods
SAMPLING = 0.05  # of the ends of an interval from 20,000 draws of t with 2 degrees of freedom


def three_trainings(root: Path) -> World:
    """What the paper says, at three seeds that differ."""
    made = World(root).everything(noise=0.1)
    records = made.records.all()
    for record in records:
        if record["metric"] in ("is", "cis"):  # what a table says of classifiers
            record["protocol"] |= {"domain": record["translation"], "accuracy": 0.99}
    rewrite(made, records)
    return made


def first(world: World, seeds: Sequence[int] = SEEDS) -> Table1:
    found, cells = stored(QUICK, world.results, 1, seeds)
    return table1(QUICK, found[None], cells)


def second(world: World, seeds: Sequence[int] = SEEDS) -> Table2:
    return table2(QUICK, *stored(QUICK, world.results, 2, seeds))


def row(table: Table1, method: str) -> Row:
    (found,) = (r for r in table.rows if r.method == method)
    return found


def rewrite(world: World, records: Sequence[dict[str, Any]]) -> None:
    world.records.path.write_text("".join(json.dumps(record) + "\n" for record in records))


def drop(world: World, seed: int, method: str, family: str) -> None:
    """Takes the records of one number at one seed away."""
    records = world.records.all()
    kept = [
        r for r in records
        if (r["seed"], r["method"]) != (seed, method) or not r["metric"].startswith(family)
    ]  # fmt: skip
    assert len(kept) < len(records)
    rewrite(world, kept)


def scores(world: World, method: str, metric: str, values: Sequence[float], half: float) -> None:
    for seed, value in enumerate(values):
        about = METRICS[metric]
        known = {"low": value - half, "high": value + half} if half else None
        told: dict[str, Any] = {"unit": about.unit, "direction": about.direction}
        told |= {"metric": metric, "value": value, "interval": known}
        world._append(method, seed, told | {"protocol": {"protocol": "p", "sha256": "e" * 64}})
