"""What the graph makes, made in this process: a plan, job by job, without Snakemake's start."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from reproduce.commands.cli import main
from reproduce.records.store import Records


def make_here(words: Sequence[str], plan: Path) -> None:
    """Run a command to its end as whoever takes its plan to other machines does; it prints nothing
    of what was made until it is given again."""
    assert main([*words, f"--plan={plan}"]) == 0
    for job in json.loads(plan.read_text())["jobs"]:
        step = shlex.split(job["words"])[3:]  # without python -m reproduce
        at = next(i for i, word in enumerate(step) if word.startswith("--threads="))
        assert main([*step[:at], "--threads=1", *step[at + 1 :]]) == 0


def results_of(root: Path) -> Path:
    """The one folder of results."""
    (folder,) = (root / "results").iterdir()
    return folder


def records_of(root: Path) -> Records:
    return Records(root / "results", results_of(root).name)


def weights_of(root: Path) -> dict[Path, int]:
    """Trainings' last checkpoints, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("runs/**/last.safetensors")}
