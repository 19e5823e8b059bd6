"""Records of every kind of Table 1, of runs that learn nothing, to be made again or tampered with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from stored_judges import store_classifier

from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.kinds import measure_runs
from reproduce.measuring.subject import open_pictures
from reproduce.records.store import Records, line_of, record_id

DIVERSITY = "diversity-lpips"
Told = tuple[int, str, str]  # an exit code, output and errors


def preset() -> Preset:
    quick = load_preset("quick")
    measure = replace(quick.measure, inputs=4, samples=4)
    return replace(quick, name="quick+0a1b2c3d", measure=measure)


def runs() -> list[RunConfig]:
    sizes = {"steps": 2, "train": 100, "test": 10}
    return [tiny.run_of(method, **sizes) for method in ("munit", "cyclegan")]


def made_once(root: Path) -> Places:
    """Two trained methods and records of every kind of Table 1. The classifier is untrained, and
    says otherwise."""
    places = tiny.places_of(root)
    for run in runs():
        tiny.train_in_place(preset(), run, places)
    measure_runs(["diversity"], preset(), runs(), places)
    store_classifier(open_pictures(runs()[0], places), places)
    for kind in ("exact", "fidelity", "theory"):  # each in a pass of its own, as when made again
        measure_runs([kind], preset(), runs()[:1], places)
    measure_runs(["observed", "judged"], preset(), runs(), places)
    return places


def rerun(
    made: Places, capsys: pytest.CaptureFixture[str], record: dict[str, Any], *more: str,
    **places: Path,
) -> Told:  # fmt: skip
    """``rerun`` of a record in places of one's own: its exit code and what it said."""
    there = {"results": made.results, "runs": made.runs, "data": made.data} | places
    options = [f"--{name}={path}" for name, path in there.items()]
    capsys.readouterr()
    code = main(["rerun", record_id(record)[:8], "--no-progress", *options, *more])
    told = capsys.readouterr()
    return code, told.out, told.err


def stored(places: Places, metric: str, method: str = "munit") -> dict[str, Any]:
    record = Records(places.results, preset().name).find(metric=metric, method=method)
    assert record is not None
    return record


def with_records(folder: Path, *records: dict[str, Any]) -> Path:
    """A results folder with these very records."""
    path = folder / "results" / preset().name / "records.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(line_of(record) + "\n" for record in records))
    return folder / "results"


def changed(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {k: v for k, v in (record | fields).items() if v is not None}


def refused(told: Told, *reasons: str) -> None:
    code, _, error = told
    lines = [line for line in error.splitlines() if not line.startswith("note: ")]
    assert code == 2 and len(lines) == 1 and lines[0].startswith("error: "), error
    for reason in reasons:
        assert reason in lines[0]


def perturbed(checkpoint: Path, target: Path) -> Path:
    """Another network, which translates everything to one colour, in a checkpoint that says it is
    the same."""
    with safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = {k: torch.full_like(t, -0.01) for k, t in load_file(checkpoint).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target, about)
    return target
