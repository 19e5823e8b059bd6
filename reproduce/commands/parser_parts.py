"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.console import at_least


def common(sub: argparse.ArgumentParser) -> None:
    """Of commands that train."""
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


def made_from_runs(sub: argparse.ArgumentParser) -> None:
    """Of commands that train what they need."""
    sub.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept")
    sub.add_argument("--results", type=Path, default=Path("results"))
    sub.add_argument("--jobs", type=at_least(0), default=0,
        help="trainings side by side (default: one a core, at most 4; one on a GPU)")  # fmt: skip
    sub.add_argument("--source", action="append", default=[], metavar="TASK=PATH",
        help="local archive or folder with a task's pictures; repeatable")  # fmt: skip


def lpips_weights(sub: argparse.ArgumentParser) -> None:
    """Of commands that measure diversity."""
    sub.add_argument("--lpips-weights", type=Path,
        help="AlexNet weights (.pth or .safetensors) instead of the ones that are installed")  # fmt: skip


def measured(sub: argparse.ArgumentParser) -> None:
    """Of commands that measure: with which weights, and what."""
    lpips_weights(sub)
    sub.add_argument("--scores", choices=["none", "quality", "all"], help="beside diversity: "
        "nothing; quality, which is preference over MUNIT by an observer (drawn pictures) or a judge; "
        "or all, fidelity and exact scores too; instead of the preset's")  # fmt: skip
    sub.add_argument("--inception-weights", type=Path, help="Inception-v3 weights for "
        "real pictures: torch-fidelity's for table 1, torchvision's for table 2")  # fmt: skip
    sub.add_argument("--inception-sha256", help="what those weights must hash to")
    sub.add_argument("--human", action="append", default=[], metavar="TASK=ANALYSIS.json",
        help="fill Quality from a human study's analysis; repeatable")  # fmt: skip
    sub.add_argument("--protocol", help="paper, consecutive or all-pairs, or one of these with "
        "-v0.1, instead of the preset's")  # fmt: skip
