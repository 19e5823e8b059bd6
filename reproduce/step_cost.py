"""What one training step costs: seconds and peak memory, measured on this machine.

``python -m reproduce.step_cost munit --size 32 --batch 8 --set dim=16 --set dis_dim=16``
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time

import torch

from models.errors import UserError
from models.zoo import make_config, make_method
from reproduce.environment import environment
from reproduce.randomness import generator
from reproduce.runs import parse_settings, refuse_unread
from reproduce.trainer import Trainer


def step_cost(
    method: str, settings: dict[str, str], size: int, batch: int, steps: int
) -> dict[str, object]:
    """Median and range of seconds a step after one warm-up, and the process's peak memory (MiB).

    Pictures are noise in [-1, 1]: the cost does not depend on what they show.
    """
    config = make_config(method, settings)
    refuse_unread(settings, config.unread())
    network = make_method(method, config, generator(0, "weights"))
    network.check_size(size, size)
    trainer = Trainer(network, 0, steps + 1)
    pictures = torch.rand((2, batch, 3, size, size), generator=generator(0, "pictures")) * 2 - 1
    seconds = []
    for step in range(steps + 1):
        begin = time.perf_counter()
        trainer.step(pictures[0], pictures[1], step)
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    timed = seconds[1:]
    return {
        "method": method, "size": size, "batch": batch, "settings": settings, "steps": steps,
        "seconds_median": round(statistics.median(timed), 4),
        "seconds_min": round(min(timed), 4), "seconds_max": round(max(timed), 4),
        "peak_rss_mib": round(peak), "environment": environment(),
    }  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m reproduce.step_cost",
        description="Seconds and peak memory of one training step on this machine.",
        epilog="example: python -m reproduce.step_cost munit --size 32 --batch 8 --set dim=16",
    )
    parser.add_argument("method")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    arguments = parser.parse_args(words)
    try:
        if min(arguments.size, arguments.batch, arguments.steps) < 1 or arguments.threads < 0:
            raise UserError("--size, --batch and --steps must be at least 1, --threads 0 or more")
        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        settings = parse_settings(arguments.settings)
        cost = step_cost(
            arguments.method, settings, arguments.size, arguments.batch, arguments.steps
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(cost))
    return 0


if __name__ == "__main__":
    sys.exit(main())
