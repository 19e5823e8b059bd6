"""``python -m reproduce train``: one method on one task."""

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
    sub.add_argument("--task", required=True, help="a task's name, or a folder of pictures")
    sub.add_argument("--out", type=Path, required=True, help="folder of the run")
    sub.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    sub.add_argument("--save-every", type=at_least(1), default=500, metavar="STEPS",
        help="steps from checkpoint to checkpoint")  # fmt: skip
    sub.add_argument("--sample-every", type=at_least(1), default=500, metavar="STEPS",
        help="steps from sample grid to sample grid")  # fmt: skip
    sub.add_argument("--workers", type=at_least(0), default=0,
        help="processes that prepare pictures (0: threads of this one), where a fast GPU waits for "
        "large ones (python -m reproduce speed data)")  # fmt: skip
    sub.add_argument("--ways", default="all", help="ways to be fast: all, plain (as the papers "
        "say, step by step), or names separated by commas; the numbers are the same but for "
        "rounding")  # fmt: skip
    sub.add_argument("--vgg", type=Path, help="VGG-16 weights for the perceptual loss")
    sub.add_argument("--source", type=Path, help="local archive or folder of the pictures")
    options.add_preset(sub)
    options.add_seed(sub)
    options.add_settings(sub, "override any setting, e.g. --set steps=200 --set recon_x=5")
    options.add_device(sub)
    options.add_places(sub, "data")
    options.add_threads(sub)
    options.add_progress(sub)


def run(arguments: argparse.Namespace) -> int:
    from benchmarks.devices import check_device
    from models.choices import ways_of
    from reproduce.experiments.places import set_threads
    from reproduce.experiments.preset import load_preset
    from reproduce.experiments.run import parse_settings
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import FAILED, Interrupted, Logging
    from reproduce.training.session import train
    from reproduce.training.trainer import NonFiniteLoss

    device = check_device(arguments.device)
    set_threads(arguments.threads)
    source = "" if arguments.source is None else str(arguments.source.resolve())
    made = load_preset(arguments.preset).make_run(
        arguments.method, arguments.task, arguments.seed,
        dict(parse_settings(arguments.settings)), source,
    )  # fmt: skip
    logging = Logging(
        save_every=arguments.save_every,
        sample_every=arguments.sample_every,
        progress=not arguments.no_progress,
    )
    try:
        path = train(
            made, arguments.out, data_dir=arguments.data, device=device, resume=arguments.resume,
            logging=logging, vgg=arguments.vgg, ways=ways_of(arguments.ways),
            workers=arguments.workers,
        )  # fmt: skip
    except Interrupted as stop:
        again = resume_hint(arguments.words)
        print(f"saved after step {stop.step}; to go on: {again}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        again = resume_hint(arguments.words)
        print(f"stopped at once; to go on from the last checkpoint: {again}", file=sys.stderr)
        return 130
    except (NonFiniteLoss, NonFiniteWeight) as error:
        print(
            f"error: {error}: training stopped; the weights and the batch that led to it are in "
            f"{arguments.out / FAILED}; try a lower lr", file=sys.stderr,
        )  # fmt: skip
        return 1
    print(path)
    return 0


def resume_hint(words: Sequence[str]) -> str:
    """The command that goes on with what was begun with ``words`` and interrupted."""
    words = [w for w in words if w != "--resume"]
    return "python -m reproduce " + shlex.join([*words, "--resume"])
