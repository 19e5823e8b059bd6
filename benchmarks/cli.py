"""``python -m benchmarks``: the numbers of anyone's translations, and the human preference study."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import benchmarks.measure as measure
import benchmarks.study.cli as study
from benchmarks.console import Help, Parser, run_command
from models.errors import UserError

EXAMPLES = "  python -m benchmarks lpips a.png b.png --version 0.0\n"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        prog="python -m benchmarks", formatter_class=Help, epilog=f"examples:\n{measure.EXAMPLES}{EXAMPLES}{study.EXAMPLES}",
        description="Measure translations by any method under the MUNIT paper's protocols, or ask "
        "people about them.",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    measure.add_commands(commands)
    add_lpips(commands)
    study.add_commands(commands)
    return top


def main(words: list[str] | None = None) -> int:
    """Run a command; 2 for bad input, 130 when interrupted."""
    arguments = parser().parse_args(sys.argv[1:] if words is None else words)
    return run_command(arguments.run, arguments)


def add_lpips(commands: Any) -> None:
    """Add ``lpips`` to the sub-parsers ``commands``."""
    parser = commands.add_parser("lpips", help="the LPIPS distance of two pictures",
        description="Print the LPIPS distance (AlexNet trained on ImageNet) of two pictures of one "
        "size. Grey pictures become RGB, transparent ones are laid on white.",
        epilog=f"example:\n{EXAMPLES}", formatter_class=Help)  # fmt: skip
    parser.add_argument("pictures", type=Path, nargs=2, metavar="PICTURE")
    parser.add_argument("--version", choices=("0.0", "0.1"), default="0.1",
        help="of LPIPS; the MUNIT paper's is 0.0")  # fmt: skip
    parser.set_defaults(run=print_distance)


def print_distance(arguments: argparse.Namespace) -> int:
    """Print the distance; what may surprise about it goes to standard error."""
    # Imported late: --help needs none of it.
    import numpy as np
    import torch

    from benchmarks.metrics.lpips_features import LpipsDistance, measured_size
    from benchmarks.networks.weights import trained
    from benchmarks.pictures import read

    first, second = arguments.pictures
    for path in arguments.pictures:
        if not path.is_file():
            raise UserError(f"{path}: no such file: give two pictures")
    images = [read(path) for path in arguments.pictures]
    sizes = ["{}x{}".format(*image.size) for image in images]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"{first} is {sizes[0]} and {second} is {sizes[1]} (width x height): scale one to the "
            "other's size"
        )
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
    distance = LpipsDistance(trained(arguments.version))
    features = distance.features(pixels.permute(0, 3, 1, 2) / 127.5 - 1)
    height, width = measured_size(*pixels.shape[1:3])
    if f"{width}x{height}" != sizes[0]:
        print(f"note: enlarged from {sizes[0]} to {width}x{height}", file=sys.stderr)
    if any(path.suffix.lower() in (".jpg", ".jpeg") for path in arguments.pictures):
        print("note: JPEG compression changes LPIPS: compare PNGs if you can", file=sys.stderr)
    print(f"{float(distance.distance(features[:1], features[1:])):.6f}")
    return 0
