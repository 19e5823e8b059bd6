"""The arguments of ``python -m reproduce report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.console import at_least


def add_report(commands: Any, shown: dict[str, Any]) -> None:
    """Add the command to ``commands``; ``shown`` is how its help is printed."""
    report = commands.add_parser("report",
        help="one page of everything that a preset's results folder holds, and its PDF",
        description="Writes results/PRESET/report/index.html, which needs nothing from elsewhere, "
        "and report.pdf where pdflatex is at hand. Of runs that are there, learning curves are kept "
        "and drawn, and what is missing of the figures of styles; nothing is trained or measured, "
        "and the page says what is missing and how to make it.",
        epilog="examples:\n  python -m reproduce report --preset cpu\n"
        "  python -m reproduce report --preset cpu --seeds 0 1 2 --out out/report", **shown)  # fmt: skip
    report.add_argument(
        "--preset", default="cpu", help="scale: quick, cpu, gpu, paper or a .yaml file of your own"
    )
    report.add_argument("--seeds", type=at_least(0), nargs="+",
        help="of trainings (default: all that have records)")  # fmt: skip
    report.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="settings that the results were made with; repeatable")  # fmt: skip
    report.add_argument("--out", type=Path, help="folder to write to (default: in the results)")
    report.add_argument("--source", action="append", default=[], metavar="TASK=PATH",
        help="local archive or folder with a task's pictures; repeatable")  # fmt: skip
    report.add_argument("--device", default="cpu", help="cpu or cuda")
    for name, what in (("data", "pictures"), ("runs", "runs"), ("results", "results")):
        report.add_argument(
            f"--{name}", type=Path, default=Path(name), help=f"where {what} are kept"
        )
    report.add_argument("--no-progress", action="store_true", help="no progress bars")
