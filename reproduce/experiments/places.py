"""Where things are, and what every record says of where its number comes from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.records.code import code_of
from reproduce.records.environment import environment
from reproduce.records.store import REAL, Records
from reproduce.tasks.registry import open_task
from reproduce.tasks.sources import Domains

CAUSES = "causes.yaml"  # written by hand, beside the records


@dataclass(frozen=True)
class Places:
    """Where pictures, runs and results are kept, and what computes."""

    data: Path
    runs: Path
    results: Path
    device: str = "cpu"
    lpips_path: Path | None = None
    progress: bool = True
    inception_path: Path | None = None
    inception_sha256: str | None = None
    workers: int = 0  # processes that prepare a training's pictures

    def records(self, preset: Preset, module: str | None = None) -> Records:
        """Those of a preset; for ``module``, which measures, those that its code as it is made."""
        return Records(self.results, preset.name, code_of(module) if module else None)


def open_run_task(run: RunConfig, places: Places) -> Domains:
    """The pictures of a run's task."""
    return open_task(
        run.task, data_dir=places.data, size=run.size, train=run.train, test=run.test,
        source=Path(run.source) if run.source else None, progress=places.progress,
    )  # fmt: skip


def facts_of(
    preset: Preset, run: RunConfig, places: Places, *, real: bool = False
) -> dict[str, Any]:
    """What every record says of where its number comes from, and what making it again takes.

    ``real``: it is about real pictures; of the run only its pictures matter.
    """
    facts = {
        "preset": preset.name,
        "changes": dict(preset.changes),
        "measure": asdict(preset.measure),
        "task": run.task,
        "method": REAL if real else run.method,
        "seed": run.seed,
        "size": run.size,
        "environment": environment(places.device),
    }
    if real:
        return facts | {"pictures": {"train": run.train, "test": run.test}}
    return facts | _training(run_folder(places.runs, preset.name, run), run)


def _training(folder: Path, run: RunConfig) -> dict[str, Any]:
    """On what a run was trained, as its folder says: bits depend on the machine and its threads."""
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if told["config_sha256"] != run.digest():
            return {}
        made = told["environment"]
        kept = ("device", "threads", "commit", "dirty", "gpu")
        return {"training": {k: made[k] for k in kept if k in made}}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def set_threads(threads: int) -> None:
    """CPU threads of this process; 0 leaves torch's choice."""
    if threads:
        torch.set_num_threads(threads)
