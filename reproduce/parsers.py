"""The arguments of ``python -m reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import Help, Parser, at_least

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
        "2 --preset cpu --task cifar-animals-vehicles", **shown)  # fmt: skip
    table.add_argument("number", type=int, help="the MUNIT paper's table: 1 or 2")
    _common(table)
    _made_from_runs(table)
    _measured(table)
    table.add_argument("--task", action="append", default=[], metavar="TASK", dest="tasks",
        help="this task instead of the preset's; repeatable")  # fmt: skip
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
    _common(figure)
    _made_from_runs(figure)
    figure.add_argument("--attribute",
        help="of CelebA, which domain b of faces has (default: what the command data was given, or "
        "Blond_Hair); runs and results get a name of their own")  # fmt: skip

    every = commands.add_parser("all",
        help="make whatever of a preset is missing or stale: tables, figures and all behind them",
        epilog="examples:\n  python -m reproduce all --preset quick\n  python -m reproduce all "
        "--preset cpu --seeds 0 1 2 --dry-run", **shown)  # fmt: skip
    every.add_argument(
        "--preset", default="cpu", help="scale: quick, cpu, gpu, paper or a .yaml file of your own"
    )
    every.add_argument("--seeds", type=at_least(0), nargs="+", default=[0],
        help="of weights, order, noise: everything is trained once with each")  # fmt: skip
    every.add_argument("--dry-run", action="store_true",
        help="say what would be made, why, and how long it takes")  # fmt: skip
    every.add_argument("--plan", type=Path,
        help="only write the plan, for Snakemake by hand or on a cluster")  # fmt: skip
    every.add_argument("--cores", type=at_least(0), default=0,
        help="of the processor, to use (default: all)")  # fmt: skip
    every.add_argument("--jobs", type=at_least(0), default=0,
        help="trainings side by side (default: one a core, at most 4; one on a GPU)")  # fmt: skip
    every.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="override any setting; its results get a name of their own; repeatable")  # fmt: skip
    every.add_argument("--device", default="cpu", help="cpu or cuda")
    every.add_argument("--source", action="append", default=[], metavar="TASK=PATH",
        help="local archive or folder with a task's pictures; repeatable")  # fmt: skip
    for name, what in (("data", "pictures"), ("runs", "runs"), ("results", "results")):
        every.add_argument(
            f"--{name}", type=Path, default=Path(name), help=f"where {what} are kept"
        )
    every.add_argument("--no-progress", action="store_true", help="no progress bars")

    step = commands.add_parser("step", help="one job of a plan of all, for Snakemake", **shown)
    step.add_argument("job", help="its name, as all --dry-run lists it")
    step.add_argument("--plan", type=Path, required=True, help="written by all")

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
    train.add_argument("--vgg", type=Path, help="VGG-16 weights for the perceptual loss")
    train.add_argument("--source", type=Path, help="local archive or folder of the pictures")
    _common(train)

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

    _about_results(commands, shown)
    _about_claims(commands, shown)
    return top


def _about_results(commands: Any, shown: dict[str, Any]) -> None:
    """Commands that look stored records up, and make them again."""
    results = commands.add_parser("results", help="look stored records up",
        description="The newest records that fit all that is given, one a line; --all shows those "
        "of earlier networks and measurements too.",
        epilog="examples:\n  python -m reproduce results --method munit --metric diversity\n"
        "  python -m reproduce results --preset cpu --task drawn-shoes --metric quality-judged\n"
        "  python -m reproduce results --metric fid --csv fid.csv\n  python -m reproduce results "
        "--seed 0 --columns id,method,metric,value,low,high,time --csv -", **shown)  # fmt: skip
    for name, what in {
        "preset": "a preset's name, as its folder in the results is called",
        "task": "a task's name", "method": "e.g. munit; or real, for real pictures",
        "translation": "a2b or b2a, of measurements in both directions",
        "metric": "a metric's name, or the beginning of several: diversity, fid, quality",
    }.items():  # fmt: skip
        results.add_argument(f"--{name}", help=what)
    results.add_argument("--seed", type=at_least(0), help="of the training")
    results.add_argument("--all", action="store_true", help="not the newest alone")
    results.add_argument(
        "--columns", metavar="A,B,...", help="these columns of the CSV, in a table too"
    )
    form = results.add_mutually_exclusive_group()
    form.add_argument("--csv", metavar="FILE", help="every digit, as CSV; - prints it")
    form.add_argument("--json", action="store_true", help="whole records, or their --columns")
    results.add_argument("--results", type=Path, default=Path("results"))

    rerun = commands.add_parser("rerun", help="make a stored record again, and compare",
        description="Opens or draws the record's pictures, takes its weights from the runs folder or "
        "trains them again, measures by the record's protocol, and says how near the new value comes; "
        "exit code 1 where it lies outside the stored interval. Bits are equal on the same machine "
        "with the same number of threads.",
        epilog="examples:\n  python -m reproduce rerun 77f0fda72038\n  python -m reproduce rerun "
        "77f0 --runs elsewhere/runs --data elsewhere/data", **shown)  # fmt: skip
    rerun.add_argument("record", help="its id, or how it begins (python -m reproduce results)")
    rerun.add_argument("--results", type=Path, default=Path("results"))
    rerun.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept")
    rerun.add_argument("--data", type=Path, default=Path("data"), help="where pictures are kept")
    rerun.add_argument("--append", action="store_true",
        help="add the new record to the stored ones, which stay")  # fmt: skip
    rerun.add_argument("--source", action="append", default=[], metavar="TASK=PATH",
        help="local archive or folder with the task's pictures")  # fmt: skip
    rerun.add_argument("--lpips-weights", type=Path, help="AlexNet weights (torchvision's .pth)")
    rerun.add_argument("--inception-weights", type=Path, help="Inception-v3 weights")
    rerun.add_argument("--device", default="cpu", help="cpu or cuda")
    rerun.add_argument("--threads", type=at_least(0), default=0,
        help="CPU threads (default: as the record tells)")  # fmt: skip
    rerun.add_argument("--no-progress", action="store_true", help="no progress bars")


def _about_claims(commands: Any, shown: dict[str, Any]) -> None:
    """The command that puts the papers' claims to the test."""
    claims = commands.add_parser("claims", help="put the papers' claims to the test",
        description="From stored records alone: each claim's number, its interval over trainings and "
        "inputs, corrected for the number of claims, and whether it holds, fails or is undecided. "
        "What is known of the causes is read from causes.yaml beside the records.",
        epilog="examples:\n  python -m reproduce claims --preset cpu\n"
        "  python -m reproduce claims --preset cpu --seeds 0 1 2 --csv -", **shown)  # fmt: skip
    claims.add_argument(
        "--preset", default="cpu", help="scale: quick, cpu, gpu, paper or a .yaml file of your own"
    )
    claims.add_argument("--seeds", type=at_least(0), nargs="+",
        help="of trainings (default: all that have records)")  # fmt: skip
    claims.add_argument("--results", type=Path, default=Path("results"))
    claims.add_argument("--readme", type=Path,
        help="also write the table between its markers in this file")  # fmt: skip
    claims.add_argument("--csv", metavar="FILE", help="every digit, as CSV; - prints it instead")


def _common(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--preset", default="cpu", help="scale: quick, cpu, gpu, paper or a .yaml file of your own"
    )
    sub.add_argument("--seed", type=at_least(0), default=0,
        help="of weights, order, noise")  # fmt: skip
    sub.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="override any setting, e.g. --set steps=200 --set recon_x=5; repeatable")  # fmt: skip
    sub.add_argument("--device", default="cpu", help="cpu or cuda")
    sub.add_argument("--data", type=Path, default=Path("data"), help="where pictures are kept")
    sub.add_argument("--threads", type=at_least(0), default=0,
        help="CPU threads (default: torch's choice)")  # fmt: skip
    sub.add_argument("--no-progress", action="store_true", help="no progress bars")


def _made_from_runs(sub: argparse.ArgumentParser) -> None:
    """Of commands that train what they need."""
    sub.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept")
    sub.add_argument("--results", type=Path, default=Path("results"))
    sub.add_argument("--jobs", type=at_least(0), default=0,
        help="trainings side by side (default: one a core, at most 4; one on a GPU)")  # fmt: skip
    sub.add_argument("--source", action="append", default=[], metavar="TASK=PATH",
        help="local archive or folder with a task's pictures; repeatable")  # fmt: skip


def _measured(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--lpips-weights", type=Path, help="AlexNet weights (torchvision's .pth)")
    sub.add_argument("--lpips-sha256", help="what those weights must hash to")
    sub.add_argument("--lpips", help="untrained or imagenet, instead of the preset's")
    sub.add_argument("--scores", choices=["none", "quality", "all"], help="beside diversity: "
        "nothing, the judges' preference, or fidelity and exact scores too; instead of the "
        "preset's")  # fmt: skip
    sub.add_argument("--inception-weights", type=Path, help="Inception-v3 weights for "
        "real pictures: torch-fidelity's for table 1, torchvision's for table 2")  # fmt: skip
    sub.add_argument("--inception-sha256", help="what those weights must hash to")
    sub.add_argument("--human", action="append", default=[], metavar="TASK=ANALYSIS.json",
        help="fill Quality from a human study's analysis; repeatable")  # fmt: skip
    sub.add_argument("--protocol", help="paper, consecutive or all-pairs, or one of these with "
        "-v0.1, instead of the preset's")  # fmt: skip
