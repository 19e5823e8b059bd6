"""The arguments of ``python -m reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import Help, Parser, at_least
from reproduce.commands.ablate_parser import add_ablate
from reproduce.commands.all_parser import add_all
from reproduce.commands.parser_parts import common, made_from_runs, measured
from reproduce.commands.report_parser import add_report
from reproduce.commands.results_parser import add_claims, add_results
from reproduce.commands.store_parser import add_store
from reproduce.speed.parser import add_speed

EXAMPLES = """examples:
  python -m reproduce table 1 --preset quick
  python -m reproduce table 1 --preset cpu --jobs 2
  python -m reproduce figure 4 --preset quick
  python -m reproduce train munit --task drawn-shoes --preset cpu --out runs/mine
  python -m reproduce train munit --task path/to/folder --preset cpu --set size=64 --out runs/real
  python -m reproduce translate runs/mine/last.safetensors path/to/edges --samples 19 --out out
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    shown: dict[str, Any] = dict(formatter_class=Help)
    top = Parser(
        prog="python -m reproduce", epilog=EXAMPLES,
        description="Train UNIT, MUNIT and their baselines; regenerate the papers' tables and "
        "figures.", **shown,
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    table = commands.add_parser("table", help="train and measure what is missing; print the table",
        epilog="examples:\n  python -m reproduce table 1 --preset cpu\n  python -m reproduce table "
        "2 --preset cpu --task cifar-animals-vehicles\n  python -m reproduce table 1 --preset cpu "
        "--seeds 0 1 2 --stored", **shown)  # fmt: skip
    table.add_argument("number", type=int, help="the MUNIT paper's table: 1 or 2")
    common(table)
    made_from_runs(table)
    measured(table)
    table.add_argument("--task", action="append", default=[], metavar="TASK", dest="tasks",
        help="this task instead of the preset's; repeatable")  # fmt: skip
    table.add_argument("--seeds", type=at_least(0), nargs="+",
        help="of several trainings: print means over them; instead of --seed")  # fmt: skip
    table.add_argument("--inputs", type=at_least(2),
        help="measure this many test inputs instead of the preset's; the protocol's name tells")  # fmt: skip
    table.add_argument("--stored", action="store_true",
        help="print the table from stored records alone, without training")  # fmt: skip
    table.add_argument("--readme", type=Path,
        help="with --stored: also write the table between its markers in this file")  # fmt: skip

    figure = commands.add_parser("figure", help="train what is missing; draw the UNIT paper's figure",
        description="Figures of the UNIT paper: inputs, spread evenly over the test set, and their "
        "translations in both directions. 4 is of breeds of dogs, 5 of species of cats, 6 of faces "
        "without and with an attribute: on drawn stand-ins, or with --preset paper on photographs "
        "(for 5 out of ImageNet: give it once with data cat-species --imagenet PATH).",
        epilog="examples:\n  python -m reproduce figure 4 --preset quick\n"
        "  python -m reproduce figure 4 5 6 --preset cpu\n"
        "  python -m reproduce figure 6 --preset paper --device cuda --attribute Smiling "
        "--source faces=path/to/celeba", **shown)  # fmt: skip
    figure.add_argument("numbers", type=int, nargs="+", metavar="NUMBER",
        help="the UNIT paper's figures: 4, 5, 6")  # fmt: skip
    common(figure)
    made_from_runs(figure)
    figure.add_argument("--attribute",
        help="of CelebA, which domain b of faces has (default: what the command data was given, or "
        "Blond_Hair); runs and results get a name of their own")  # fmt: skip

    train = commands.add_parser("train", help="train one method on one task",
        epilog="examples:\n  python -m reproduce train munit --task drawn-shoes --preset quick "
        "--out runs/a\n  python -m reproduce train unit --task data/mine --preset cpu --set size=64 "
        "--out runs/b --resume", **shown)  # fmt: skip
    train.add_argument("method", help="e.g. munit, munit-wo-x, unit, cyclegan, bicyclegan")
    train.add_argument("--task", required=True, help="a task's name, or a folder of pictures")
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.add_argument("--save-every", type=at_least(1), default=500, metavar="STEPS",
        help="steps from checkpoint to checkpoint")  # fmt: skip
    train.add_argument("--sample-every", type=at_least(1), default=500, metavar="STEPS",
        help="steps from sample grid to sample grid")  # fmt: skip
    train.add_argument("--workers", type=at_least(0), default=0,
        help="processes that prepare pictures (0: threads of this one), where a fast GPU waits for "
        "large ones (python -m reproduce speed data)")  # fmt: skip
    train.add_argument("--ways", default="all", help="ways to be fast: all, plain (as the papers "
        "say, step by step), or names separated by commas; the numbers are the same but for "
        "rounding")  # fmt: skip
    train.add_argument("--vgg", type=Path, help="VGG-16 weights for the perceptual loss")
    train.add_argument("--source", type=Path, help="local archive or folder of the pictures")
    common(train)

    translate = commands.add_parser("translate", help="translate pictures with a checkpoint",
        epilog="examples:\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--samples 19 --out out\n  python -m reproduce translate runs/a/last.safetensors edges/ "
        "--example red_shoe.png --out out", **shown)  # fmt: skip
    translate.add_argument("checkpoint", type=Path)
    translate.add_argument("inputs", type=Path, help="a picture, or a folder of pictures")
    translate.add_argument("--out", type=Path, required=True, help="folder for the PNGs")
    styles = translate.add_mutually_exclusive_group()
    styles.add_argument("--samples", type=at_least(1), default=1, help="random styles an input")
    styles.add_argument("--example", type=Path, help="picture(s) of the other domain: take "
        "their style instead of random ones")  # fmt: skip
    translate.add_argument("--direction", default="a2b", help="a2b (default) or b2a")
    translate.add_argument("--seed", type=int, default=0, help="of the random styles")
    translate.add_argument("--device", default="cpu")
    translate.add_argument("--no-progress", action="store_true", help="no progress bars")

    data = commands.add_parser("data", help="draw, download or sort the pictures of a task",
        epilog="examples:\n  python -m reproduce data drawn-shoes --size 256 --train 1000\n"
        "  python -m reproduce data cifar-animals-vehicles\n"
        "  python -m reproduce data housecats-bigcats --imagenet path/to/imagenet\n"
        "  python -m reproduce data path/to/sorted --domains cats dogs", **shown)  # fmt: skip
    data.add_argument("task", help="a task's name, or a folder of pictures")
    data.add_argument("--data", type=Path, default=Path("data"), help="where pictures are kept")
    data.add_argument("--source", type=Path,
        help="local archive or folder with the pictures (two domains, or sorted as train|test/"
        "<domain>/<class>, or a data set's own form); later commands find them")  # fmt: skip
    data.add_argument("--pets", type=Path,
        help="local copy of Oxford-IIIT Pet, for house cats and dogs (default: download)")  # fmt: skip
    data.add_argument("--imagenet", type=Path,
        help="local folder of ImageNet's synsets, for big cats")  # fmt: skip
    data.add_argument("--attribute",
        help="of CelebA, which domain b of faces has (default: Blond_Hair)")  # fmt: skip
    data.add_argument("--domains", nargs=2, metavar=("A", "B"),
        help="which two of a folder of classes")  # fmt: skip
    data.add_argument("--size", type=at_least(1), default=32, help="pixels, if drawn")
    data.add_argument("--train", type=at_least(1), default=4000,
        help="training pictures a domain, if drawn")  # fmt: skip
    data.add_argument("--test", type=at_least(1), default=200, help="test pairs, if drawn")
    data.add_argument("--no-progress", action="store_true", help="no progress bars")

    convert = commands.add_parser("convert", help="original releases' checkpoints, in and out",
        epilog="examples:\n  python -m reproduce convert gen_01000000.pt --method munit "
        "--out munit.safetensors\n  python -m reproduce convert runs/a/last.safetensors --out "
        "gen.pt", **shown)  # fmt: skip
    convert.add_argument("checkpoint", type=Path)
    convert.add_argument("--method", help="what an original's file holds: munit, unit-release, "
        "cyclegan or bicyclegan")  # fmt: skip
    convert.add_argument("--out", type=Path, required=True)
    convert.add_argument("--size", type=at_least(1), default=256,
        help="picture size it was trained at")  # fmt: skip

    add_all(commands, shown)
    add_ablate(commands, shown)
    add_results(commands, shown)
    add_claims(commands, shown)
    add_report(commands, shown)
    add_store(commands, shown)
    add_speed(commands)
    return top
