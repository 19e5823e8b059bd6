"""``python -m reproduce speed``: time training, translation and metrics on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.console import Help, at_least
from models.errors import UserError
from reproduce.commands import options

_MANY: dict[str, Any] = {"type": at_least(1), "nargs": "+"}
# MUNIT with two discriminators of three layers, with which an original implementation was timed.
_THREE = "--set dis_layers=3 --set dis_scales=2"
_ALL = "munit-wo-x munit-wo-c munit-wo-s munit unit unit-release cyclegan cyclegan-noise"
# About two minutes on two cores.
_QUICK = f"""
step --preset cpu --steps 5 --primitives
step --preset cpu --methods unit cyclegan --steps 5 --no-memory
step {_THREE} --width 16 --size 32 64 --batch 1 --steps 5 --no-memory
step {_THREE} --width 8 16 --size 32 --batch 1 --steps 5 --no-memory
step {_THREE} --width 16 --size 32 --batch 1 4 --steps 5 --no-memory
translate --batch 8 --counts 100 1000
measure --protocol consecutive --size 32 --inputs 20 --samples 20
data --steps 30
"""
# About fifteen. The originals were timed at 32 px, batch 8, dim 16; 256 px is the published size.
_PROCESSOR = f"""
step --preset cpu --methods {_ALL} bicyclegan --no-memory
step --preset cpu --methods munit unit cyclegan bicyclegan
step {_THREE} --width 16 --size 32 --batch 8 --steps 20 --each-way --primitives
step {_THREE} --width 16 --size 32 64 128 256 --batch 1 --steps 5 --no-memory
step {_THREE} --width 8 16 32 64 --size 32 --batch 1 --steps 5 --no-memory
step {_THREE} --width 16 --size 32 --batch 1 2 4 8 16 --steps 5 --no-memory
step {_THREE} --size 256 --batch 1 --steps 3 --primitives
translate --batch 1 8 --counts 100 1000
translate --batch 32 --counts 100 1000 10000
measure
data --methods munit cyclegan --steps 60
"""
_GPU = f"""
step --methods {_ALL} --size 256 --batch 1 8 --precision float32 bf16 --steps 20
step --methods bicyclegan --size 256 --batch 8 --precision float32 bf16 --steps 20
step --preset gpu --methods {_ALL} bicyclegan --precision float32 bf16 --steps 20
step --size 256 --batch 1 --steps 30 --each-way --primitives
step {_THREE} --width 32 --size 64 128 256 512 --batch 1 --steps 20 --no-memory
step {_THREE} --width 16 32 64 128 --size 128 --batch 1 --steps 20 --no-memory
step {_THREE} --width 32 --size 128 --batch 1 2 4 8 16 --steps 20 --no-memory
translate --preset gpu --batch 1 8 32
measure --preset gpu --size 256
data --preset gpu --methods munit cyclegan --steps 200
"""


def add(commands: Any) -> None:
    speed = commands.add_parser("speed", help="time training, translation and metrics",
        description="Measure the time and memory of training steps, translations and metrics on this "
        "machine, and compare them with the plain path (float32, no optimisations). Records go to "
        "results/speed and are reused for the same code, environment and settings.",
        epilog=_examples("all --quick", "table",
                         "step --methods munit --size 32 --batch 8 --width 16 --each-way"),
        formatter_class=Help)  # fmt: skip
    kinds = speed.add_subparsers(dest="step", required=True, metavar="WHAT")

    step = _kind(kinds, "step", measure, "step --methods munit unit --size 32 64",
        "step --methods munit --size 256 --set dis_layers=3 --steps 3",
        "step --methods munit --preset gpu --device cuda --precision float32 bf16",
        help="seconds, FLOP and memory of a training step",
        description="Time the chosen optimisations (--ways) and the plain path (float32, eager) in turn "
        "in one process, then measure the peak memory of each in a separate process.")  # fmt: skip
    _networks(step, preset=None)
    step.add_argument("--size", **_MANY, default=[0], metavar="PX",
        help="pictures are SIZE x SIZE (default: the preset's, else 256)")  # fmt: skip
    step.add_argument("--batch", **_MANY, default=[0], metavar="N",
        help="pictures of each domain per step (default: the preset's, else 1)")  # fmt: skip
    step.add_argument("--precision", nargs="+", default=["float32"], metavar="NAME",
        help="float32, bf16 (default: float32)")  # fmt: skip
    step.add_argument("--ways", default="all",
        help="speed optimisations: all, plain (none), or names separated by commas")  # fmt: skip
    step.add_argument("--primitives", action="store_true",
        help="also time each convolution of a step alone")  # fmt: skip
    step.add_argument("--each-way", action="store_true",
        help="also time the step without each optimisation in turn, to show what it gains")  # fmt: skip
    step.add_argument("--steps", type=at_least(1), default=10, help="timed steps of each path")
    step.add_argument("--no-memory", action="store_true", help="do not measure memory")

    stream = _kind(kinds, "translate", measure,
        "translate --methods munit --batch 1 32 --counts 100 1000 10000",
        help="translations per second, and memory as their number grows")  # fmt: skip
    _networks(stream, task="drawn-shoes")
    stream.add_argument("--batch", **_MANY, default=[8, 32], metavar="N",
        help="pictures per batch")  # fmt: skip
    stream.add_argument("--counts", **_MANY, default=[100, 1000, 10000], metavar="N",
        help="record time and peak memory after this many pictures")  # fmt: skip

    scores = _kind(kinds, "measure", measure, "measure",
        "measure --what diversity --protocol consecutive --size 256",
        help="time of diversity (compared with the lpips package) and of IS and CIS")  # fmt: skip
    scores.add_argument("--what", nargs="+", choices=("diversity", "modes"),
        default=["diversity", "modes"], help="metrics to time; modes: IS and CIS (default: both)")  # fmt: skip
    scores.add_argument("--protocol", nargs="+", default=["consecutive", "paper"],
        help="diversity protocols (default: consecutive and paper)")  # fmt: skip
    scores.add_argument("--size", type=at_least(1), default=64, help="pixels, for diversity")
    scores.add_argument("--batch", type=at_least(1), default=16,
        help="pictures, or pairs, per LPIPS batch")  # fmt: skip
    scores.add_argument("--inputs", type=at_least(2), default=100, help="number of inputs")
    scores.add_argument("--samples", type=at_least(2), default=100,
        help="translations of each input for IS and CIS")  # fmt: skip
    scores.add_argument("--method", default="munit", help="method that translates for IS and CIS")
    _networks(scores, task="drawn-housecats-dogs", methods=False)

    waits = _kind(kinds, "data", measure, "data --methods munit --steps 200",
        help="share of training time spent waiting for pictures")  # fmt: skip
    _networks(waits, task="drawn-shoes")
    waits.add_argument("--batch", type=at_least(1), default=0, help="default: the preset's")
    waits.add_argument("--precision", default="float32", help="float32, bf16")
    waits.add_argument("--steps", type=at_least(1), default=100, help="timed steps")
    waits.add_argument("--size", type=at_least(8), default=0, metavar="PX",
        help="default: the preset's")  # fmt: skip
    options.add(waits, "workers", help="data loader processes (0: threads instead)")

    every = _kind(kinds, "all", measure, "all --quick", "all --device cuda",
        help="measure a standard suite of all of these for this device")  # fmt: skip
    every.add_argument("--quick", action="store_true",
        help="a shorter suite: minutes instead of a quarter of an hour")  # fmt: skip
    options.add(every, "data")
    for sub in (step, stream, scores, waits, every):
        options.add(sub, "device", help="cpu, cuda or cuda:N")
        options.add(sub, "threads", "no-progress")
        sub.add_argument("--again", action="store_true", help="measure again what is on record")

    shown = _kind(kinds, "table", table, "table", "table --kind step --format csv",
        help="print the records as tables")  # fmt: skip
    shown.add_argument("--kind", help="step, primitives, each-way, translate, diversity, modes or data "
        "(default: all of them)")  # fmt: skip
    shown.add_argument("--format", choices=("markdown", "csv"), default="markdown")
    shown.add_argument("--readme", type=Path,
        help="instead write a short table between <!-- speed --> and <!-- /speed --> of this file")  # fmt: skip
    _kind(kinds, "plot", plot, "plot",
        help="plot cost against resolution, width, batch size and number of pictures")  # fmt: skip


def _kind(
    kinds: Any, name: str, run: Callable[[argparse.Namespace], int], *examples: str, **about: str
) -> argparse.ArgumentParser:
    sub = options.command(kinds, name, run, epilog=_examples(*examples), **about)
    options.add(sub, "results", help="folder of the records")
    return sub


def _examples(*lines: str) -> str:
    return "\n".join(["examples:", *(f"  python -m reproduce speed {line}" for line in lines)])


def _networks(
    sub: argparse.ArgumentParser,
    *,
    preset: str | None = "cpu",
    task: str = "",
    methods: bool = True,
) -> None:
    """Add the options that choose the networks and, with ``task``, the drawn pictures they see."""
    if methods:
        sub.add_argument("--methods", nargs="+", default=["munit"], metavar="NAME",
            help="methods to time (default: munit)")  # fmt: skip
    sub.add_argument("--preset", default=preset,
        help="preset of networks, sizes and batches" + ("" if preset else " (default: as published)"))  # fmt: skip
    sub.add_argument("--width", **_MANY, default=[0], metavar="DIM",
        help="channels of the first layers: sets dim, dis_dim and enc_dim (default: unchanged)")  # fmt: skip
    options.add(sub, "set", help="override a setting of the networks; repeatable")
    if task:
        sub.add_argument("--task", default=task, help="a drawn task")
        options.add(sub, "data")


def measure(arguments: argparse.Namespace) -> int:
    """Measure what the arguments ask for, and print it as tables."""
    from benchmarks.files import check_folder
    from reproduce.speed import store
    from reproduce.speed.planning import planned
    from reproduce.speed.table import TITLES

    asked = _suite(arguments) if arguments.step == "all" else [arguments]
    measurements = [one for of in asked for one in planned(of)]
    folder = vars(arguments).get("data", Path("data"))
    check_folder("--data", folder, written=False)
    check_folder("--results", arguments.results)
    records, failed = store.take(
        measurements, arguments.results, folder, again=arguments.again,
        progress=not arguments.no_progress,
    )  # fmt: skip
    _print(TITLES, records)
    if failed:
        raise UserError(f"{len(failed)} of {len(failed) + len(records)} not measured; {failed[0]}")
    return 0


def _suite(arguments: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The arguments of every measurement in the suite for a device."""
    lines = _QUICK if arguments.quick else _PROCESSOR if arguments.device == "cpu" else _GPU
    top = argparse.ArgumentParser()
    add(top.add_subparsers())
    where = [f"--device={arguments.device}", f"--threads={arguments.threads}"]
    for line in lines.strip().splitlines():
        yield top.parse_args(["speed", *line.split(), *where])


def table(arguments: argparse.Namespace) -> int:
    from models.zoo import nearest
    from reproduce.analysis.table import fill_readme
    from reproduce.speed import table as tables
    from reproduce.speed.store import PRESET, load

    kinds = [arguments.kind] if arguments.kind else list(tables.TITLES)
    if kinds[0] not in tables.TITLES:
        raise UserError(f"unknown kind '{kinds[0]}': {nearest(kinds[0], tables.TITLES)}")
    records = load(arguments.results)
    if arguments.readme is not None:
        fill_readme(arguments.readme, PRESET, tables.brief(records))
    elif arguments.format == "markdown":
        _print(kinds, records)
    elif len(kinds) > 1:
        raise UserError("a CSV holds one table: add --kind, e.g. --kind step")
    else:
        print(tables.table(kinds[0], records).csv(), end="")
    return 0


def _print(kinds: Iterable[str], records: Sequence[Mapping[str, Any]]) -> None:
    from reproduce.speed.table import table

    texts = (table(kind, records).markdown() for kind in kinds)
    print("\n".join(filter(None, texts)), end="", flush=True)


def plot(arguments: argparse.Namespace) -> int:
    from reproduce.speed.plot import plot_all
    from reproduce.speed.store import PRESET, load

    for path in plot_all(load(arguments.results), arguments.results / PRESET):
        print(path)
    return 0
