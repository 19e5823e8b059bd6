"""What the commands of ``python -m reproduce speed`` do."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.files import check_folder
from models.choices import ways_of
from models.errors import UserError
from models.zoo import nearest
from reproduce.analysis.table import fill_readme
from reproduce.experiments.run import parse_settings
from reproduce.speed import table as tables
from reproduce.speed.planning import (
    Networks,
    Where,
    diversities,
    modes,
    steps,
    suite,
    translations,
    waits,
)
from reproduce.speed.store import PRESET, Measurement, load, take
from reproduce.speed.table import brief


def step(arguments: argparse.Namespace) -> int:
    """``speed step``."""
    ways = ways_of(arguments.ways)
    if arguments.each_way and len(ways) < 2:
        raise UserError("--each-way leaves out one of several ways: give --ways all, or two names")
    found = []
    sizes = itertools.product(arguments.size, arguments.batch, arguments.precision)
    for (size, batch, precision), networks in itertools.product(sizes, _networks(arguments)):
        found += steps(
            arguments.methods, networks, _where(arguments), size=size, batch=batch, ways=ways,
            precision=precision, count=arguments.steps, each_way=arguments.each_way,
            memory=not arguments.no_memory, primitives=arguments.primitives,
        )  # fmt: skip
    return _show(found, arguments)


def translate(arguments: argparse.Namespace) -> int:
    """``speed translate``."""
    found = []
    for networks in _networks(arguments):
        found += translations(
            arguments.methods, networks, _where(arguments), batches=arguments.batch,
            counts=arguments.counts, task=arguments.task,
        )  # fmt: skip
    return _show(found, arguments)


def measure(arguments: argparse.Namespace) -> int:
    """``speed measure``."""
    found = []
    if "diversity" in arguments.what:
        found += diversities(
            _where(arguments), protocols=arguments.protocol, size=arguments.size,
            batch=arguments.batch, inputs=arguments.inputs,
        )  # fmt: skip
    if "modes" in arguments.what:
        found += [
            modes(arguments.method, networks, _where(arguments), inputs=arguments.inputs,
                  samples=arguments.samples, task=arguments.task)
            for networks in _networks(arguments)
        ]  # fmt: skip
    return _show(found, arguments)


def data(arguments: argparse.Namespace) -> int:
    """``speed data``."""
    found = []
    for networks in _networks(arguments):
        found += waits(
            arguments.methods, networks, _where(arguments), count=arguments.steps,
            batch=arguments.batch, task=arguments.task, precision=arguments.precision,
            size=arguments.size, workers=arguments.workers,
        )  # fmt: skip
    return _show(found, arguments)


def every(arguments: argparse.Namespace) -> int:
    """``speed all``."""
    return _show(suite(_where(arguments), quick=arguments.quick), arguments)


def table(arguments: argparse.Namespace) -> int:
    """``speed table``."""
    kinds = [arguments.kind] if arguments.kind else list(tables.TITLES)
    if kinds[0] not in tables.TITLES:
        raise UserError(f"unknown kind '{kinds[0]}': {nearest(kinds[0], tables.TITLES)}")
    records = load(arguments.results)
    if arguments.readme is not None:
        fill_readme(arguments.readme, PRESET, brief(records))
        return 0
    if arguments.format == "csv":
        if len(kinds) > 1:
            raise UserError("a CSV holds one table: add --kind, e.g. --kind step")
        print(tables.table(kinds[0], records).csv(), end="")
    else:
        _print(kinds, records)
    return 0


def plot(arguments: argparse.Namespace) -> int:
    """``speed plot``."""
    from reproduce.speed.plot import plot_all

    for path in plot_all(load(arguments.results), arguments.results / PRESET):
        print(path)
    return 0


def _where(arguments: argparse.Namespace) -> Where:
    return Where(arguments.device, arguments.threads)


def _networks(arguments: argparse.Namespace) -> Iterator[Networks]:
    for width in arguments.width:
        yield Networks(arguments.preset or "", width, parse_settings(arguments.settings))


def _show(measurements: list[Measurement], arguments: argparse.Namespace) -> int:
    """Take them, and print the tables that they make."""
    folder = getattr(arguments, "data", Path("data"))
    check_folder("--data", folder, written=False)
    check_folder("--results", arguments.results)
    records, failed = take(
        measurements, arguments.results, folder, again=arguments.again,
        progress=not arguments.no_progress,
    )  # fmt: skip
    _print(tables.TITLES, records)
    if failed:
        raise UserError(f"{len(failed)} of {len(failed) + len(records)} not measured; {failed[0]}")
    return 0


def _print(kinds: Iterable[str], records: list[dict[str, Any]]) -> None:
    texts = (tables.table(kind, records).markdown() for kind in kinds)
    print("\n".join(filter(None, texts)), end="", flush=True)
