"""The arguments of commands about stored records: results, rerun, claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from reproduce.commands.parser_parts import lpips_weights


def add_results(commands: Any, shown: dict[str, Any]) -> None:
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
    form.add_argument("--csv", metavar="FILE", help="as CSV, nine digits a number; - prints it")
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
    lpips_weights(rerun)
    rerun.add_argument("--inception-weights", type=Path, help="Inception-v3 weights")
    rerun.add_argument("--device", default="cpu", help="cpu or cuda")
    rerun.add_argument("--threads", type=at_least(0), default=0,
        help="CPU threads (default: as the record tells)")  # fmt: skip
    rerun.add_argument("--no-progress", action="store_true", help="no progress bars")


def add_claims(commands: Any, shown: dict[str, Any]) -> None:
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
    claims.add_argument(
        "--csv", metavar="FILE", help="as CSV, nine digits a number; - prints it instead"
    )
