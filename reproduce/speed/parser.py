"""Arguments of ``python -m reproduce speed``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import Help, at_least

EXAMPLES = """\
  python -m reproduce speed all --quick
  python -m reproduce speed table
  python -m reproduce speed step --methods munit --size 32 --batch 8 --width 16 --each-way
"""


def add_speed(commands: Any) -> None:
    """Add ``speed`` and its commands to the sub-parsers ``commands``."""
    speed = commands.add_parser("speed", help="what training, translating and measuring cost",
        description="Measure what a training step, a translation and a measurement cost on this "
        "machine, beside the plain path. Records are kept in results/speed; what is on record for "
        "the same code, environment and settings is not measured again.",
        epilog=f"examples:\n{EXAMPLES}", formatter_class=Help)  # fmt: skip
    kinds = speed.add_subparsers(dest="step", required=True, metavar="WHAT")

    def kind(name: str, run: str = "", **told: str) -> Any:
        made = kinds.add_parser(name, formatter_class=Help, **told)
        made.add_argument("--results", type=Path, default=Path("results"), help="folder of records")
        made.set_defaults(run=_late(run or name))
        return made

    step = kind("step", help="seconds, FLOP and memory of a training step",
        description="Time the chosen ways and the plain path (float32, eager) alternately in one "
        "process, and the peak memory of each in a process of its own.",
        epilog="examples:\n  python -m reproduce speed step --methods munit unit --size 32 64\n"
        "  python -m reproduce speed step --methods munit --size 256 --set dis_layers=3 --steps 3\n"
        "  python -m reproduce speed step --methods munit --preset gpu --device cuda "
        "--precision float32 bf16")  # fmt: skip
    _methods(step)
    _networks(step, preset=None)
    step.add_argument("--size", type=at_least(1), nargs="+", default=[0], metavar="PX",
        help="pictures are SIZE x SIZE (default: the preset's, else 256)")  # fmt: skip
    step.add_argument("--batch", type=at_least(1), nargs="+", default=[0], metavar="N",
        help="pictures of each domain in a step (default: the preset's, else 1)")  # fmt: skip
    step.add_argument("--precision", nargs="+", default=["float32"], metavar="NAME",
        help="float32, bf16")  # fmt: skip
    step.add_argument("--ways", default="all",
        help="ways to be fast: all, plain, or names separated by commas")  # fmt: skip
    step.add_argument("--primitives", action="store_true",
                      help="also time each of a step's convolutions alone")  # fmt: skip
    step.add_argument("--each-way", action="store_true",
        help="also leave out one way at a time, to show what it is worth")  # fmt: skip
    step.add_argument("--steps", type=at_least(1), default=10, help="timed, of each path")
    step.add_argument("--no-memory", action="store_true", help="time alone")
    _common(step)

    stream = kind("translate", help="pictures per second of a stream of translations",
        epilog="example:\n  python -m reproduce speed translate --methods munit --batch 1 32 "
        "--counts 100 1000 10000")  # fmt: skip
    _methods(stream)
    _networks(stream, preset="cpu")
    _drawn(stream, "drawn-shoes")
    stream.add_argument("--batch", type=at_least(1), nargs="+", default=[8, 32], metavar="N",
        help="pictures translated at once")  # fmt: skip
    stream.add_argument("--counts", type=at_least(1), nargs="+", default=[100, 1000, 10000],
        metavar="N", help="note time and peak memory after so many pictures")  # fmt: skip
    _common(stream)

    measure = kind("measure", help="diversity beside the lpips package; IS and CIS",
        epilog="examples:\n  python -m reproduce speed measure\n"
        "  python -m reproduce speed measure --what diversity --protocol consecutive --size 256")  # fmt: skip
    measure.add_argument("--what", nargs="+", choices=("diversity", "modes"),
        default=["diversity", "modes"], help="modes: IS and CIS")  # fmt: skip
    measure.add_argument("--protocol", nargs="+", default=["consecutive", "paper"],
        help="of diversity: which pairs of how many samples")  # fmt: skip
    measure.add_argument("--size", type=at_least(1), default=64, help="of diversity's pictures")
    measure.add_argument("--batch", type=at_least(1), default=16,
        help="pictures, or pairs, that LPIPS sees at once")  # fmt: skip
    measure.add_argument("--inputs", type=at_least(2), default=100)
    measure.add_argument("--samples", type=at_least(2), default=100,
        help="translations of each input for IS and CIS")  # fmt: skip
    measure.add_argument("--method", default="munit", help="that translates for IS and CIS")
    _networks(measure, preset="cpu")
    _drawn(measure, "drawn-housecats-dogs")
    _common(measure)

    data = kind("data", help="share of a training's time spent waiting for pictures",
        epilog="example:\n  python -m reproduce speed data --methods munit --steps 200")  # fmt: skip
    _methods(data)
    _networks(data, preset="cpu")
    _drawn(data, "drawn-shoes")
    data.add_argument("--batch", type=at_least(1), default=0, help="default: the preset's")
    data.add_argument("--precision", default="float32", help="float32, bf16")
    data.add_argument("--steps", type=at_least(1), default=100)
    data.add_argument("--size", type=at_least(8), default=0, metavar="PX",
        help="default: the preset's")  # fmt: skip
    data.add_argument("--workers", type=at_least(0), default=0,
        help="processes that prepare pictures (0: threads)")  # fmt: skip
    _common(data)

    every = kind("all", "every", help="a suite of all of these for this device",
        epilog="examples:\n  python -m reproduce speed all --quick\n"
        "  python -m reproduce speed all --device cuda")  # fmt: skip
    every.add_argument("--quick", action="store_true",
        help="minutes instead of a quarter of an hour")  # fmt: skip
    _data(every)
    _common(every)

    table = kind("table", help="print what is on record",
        epilog="examples:\n  python -m reproduce speed table\n"
        "  python -m reproduce speed table --kind step --format csv")  # fmt: skip
    table.add_argument("--kind", help="step, primitives, each-way, translate, diversity, modes or data "
        "(default: all of them)")  # fmt: skip
    table.add_argument("--format", choices=("markdown", "csv"), default="markdown")
    table.add_argument("--readme", type=Path,
        help="instead put a short one between <!-- speed --> and <!-- /speed --> of this file")  # fmt: skip

    kind("plot", help="draw cost against resolution, width, batch and pictures",
        epilog="example:\n  python -m reproduce speed plot")  # fmt: skip


def _methods(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--methods", nargs="+", default=["munit"], metavar="NAME")


def _networks(parser: argparse.ArgumentParser, preset: str | None) -> None:
    parser.add_argument("--preset", default=preset,
        help="its networks, sizes and batches" + ("" if preset else " (default: as published)"))  # fmt: skip
    parser.add_argument("--width", type=at_least(1), nargs="+", default=[0], metavar="DIM",
        help="channels of the first layers: dim, dis_dim and enc_dim, those that there are")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE",
        help="a setting of the networks; repeatable")  # fmt: skip


def _drawn(parser: argparse.ArgumentParser, task: str) -> None:
    parser.add_argument("--task", default=task, help="a drawn one")
    _data(parser)


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of drawn pictures")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=at_least(1), default=0,
        help="of the processor (default: PyTorch's choice)")  # fmt: skip
    parser.add_argument("--again", action="store_true", help="measure what is on record anew")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def _late(command: str) -> Any:
    """``reproduce.speed.commands.COMMAND``, imported when it runs: --help answers at once."""

    def run(arguments: argparse.Namespace) -> int:
        from reproduce.speed import commands

        done: int = getattr(commands, command)(arguments)
        return done

    return run
