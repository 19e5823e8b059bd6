"""The arguments of ``python -m reproduce all``, and of the jobs that it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.console import at_least


def add_all(commands: Any, shown: dict[str, Any]) -> None:
    """The command that makes everything, and the hidden one that makes a job."""
    every = commands.add_parser("all",
        help="make whatever of a preset is missing or stale: tables, figures and all behind them",
        epilog="examples:\n  python -m reproduce all --preset quick\n  python -m reproduce all "
        "--preset cpu --seeds 0 1 2 --dry-run", **shown)  # fmt: skip
    every.add_argument(
        "--preset", default="cpu", help="scale: quick, cpu, gpu, paper or a .yaml file of your own"
    )
    every.add_argument("--seeds", type=at_least(0), nargs="+",
        help="of weights, order, noise: everything is trained once with each (default: those on "
        "record for the preset, else 0)")  # fmt: skip
    every.add_argument("--dry-run", action="store_true",
        help="say what would be made, why, and how long it takes")  # fmt: skip
    every.add_argument("--plan", type=Path,
        help="only write the plan, for Snakemake by hand or on a cluster")  # fmt: skip
    every.add_argument("--cores", type=at_least(0), default=0,
        help="of the processor, to use (default: all)")  # fmt: skip
    every.add_argument("--jobs", type=at_least(0), default=0,
        help="trainings side by side (default: one a core, at most 4; with --device cuda one a "
        "GPU, each on its own)")  # fmt: skip
    every.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="override any setting; its results get a name of their own; repeatable")  # fmt: skip
    every.add_argument("--device", default="cpu", help="cpu or cuda")
    every.add_argument("--source", action="append", default=[], metavar="TASK=PATH",
        help="local archive or folder with a task's pictures; repeatable")  # fmt: skip
    for name, what in (("data", "pictures"), ("runs", "runs"), ("results", "results")):
        every.add_argument(
            f"--{name}", type=Path, default=Path(name), help=f"where {what} are kept"
        )
    every.add_argument("--profile", metavar="DIR",
        help="a Snakemake profile: where jobs run, e.g. slurm (reproduce/workflow/CLUSTERS.md)")  # fmt: skip
    every.add_argument("--gpus-per-training", type=at_least(1), default=1, metavar="N",
        help="GPUs that share each training's batches")  # fmt: skip
    every.add_argument("--no-progress", action="store_true", help="no progress bars")

    step = commands.add_parser("step", help="one job of a plan of all, for Snakemake", **shown)
    step.add_argument("job", help="its name, as all --dry-run lists it")
    step.add_argument("--plan", type=Path, required=True, help="written by all")
