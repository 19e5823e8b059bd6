"""From what a user asks for to measurements; all that is wrong is refused before the first."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from benchmarks.devices import check_device
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.lpips_features import SMALLEST_SIZE
from models.choices import ALL
from models.errors import UserError
from models.method import Method
from models.zoo import METHODS, make_config, recipe
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RUN_KEYS, RunConfig, make_run
from reproduce.speed.drawn import told
from reproduce.speed.measuring import CHUNK
from reproduce.speed.stepping import warm_steps
from reproduce.speed.store import Measurement, distinct
from reproduce.speed.translating import ROUNDS
from reproduce.tasks.registry import TASKS

SHOES = "drawn-shoes"  # has pairs, which bicyclegan needs
DIFFERENT = 60  # convolutions of a step, about
_WIDTHS = ("dim", "dis_dim", "enc_dim")  # of generators, discriminators, bicyclegan's encoder


@dataclass(frozen=True)
class Where:
    """What computes: a device, and threads of the processor."""

    device: str = "cpu"
    threads: int = 0

    def told(self) -> dict[str, Any]:
        """As measurements have it; UserError for a device that is not there."""
        threads = self.threads or torch.get_num_threads()
        return {"device": check_device(self.device), "threads": threads}


@dataclass(frozen=True)
class Networks:
    """Which networks: published sizes, or a preset's, with ``width`` channels in their first layers
    if given, and ``settings`` (--set) on top."""

    preset: str = ""
    width: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, method: str, task: str = SHOES, **run: object) -> RunConfig:
        """A run of ``method`` that has them; UserError for what does not fit together."""
        given = dict(self.settings)
        if wrong := [key for key in given if key in RUN_KEYS]:
            raise UserError(
                f"--set {wrong[0]} says nothing about a network: use --size, --batch or --precision"
            )
        wide = self._wide(method, given)
        asked = {k: v for k, v in run.items() if v}
        if self.preset:
            found = load_preset(self.preset).make_run(method, task, overrides=wide | asked)
        else:
            found = _fitting(make_run(method, task, {}, wide | asked), {**given, **wide}, asked)
        if getattr(found.method_config, "perceptual", 0):
            raise UserError("perceptual=1 needs weights of VGG-16 and is not timed: leave it out")
        _network(found).check_size(found.size, found.size)
        return found

    def _wide(self, method: str, given: Mapping[str, str]) -> dict[str, object]:
        known = {f.name for f in fields(recipe(method).config)}
        wide = {k: self.width for k in _WIDTHS if self.width and k in known and k not in given}
        unread = make_config(method, {**wide, **given}).unread()
        return {**{k: v for k, v in wide.items() if k not in unread}, **given}


def _fitting(run: RunConfig, given: Mapping[str, object], asked: Mapping[str, Any]) -> RunConfig:
    """``run``, where the published discriminators are too large for its pictures with fewer layers,
    then fewer scales, if they fit then; settings that were ``given`` stay."""
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
                f"note: {run.method} at {run.size} px with {words}: the published discriminators do "
                "not fit", file=sys.stderr,
            )  # fmt: skip
            return found
    return run


def _network(run: RunConfig) -> Method:
    """Shapes alone."""
    with torch.device("meta"):
        return recipe(run.method).method(run.method_config, None)  # type: ignore[call-arg]


def steps(
    methods: Iterable[str], networks: Networks, where: Where, *, size: int = 0, batch: int = 0,
    precision: str = "float32", ways: Sequence[str] | None = None, count: int = 10,
    each_way: bool = False, memory: bool = True, primitives: bool = False,
) -> list[Measurement]:  # fmt: skip
    """Steps of each method against the plain path, and the memory of both; with ``each_way`` also
    against the same ways but one, and with ``primitives`` their convolutions alone."""
    chosen = sorted(ALL) if ways is None else list(ways)
    made = []
    for method in methods:
        run = networks.run(method, size=size, batch=batch, precision=precision)
        about = {
            "method": method, "size": run.size, "batch": run.batch,
            **told(method, run.settings), **where.told(),
        }  # fmt: skip
        others: list[dict[str, Any]] = [{"ways": [], "precision": "float32"}]
        if each_way:
            others += [
                {"ways": [w for w in chosen if w != way], "precision": precision}
                for way in chosen
                if way != "graphs" or about["device"] != "cpu"  # where there are none
            ]
        warm = warm_steps(about["device"])
        path = {"ways": chosen, "precision": precision}
        for against in others:
            more = {"against": against, "steps": count, "warmup": warm}
            made.append(Measurement("step", about | path | more, 2 * count + 2))
        for one in (path, others[0]) if memory else ():
            made.append(Measurement("memory", about | one, warm))
        if primitives:
            made.append(Measurement("primitives", about | path | {"steps": count}, DIFFERENT))
    return made


def _of_preset(
    method: str, networks: Networks, where: Where, task: str, batch: int = 0, size: int = 0,
    precision: str = "float32",
) -> dict[str, Any]:  # fmt: skip
    if task not in TASKS or not TASKS[task].drawn:
        drawn = [name for name, spec in TASKS.items() if spec.drawn]
        raise UserError(f"task '{task}' is not drawn: use one of {', '.join(sorted(drawn))}")
    run = networks.run(method, task, batch=batch, size=size, precision=precision)
    return {
        "method": method, "task": task, "size": run.size, "batch": run.batch, "ways": sorted(ALL),
        **told(method, run.settings), **where.told(),
    }  # fmt: skip


def translations(
    methods: Iterable[str], networks: Networks, where: Where, *, batches: Iterable[int],
    counts: Sequence[int], task: str = SHOES,
) -> list[Measurement]:  # fmt: skip
    """Streams of translations at each batch size."""
    pieces, made = 2 * ROUNDS + 2 + len(set(counts)), []
    for method, batch in itertools.product(methods, batches):
        about = _of_preset(method, networks, where, task)
        about |= {"batch": batch, "counts": sorted(set(counts))}
        made.append(Measurement("translate", about, pieces))
    return made


def diversities(
    where: Where, *, protocols: Iterable[str], size: int, batch: int, inputs: int
) -> list[Measurement]:
    """Diversity beside the lpips package, under each protocol."""
    if size < SMALLEST_SIZE:
        raise UserError(f"size {size} is too small for LPIPS: use at least {SMALLEST_SIZE}")
    made = []
    for protocol in protocols:
        get_protocol(protocol, inputs)
        about = {"protocol_name": protocol, "size": size, "batch": batch, "inputs": inputs}
        made.append(Measurement("diversity", about | where.told(), -(-inputs // CHUNK)))
    return made


def modes(
    method: str, networks: Networks, where: Where, *, inputs: int, samples: int,
    task: str = "drawn-housecats-dogs",
) -> Measurement:  # fmt: skip
    """IS and CIS of translations."""
    about = _of_preset(method, networks, where, task)
    del about["batch"]
    return Measurement("modes", about | {"inputs": inputs, "samples": samples}, 2 * inputs)


def waits(
    methods: Iterable[str], networks: Networks, where: Where, *, count: int, size: int = 0,
    batch: int = 0, task: str = SHOES, precision: str = "float32", workers: int = 0,
) -> list[Measurement]:  # fmt: skip
    """Trainings that wait for pictures, which threads prepare, or ``workers`` processes."""
    made = []
    for method in methods:
        about = _of_preset(method, networks, where, task, batch, size, precision)
        about |= {"steps": count, "precision": precision, "workers": workers}
        made.append(Measurement("data", about, 3 * (warm_steps(about["device"]) + count)))
    return made


# MUNIT with two discriminators of three layers: an original implementation was timed with these.
_THREE_LAYERS = {"dis_layers": "3", "dis_scales": "2"}
# One method of each class of networks.
_FAMILIES = ("munit", "unit", "cyclegan", "bicyclegan")


def suite(where: Where, *, quick: bool) -> list[Measurement]:
    """``quick`` takes some two minutes on two cores, else fifteen; on a GPU the whole is larger."""
    made = _quick if quick else _processor if where.device == "cpu" else _gpu
    return distinct(made(where))


def _quick(where: Where) -> list[Measurement]:
    cpu = Networks("cpu")
    return [
        *steps(["munit"], cpu, where, count=5, primitives=True),
        *steps(["unit", "cyclegan"], cpu, where, count=5, memory=False),
        *_sweep(where, 32, sizes=(32, 64), widths=(8, 16), batches=(1, 4), count=5),
        *translations(["munit"], cpu, where, batches=[8], counts=[100, 1000]),
        *diversities(where, protocols=["consecutive"], size=32, batch=16, inputs=20),
        modes("munit", cpu, where, inputs=20, samples=20),
        *waits(["munit"], cpu, where, count=30),
    ]  # fmt: skip


def _processor(where: Where) -> list[Measurement]:
    cpu = Networks("cpu")
    # Where the originals were timed: 32 px, batch 8, dim 16; and the published size at 256 px.
    small = Networks(width=16, settings=_THREE_LAYERS)
    return [
        *steps(METHODS, cpu, where, memory=False),
        *steps(_FAMILIES, cpu, where),
        *steps(["munit"], small, where, size=32, batch=8, count=20, each_way=True,
               primitives=True),
        *_sweep(where, 32, sizes=(32, 64, 128, 256), widths=(8, 16, 32, 64),
                batches=(1, 2, 4, 8, 16), count=5),
        *steps(["munit"], Networks(settings=_THREE_LAYERS), where, size=256, batch=1, count=3,
               primitives=True),
        *translations(["munit"], cpu, where, batches=[1, 8], counts=[100, 1000]),
        *translations(["munit"], cpu, where, batches=[32], counts=[100, 1000, 10000]),
        *diversities(where, protocols=["consecutive", "paper"], size=64, batch=16, inputs=100),
        modes("munit", cpu, where, inputs=100, samples=100),
        *waits(["munit", "cyclegan"], cpu, where, count=60),
    ]  # fmt: skip


def _gpu(where: Where) -> list[Measurement]:
    gpu, paper = Networks("gpu"), Networks()
    made = []
    for precision in ("float32", "bf16"):
        for batch in (1, 8):
            methods = [m for m in METHODS if batch > 1 or m != "bicyclegan"]  # which needs pairs
            made += steps(
                methods, paper, where, size=256, batch=batch, precision=precision, count=20
            )
        made += steps(METHODS, gpu, where, precision=precision, count=20)
    return [
        *made,
        *steps(["munit"], paper, where, size=256, batch=1, count=30, each_way=True,
               primitives=True),
        *_sweep(where, 128, sizes=(64, 128, 256, 512), widths=(16, 32, 64, 128),
                batches=(1, 2, 4, 8, 16), count=20),
        *translations(["munit"], gpu, where, batches=[1, 8, 32], counts=[100, 1000, 10000]),
        *diversities(where, protocols=["consecutive", "paper"], size=256, batch=16, inputs=100),
        modes("munit", gpu, where, inputs=100, samples=100),
        *waits(["munit", "cyclegan"], gpu, where, count=200),
    ]  # fmt: skip


def _sweep(
    where: Where, size: int, *, sizes: tuple[int, ...], widths: tuple[int, ...],
    batches: tuple[int, ...], count: int,
) -> list[Measurement]:  # fmt: skip
    """MUNIT's step against one of resolution, width and batch at a time."""
    points = [(side, widths[1], 1) for side in sizes]
    points += [(size, width, 1) for width in widths]
    points += [(size, widths[1], batch) for batch in batches]
    made = []
    for side, width, batch in points:
        networks = Networks(width=width, settings=_THREE_LAYERS)
        made += steps(["munit"], networks, where, size=side, batch=batch, count=count, memory=False)
    return made
