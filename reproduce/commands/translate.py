"""``python -m reproduce translate``: translate pictures with a trained network."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.console import at_least, in_utf8
from models.errors import UserError
from reproduce.commands import options

if TYPE_CHECKING:
    from torch import Tensor

    from models.method import Direction, Method
    from reproduce.tasks.pictures import Preparation
    from reproduce.tasks.sources import PictureSource
    from reproduce.training.translate import Translation

BATCH = 32  # pictures per batch, at the training size
MOST = 10_000  # styles per input, all kept in memory
LONGEST_NAME = 230  # bytes: file systems allow 255, and numbers and a suffix follow


def add(commands: Any) -> None:
    sub = options.command(
        commands, "translate", run, help="translate pictures with a checkpoint",
        epilog="examples:\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--samples 19 --out out\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--example red_shoe.png --out out\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--samples 8 --styles eight.npz --out out\n  python -m reproduce translate "
        "runs/a/last.safetensors edges/ --interpolate 0 1 20 --out out\n  python -m reproduce translate "
        "runs/a/last.safetensors edges/ --size keep --format jpeg --out out",
    )  # fmt: skip
    sub.add_argument("checkpoint", type=Path, help="checkpoint of a run, or a converted original")
    sub.add_argument("inputs", type=Path, help="a picture, or a folder of pictures")
    sub.add_argument("--out", type=Path, required=True, help="output folder")
    styles = sub.add_mutually_exclusive_group()
    styles.add_argument("--samples", type=at_least(1, MOST),
        help="random styles per input (default: 1)")  # fmt: skip
    styles.add_argument("--example", "--style-of", type=Path, help="use the style of this picture of "
        "the other domain, or of each in a folder, instead of random styles")  # fmt: skip
    styles.add_argument("--interpolate", nargs=3, type=at_least(0, MOST), metavar=("A", "B", "STEPS"),
        help="interpolate from random style number A to B: STEPS frames per input, and a GIF")  # fmt: skip
    sub.add_argument("--styles", type=Path, metavar="FILE.npz", help="use the styles in this file for "
        "every input; if it does not exist, draw random styles and save them there")  # fmt: skip
    sub.add_argument("--size", type=_size, metavar="SIZE", help="size of the translations: keep (each "
        "picture's own; sides the network cannot take are padded by reflection and cropped back), or "
        "PX or HEIGHTxWIDTH (pictures are scaled to cover, then cropped) (default: as trained)")  # fmt: skip
    sub.add_argument("--format", choices=("png", "jpeg", "webp"), default="png",
        help="jpeg and webp (quality 95) change LPIPS and FID: use png to measure")  # fmt: skip
    sub.add_argument("--direction", choices=("a2b", "b2a"), default="a2b")
    sub.add_argument("--seed", type=int, default=0, help="random seed of the styles")
    options.add(sub, "device", "no-progress")


def _size(word: str) -> tuple[int, int] | str:
    """Parse --size: ``keep``, or (height, width) in pixels."""
    if word == "keep":
        return word
    height, _, width = word.partition("x")
    try:
        return int(height), int(width or height)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{word}: write keep, a number of pixels, or HEIGHTxWIDTH, e.g. 64x96"
        ) from None


def run(arguments: argparse.Namespace) -> int:
    from torch import Tensor

    from benchmarks.devices import check_device
    from benchmarks.files import check_folder
    from reproduce.tasks.pictures import Preparation
    from reproduce.training.checkpoints import load_method
    from reproduce.training.styles import (
        FILE,
        has_styles,
        save_styles,
        styles_of_inputs,
        walk,
        with_gifs,
    )
    from reproduce.training.translate import stream
    from reproduce.training.translate_files import (
        as_they_are,
        guided,
        open_inputs,
        recode,
        save_grid,
        write_translations,
    )

    check_folder("--out", arguments.out)
    direction: Direction = arguments.direction
    method, read = load_method(arguments.checkpoint, check_device(arguments.device))
    if direction not in method.directions:
        raise UserError(f"{read.run.method} translates {' and '.join(method.directions)} only")
    if not {method.config.channels_a, method.config.channels_b} <= {1, 3}:
        raise UserError(f"{arguments.checkpoint} has a network for neither RGB nor grey pictures")
    keep = arguments.size == "keep"
    preparation = Preparation(read.run.size if keep else arguments.size or read.run.size)
    if not keep:
        method.check_size(*preparation.shape, training=False)
    source = open_inputs(arguments.inputs)
    for i in range(len(source)):
        source.read(i)  # raises for unreadable pictures before anything is written
        in_utf8(str(source.path(i)))
        if len(Path(source.ids[i]).name.encode()) > LONGEST_NAME:
            raise UserError(
                f"{source.path(i)}: the name is too long to name translations by: shorten it"
            )
    folder = arguments.inputs.resolve()
    if folder.is_dir() and folder in (arguments.out.resolve(), *arguments.out.resolve().parents):
        raise UserError(
            f"--out {arguments.out} is inside the inputs' folder, where the next call would take "
            "translations as inputs: choose another --out"
        )
    size, columns, suffix = preparation.shape, arguments.samples or 1, "sample"
    examples, styles, kept = list[Tensor](), None, None
    if arguments.example is not None:
        if arguments.styles is not None:
            raise UserError("--styles and --example: give only one of them")
        given = open_inputs(arguments.example)
        examples = [preparation.at_test()(given.read(k)) for k in range(len(given))]
        columns, suffix = len(examples), "example"
    else:
        if arguments.interpolate or arguments.styles:
            styles = _fixed(arguments, method, size, direction)
            columns = len(next(iter(styles.values())))
        if arguments.interpolate:
            first, last, columns = arguments.interpolate
            if columns < 2:
                raise UserError(f"--interpolate: {columns} steps are too few, use at least 2")
            assert styles is not None
            styles, suffix = walk(styles, first, last, columns), "frame"
        elif arguments.samples not in (None, columns):
            raise UserError(
                f"--samples {arguments.samples}: {arguments.styles} has {columns} styles: leave "
                "--samples out, or name a new file"
            )
        if has_styles(method, size):
            kept = styles or styles_of_inputs(
                method, source.ids, columns, size, direction, arguments.seed
            )

    def translated(of: PictureSource, at: Preparation) -> Iterator[Translation]:
        if examples:
            return guided(method, of, at, examples, direction)
        batch = max(1, BATCH * read.run.size**2 // math.prod(at.shape)) if keep else BATCH
        return stream(
            method, of, at, samples=columns, direction=direction, seed=arguments.seed,
            batch_size=batch, styles=styles,
        )  # fmt: skip

    pictures = as_they_are(method, source, translated) if keep else translated(source, preparation)
    if arguments.interpolate:
        pictures = with_gifs(pictures, arguments.out)
    written = write_translations(
        pictures, arguments.out, len(source) * columns, suffix=suffix,
        progress=not arguments.no_progress,
    )  # fmt: skip
    if kept is not None:
        save_styles(arguments.out / FILE, kept, input_ids=source.ids)
    grid = arguments.out / "grid.png"
    save_grid(source, preparation, written, columns, grid)
    recode(written, arguments.format)
    if arguments.format != "png":
        print("note: compression changes LPIPS and FID: use png to measure", file=sys.stderr)
    print(f"{len(written)} translations and {grid.name} in {arguments.out}")
    return 0


def _fixed(
    arguments: argparse.Namespace, method: Method, size: tuple[int, int], direction: Direction
) -> dict[str, Tensor]:
    """The styles that all inputs share: those in --styles, else random ones, saved to --styles if it
    is given."""
    from reproduce.training.styles import drawn_styles, load_styles, save_styles

    file = arguments.styles
    if file is not None and file.suffix != ".npz":
        raise UserError(f"--styles {file}: styles are stored as .npz: rename it")
    if file is not None and file.exists():
        return load_styles(file, method, size)
    count = max(arguments.interpolate[:2]) + 1 if arguments.interpolate else arguments.samples or 1
    styles = drawn_styles(method, count, size, direction, arguments.seed)
    if file is not None:
        save_styles(file, styles)
    return styles
