"""How long jobs of the graph will take: as long as they, or their like, took before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproduce.workflow.graph import Job, read_stamp, stamps_folder


def seconds_of(job: Job, runs: Path) -> float | None:
    """As this job took last time, else as it took with another seed; of a training with another
    number of steps, in proportion. None where no stamp tells."""
    dotted, but_for_seed = (_dotted(name) for name in (job.name, _but_for_seed(job.name)))
    last = _took(job, runs, f"{dotted}.*.json")
    if last is None and but_for_seed != dotted:
        last = _took(job, runs, f"{but_for_seed}.seed*.json")
    return last


def _took(job: Job, runs: Path, pattern: str) -> float | None:
    """Seconds by the newest stamp of this job, or of it with another seed, among these files."""
    found = list[tuple[int, float]]()
    for path in stamps_folder(runs, job.preset).glob(pattern):
        stamp = read_stamp(path)
        if stamp is not None and _but_for_seed(str(stamp.get("name"))) == _but_for_seed(job.name):
            seconds = float(stamp["seconds"]) * _longer(job, stamp)
            found.append((path.stat().st_mtime_ns, seconds))
    return max(found)[1] if found else None


def _longer(job: Job, stamp: Mapping[str, Any]) -> float:
    """How many times the steps of the training that left the stamp ``job`` has."""
    if job.kind != "train":
        return 1.0
    steps = stamp["about"].get("config", {}).get("steps")
    return job.runs[0].steps / steps if steps else 1.0


def _dotted(name: str) -> str:
    return name.replace("/", ".")


def _but_for_seed(name: str) -> str:
    return name.rpartition("/seed")[0] or name
