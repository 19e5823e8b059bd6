"""The paths of data, runs and results, and the provenance that every record contains."""

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

CAUSES = "causes.yaml"  # written by hand, next to the records


@dataclass(frozen=True)
class Places:
    """The folders of pictures, runs and results, and the device."""

    data: Path
    runs: Path
    results: Path
    device: str = "cpu"
    lpips_path: Path | None = None
    progress: bool = True
    inception_path: Path | None = None
    inception_sha256: str | None = None
    workers: int = 0  # data loader processes of a training

    def records(self, preset: Preset, module: str | None = None) -> Records:
        """The records of a preset; with ``module``, ``find`` is limited to those of its current code."""
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
    """The provenance that every record contains, with everything needed to reproduce its number.

    ``real``: the number is about real pictures, so only the pictures of the run matter.
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
    """The machine of a run's training, from its folder: exact bits depend on machine and threads."""
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
    """Set the CPU threads of this process; 0 keeps torch's default."""
    if threads:
        torch.set_num_threads(threads)
