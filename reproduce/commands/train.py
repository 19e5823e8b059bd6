"""``python -m reproduce train``: train one method on one task."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "train", run, help="train one method on one task",
        epilog="examples:\n  python -m reproduce train munit --task drawn-shoes --preset quick "
        "--out runs/a\n  python -m reproduce train unit --task data/mine --preset cpu --set size=64 "
        "--out runs/b --resume",
    )  # fmt: skip
    sub.add_argument("method", help="e.g. munit, munit-wo-x, unit, cyclegan, bicyclegan")
    sub.add_argument("--task", type=options.task, required=True,
        help="name of a task, or a folder of pictures")  # fmt: skip
    sub.add_argument("--out", type=Path, required=True, help="run directory")
    sub.add_argument("--resume", action="store_true", help="resume from the last checkpoint")
    sub.add_argument("--from", type=Path, dest="start", metavar="CHECKPOINT",
        help="start from the weights of this checkpoint (ours or a converted original) instead of a "
        "random initialisation; weights it lacks (an original's discriminators) are random")  # fmt: skip
    sub.add_argument("--steps", type=at_least(1),
        help="total number of steps, like --set steps=N; with --resume, extends a finished run at "
        "lr_policy's rate for the new steps (if that fell to zero, add --set lr_policy=constant)")  # fmt: skip
    sub.add_argument("--save-minutes", type=at_least(0), metavar="MINUTES",
        help="minutes between checkpoints (default: the preset's, else 10)")  # fmt: skip
    sub.add_argument("--save-every", type=at_least(0), metavar="STEPS",
        help="also save a checkpoint every STEPS steps")  # fmt: skip
    sub.add_argument("--keep", type=at_least(0), metavar="N",
        help="keep the newest N checkpoints, as stepNNNNNNNN.safetensors")  # fmt: skip
    sub.add_argument("--grids", type=at_least(0), metavar="N",
        help="number of sample grids, at geometrically spaced steps (default: the preset's, else 20)")  # fmt: skip
    options.add(sub, "workers")
    sub.add_argument("--ways", default="all", help="speed optimisations: all, plain (none: computes "
        "as the papers describe), or names separated by commas; results are equal up to "
        "rounding")  # fmt: skip
    sub.add_argument("--vgg", type=Path, help="VGG-16 weights for the perceptual loss")
    sub.add_argument("--source", type=Path, help="local archive or folder of the pictures")
    options.add(sub, "preset", "seed")
    options.add(sub, "set",
        help="override any setting, e.g. --set steps=200 --set recon_x=5; repeatable")  # fmt: skip
    options.add(sub, "device", "data", "threads", "no-progress")


def run(arguments: argparse.Namespace) -> int:
    from benchmarks.devices import check_device
    from models.choices import ways_of
    from reproduce.experiments.places import set_threads
    from reproduce.experiments.preset import load_preset
    from reproduce.experiments.run import parse_settings
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import FAILED, Interrupted, Logging, ManyUntaken
    from reproduce.training.session import train

    device = check_device(arguments.device)
    set_threads(arguments.threads)
    source = "" if arguments.source is None else str(arguments.source.resolve())
    steps = [] if arguments.steps is None else [f"steps={arguments.steps}"]
    preset = load_preset(arguments.preset)
    made = preset.make_run(
        arguments.method, arguments.task, arguments.seed,
        parse_settings(arguments.settings + steps), source,
    )  # fmt: skip
    told = {k: getattr(arguments, k) for k in ("save_minutes", "save_every", "keep", "grids")}
    asked = {key: value for key, value in told.items() if value is not None}
    logging = Logging(**{**preset.logging, **asked, "progress": not arguments.no_progress})
    try:
        path = train(
            made, arguments.out, data_dir=arguments.data, device=device, resume=arguments.resume,
            logging=logging, vgg=arguments.vgg, ways=ways_of(arguments.ways),
            workers=arguments.workers, start=arguments.start,
        )  # fmt: skip
    except (Interrupted, KeyboardInterrupt) as stop:
        done = "stopped at once; resume from the last checkpoint with"
        if isinstance(stop, Interrupted):
            done = f"saved after step {stop.step}; resume with"
        print(f"{done}: {resume_hint(arguments.words)}", file=sys.stderr)
        return 130
    except (ManyUntaken, NonFiniteWeight) as error:
        print(
            f"error: {error}: training stopped; {arguments.out / FAILED} has the weights and the batch "
            "that led to it; remove pictures of a single colour, or lower lr", file=sys.stderr,
        )  # fmt: skip
        return 1
    print(path)
    return 0


def resume_hint(words: Sequence[str]) -> str:
    """The command that resumes the interrupted training of the command line ``words``."""
    words = [w for w in words if w != "--resume"]
    return "python -m reproduce " + shlex.join([*words, "--resume"])
