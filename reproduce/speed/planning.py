"""Turn the arguments of ``speed`` into measurements; wrong arguments raise before the first one."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from benchmarks.devices import check_device
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.lpips_features import SMALLEST_SIZE
from models.choices import ALL, ways_of
from models.errors import UserError
from models.method import Method
from models.zoo import make_config, recipe
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RUN_KEYS, RunConfig, make_run, parse_settings
from reproduce.speed.drawn import told
from reproduce.speed.measuring import CHUNK
from reproduce.speed.stepping import warm_steps
from reproduce.speed.store import Measurement
from reproduce.speed.translating import ROUNDS
from reproduce.tasks.registry import TASKS

DIFFERENT = 60  # different convolutions in a step, about
_WIDTHS = ("dim", "dis_dim", "enc_dim")  # of generators, discriminators, bicyclegan's encoder


@dataclass(frozen=True)
class Networks:
    """The networks to measure: of published sizes, or a preset's, with ``width`` channels in their
    first layers if not 0, and changed by ``settings`` (--set)."""

    preset: str = ""
    width: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, method: str, task: str = "drawn-shoes", **run: object) -> RunConfig:
        """A run of ``method`` with these networks; UserError for settings that do not fit together."""
        given = dict(self.settings)
        if wrong := [key for key in given if key in RUN_KEYS]:
            raise UserError(
                f"--set {wrong[0]} is not a setting of a network: use --size, --batch or --precision"
            )
        wide = self._wide(method, given)
        asked = {k: v for k, v in run.items() if v}
        if self.preset:
            found = load_preset(self.preset).make_run(method, task, overrides=wide | asked)
        else:
            found = _fitting(make_run(method, task, {}, wide | asked), {**given, **wide}, asked)
        if getattr(found.method_config, "perceptual", 0):
            raise UserError("perceptual=1 needs VGG-16 weights and cannot be timed: leave it out")
        _network(found).check_size(found.size, found.size)
        return found

    def _wide(self, method: str, given: Mapping[str, str]) -> dict[str, object]:
        known = {f.name for f in fields(recipe(method).config)}
        wide = {k: self.width for k in _WIDTHS if self.width and k in known and k not in given}
        unread = make_config(method, {**wide, **given}).unread()
        return {**{k: v for k, v in wide.items() if k not in unread}, **given}


def _fitting(run: RunConfig, given: Mapping[str, object], asked: Mapping[str, Any]) -> RunConfig:
    """``run``; if the published discriminators do not fit its picture size, with fewer layers, then
    fewer scales, if that fits. Settings that were ``given`` stay."""
    if _network(run).fits(run.size):
        return run
    config = run.method_config
    keys = [k for k in ("dis_scales", "dis_layers") if hasattr(config, k) and k not in given]
    for values in itertools.product(*(range(getattr(config, key), 0, -1) for key in keys)):
        told = dict(zip(keys, map(str, values), strict=True))
        found = make_run(run.method, run.task, {}, {**given, **asked, **told})
        if _network(found).fits(found.size):
            words = ", ".join(f"{key}={value}" for key, value in told.items())
            print(
                f"note: {run.method} at {run.size} px uses {words}: the published discriminators do "
                "not fit", file=sys.stderr,
            )  # fmt: skip
            return found
    return run


def _network(run: RunConfig) -> Method:
    """The network on the meta device, without values."""
    with torch.device("meta"):
        return recipe(run.method).method(run.method_config, None)  # type: ignore[call-arg]


def planned(asked: argparse.Namespace) -> list[Measurement]:
    """The measurements of ``speed step``, ``translate``, ``measure`` or ``data``. Raises UserError for
    unknown networks, tasks or devices."""
    threads = asked.threads or torch.get_num_threads()
    where = {"device": check_device(asked.device), "threads": threads}
    settings = parse_settings(asked.settings)
    networks = (Networks(asked.preset or "", width, settings) for width in asked.width)
    return [one for of in networks for one in _PLANS[asked.step](asked, of, where)]


def _steps(
    asked: argparse.Namespace, networks: Networks, where: dict[str, Any]
) -> Iterator[Measurement]:
    """Each method's step compared with the plain path, and the memory of both; with --each-way, also
    compared with all optimisations but one; with --primitives, also its convolutions alone."""
    chosen, warm = ways_of(asked.ways), warm_steps(where["device"])
    if asked.each_way and len(chosen) < 2:
        raise UserError("--each-way needs several optimisations: give --ways all, or two names")
    for method, size, batch, precision in itertools.product(
        asked.methods, asked.size, asked.batch, asked.precision
    ):
        run = networks.run(method, size=size, batch=batch, precision=precision)
        about = {
            "method": method, "size": run.size, "batch": run.batch, **told(method, run.settings), **where,
        }  # fmt: skip
        plain = {"ways": [], "precision": "float32"}
        path = {"ways": chosen, "precision": precision}
        left_out = [
            path | {"ways": [w for w in chosen if w != way]}
            for way in chosen
            if way != "graphs" or where["device"] != "cpu"  # a CPU has none
        ]
        for against in [plain, *(left_out if asked.each_way else [])]:
            more = {"against": against, "steps": asked.steps, "warmup": warm}
            yield Measurement("step", about | path | more, 2 * asked.steps + 2)
        for one in () if asked.no_memory else (path, plain):
            yield Measurement("memory", about | one, warm)
        if asked.primitives:
            yield Measurement("primitives", about | path | {"steps": asked.steps}, DIFFERENT)


def _of_drawn(
    asked: argparse.Namespace, networks: Networks, where: dict[str, Any], method: str, **run: object
) -> dict[str, Any]:
    """The description of a network and of the drawn pictures that it sees."""
    task = asked.task
    if task not in TASKS or not TASKS[task].drawn:
        drawn = [name for name, spec in TASKS.items() if spec.drawn]
        raise UserError(f"task '{task}' is not drawn: use one of {', '.join(sorted(drawn))}")
    made = networks.run(method, task, **run)
    return {
        "method": method, "task": task, "size": made.size, "batch": made.batch, "ways": sorted(ALL),
        **told(method, made.settings), **where,
    }  # fmt: skip


def _translations(
    asked: argparse.Namespace, networks: Networks, where: dict[str, Any]
) -> Iterator[Measurement]:
    """Streams of translations at each batch size."""
    counts = sorted(set(asked.counts))
    for method, batch in itertools.product(asked.methods, asked.batch):
        about = _of_drawn(asked, networks, where, method) | {"batch": batch, "counts": counts}
        yield Measurement("translate", about, 2 * ROUNDS + 2 + len(counts))


def _scores(
    asked: argparse.Namespace, networks: Networks, where: dict[str, Any]
) -> Iterator[Measurement]:
    """Diversity under each protocol, compared with the lpips package; IS and CIS of translations."""
    inputs = asked.inputs
    if "diversity" in asked.what:
        if asked.size < SMALLEST_SIZE:
            raise UserError(
                f"size {asked.size} is too small for LPIPS: use at least {SMALLEST_SIZE}"
            )
        for protocol in asked.protocol:
            get_protocol(protocol, inputs)
            about = {"protocol_name": protocol, "size": asked.size, "batch": asked.batch}
            about |= {"inputs": inputs, **where}
            yield Measurement("diversity", about, -(-inputs // CHUNK))
    if "modes" in asked.what:
        about = _of_drawn(asked, networks, where, asked.method)
        del about["batch"]
        about |= {"inputs": inputs, "samples": asked.samples}
        yield Measurement("modes", about, 2 * inputs)


def _waits(
    asked: argparse.Namespace, networks: Networks, where: dict[str, Any]
) -> Iterator[Measurement]:
    """The time that trainings wait for pictures, prepared by threads or processes."""
    run = {key: getattr(asked, key) for key in ("batch", "size", "precision")}
    more = {key: getattr(asked, key) for key in ("steps", "precision", "workers")}
    ticks = 3 * (warm_steps(where["device"]) + asked.steps)
    for method in asked.methods:
        yield Measurement("data", _of_drawn(asked, networks, where, method, **run) | more, ticks)


_PLANS = {"step": _steps, "translate": _translations, "measure": _scores, "data": _waits}
