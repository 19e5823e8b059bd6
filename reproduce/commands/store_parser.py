"""The arguments of ``python -m reproduce store``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.console import at_least


def add_store(commands: Any, shown: dict[str, Any]) -> None:
    """Add the command to the program's."""
    store = commands.add_parser("store", help="store the weights behind the tables, for pytest "
        "tests/regression",
        description="Copies what translating needs of every run that the newest records of a "
        "preset's tables are about, and the networks that measure, to RESULTS/PRESET/weights: no "
        "discriminators, no optimiser's state, float16, at most 40 MB in all. From these, pytest "
        "tests/regression measures the tables again. With --small-run: the runs that a training "
        "made again by these tests is compared with.",
        epilog="examples:\n  python -m reproduce store --preset cpu --seeds 0\n"
        "  python -m reproduce store --small-run --seeds 0 1 2 3 4 5 6 7 8 9", **shown)  # fmt: skip
    store.add_argument("--preset", default="cpu", help="whose tables")
    store.add_argument("--seeds", type=at_least(0), nargs="+", default=[0], help="of the runs")
    store.add_argument("--small-run", action="store_true",
        help="train and measure the small run with each seed, into RESULTS/regression")  # fmt: skip
    store.add_argument("--data", type=Path, default=Path("data"), help="where pictures are kept")
    store.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept")
    store.add_argument("--results", type=Path, default=Path("results"))
    store.add_argument("--no-progress", action="store_true", help="no progress bars")
