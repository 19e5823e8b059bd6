"""``python -m reproduce translate``: pictures, by a trained network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from models.errors import UserError
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "translate", run, help="translate pictures with a checkpoint",
        epilog="examples:\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--samples 19 --out out\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--example red_shoe.png --out out",
    )  # fmt: skip
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("inputs", type=Path, help="a picture, or a folder of pictures")
    sub.add_argument("--out", type=Path, required=True, help="folder for the PNGs")
    styles = sub.add_mutually_exclusive_group()
    styles.add_argument("--samples", type=at_least(1), default=1, help="random styles an input")
    styles.add_argument("--example", type=Path, help="picture(s) of the other domain: take "
        "their style instead of random ones")  # fmt: skip
    sub.add_argument("--direction", default="a2b", help="a2b (default) or b2a")
    sub.add_argument("--seed", type=int, default=0, help="of the random styles")
    options.add_device(sub)
    options.add_progress(sub)


def run(arguments: argparse.Namespace) -> int:
    from reproduce.tasks.pictures import Preparation
    from reproduce.training.checkpoints import load_method
    from reproduce.training.devices import check_device
    from reproduce.training.translate import (
        guided,
        open_inputs,
        parse_direction,
        save_grid,
        stream,
        write_translations,
    )

    direction = parse_direction(arguments.direction)
    method, read = load_method(arguments.checkpoint, check_device(arguments.device))
    if direction not in method.directions:
        raise UserError(f"{read.run.method} translates {' and '.join(method.directions)} only")
    if not {method.config.channels_a, method.config.channels_b} <= {1, 3}:
        raise UserError(f"{arguments.checkpoint} is of a network for neither RGB nor grey pictures")
    source, preparation = open_inputs(arguments.inputs), Preparation(read.run.size)
    for i in range(len(source)):
        source.read(i)  # what cannot be read is told before anything is written
    folder = arguments.inputs.resolve()
    if folder.is_dir() and folder in (arguments.out.resolve(), *arguments.out.resolve().parents):
        raise UserError(
            f"--out {arguments.out} lies in the inputs' folder, where translations would be "
            "inputs the next time: choose another --out"
        )
    if arguments.example is not None:
        examples = open_inputs(arguments.example)
        columns = len(examples)
        pictures = guided(method, source, examples, preparation, direction)
    else:
        columns = arguments.samples
        pictures = stream(
            method, source, preparation, samples=columns, direction=direction, seed=arguments.seed
        )
    suffix = "example" if arguments.example else "sample"
    written = write_translations(
        pictures, arguments.out, len(source) * columns, suffix=suffix,
        progress=not arguments.no_progress,
    )  # fmt: skip
    grid = arguments.out / "grid.png"
    save_grid(source, preparation, written, columns, grid)
    print(f"{len(written)} translations and {grid.name} in {arguments.out}")
    return 0
