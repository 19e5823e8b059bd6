"""Trainings side by side: whatever of a table's runs is missing, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from benchmarks.metrics.diversity_protocols import get_protocol
from models.errors import UserError
from models.zoo import recipe
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset, own_overrides
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.records.code import training_code
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.training.checkpoints import Checkpoint, read_checkpoint
from reproduce.training.loop import LAST
from reproduce.training.signals import handled

OUTSIDE_DIGESTS = "a trained network is named by its run and its file"


@dataclass
class _Job:
    run: RunConfig
    folder: Path
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    bar: tqdm  # type: ignore[type-arg]

    def look(self) -> None:
        """Move the bar to where the training says that it is."""
        try:
            state = json.loads((self.folder / "progress.json").read_text())
        except (OSError, ValueError):
            return
        self.bar.n = min(state["step"], self.run.steps)
        self.bar.refresh()


def checkpoint_of(preset: Preset, run: RunConfig, places: Places) -> Path:
    """Where the trained weights of a run are, or will be."""
    return run_folder(places.runs, preset.name, run) / LAST


def found_checkpoint(preset: Preset, run: RunConfig, places: Places) -> Checkpoint | None:
    """The run's last checkpoint, without what only a training reads; None where there is none, or
    it is damaged: the training goes on from the one before, or says why it cannot.

    Raises UserError where it is that of other settings.
    """
    path = checkpoint_of(preset, run, places)
    if not path.exists():
        return None
    try:
        found = read_checkpoint(path, weights_only=True)
    except UserError:
        return None
    different = run.differences(found.run)
    if different:
        raise UserError(
            f"{path.parent} holds a run with other settings, {'; '.join(different[:3])}: "
            "remove it, or give another --runs folder"
        )
    return found


def is_trained(preset: Preset, run: RunConfig, places: Places, pictures: str) -> bool:
    """Whether the run's checkpoint exists with these very settings and ``pictures`` (their
    fingerprint), at its last step. That it was trained by other code is said, no more."""
    found = found_checkpoint(preset, run, places)
    if found is None:
        return False
    if found.data != pictures:
        raise UserError(
            f"{checkpoint_of(preset, run, places).parent} holds a run on other pictures of "
            f"{run.task} than these: restore them (--source), remove it, or give another --runs "
            "folder"
        )
    folder = run_folder(places.runs, preset.name, run)
    if _code_of(folder) not in (None, training_code(run.method)):
        tqdm.write(
            f"note: {folder} was trained by other code than this: remove it to train it again, or "
            "let 'python -m reproduce all' do so",
            sys.stderr,
        )
    return found.step >= run.steps


def _code_of(folder: Path) -> str | None:
    """Which code trained a run, as it tells; None where it does not."""
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told.get("code") if isinstance(told, dict) else None


def check_runs(preset: Preset, runs: Sequence[RunConfig]) -> None:
    """Refuse before hours of training what could not be trained or measured after them."""
    measure = preset.measure
    get_protocol(measure.protocol, measure.inputs, measure.samples)
    for run in runs:
        spec = TASKS.get(run.task)
        if spec is not None and spec.kind == "drawn" and run.test < measure.inputs:
            raise UserError(
                f"{measure.inputs} inputs are to be measured and test={run.test} are drawn: "
                "set test higher, or --inputs lower"
            )
        Preparation(run.size, run.resize or None, run.crop, run.flip)  # type: ignore[arg-type]
        with torch.device("meta"):
            network = recipe(run.method).method(run.method_config, None)  # type: ignore[call-arg]
        network.check_size(run.size, run.size)


@dataclass(frozen=True)
class Training:
    """A run at a preset, with the ``--set`` of the command line: it gets its own part of them."""

    preset: Preset
    run: RunConfig
    overrides: Mapping[str, str]


def train_missing(
    preset: Preset, runs: Sequence[RunConfig], places: Places, *, jobs: int,
    overrides: Mapping[str, str],
) -> None:  # fmt: skip
    """Train every run that is not trained yet, ``jobs`` at a time, resuming what was begun.

    ``overrides`` are the ``--set`` of the command line; each training gets its own part of them.
    """
    train_each([Training(preset, run, overrides) for run in runs], places, jobs=jobs)


def train_each(trainings: Sequence[Training], places: Places, *, jobs: int) -> None:
    """The same for runs of several presets."""
    pictures: dict[tuple[object, ...], str] = {}
    missing = []
    for training in trainings:
        run = training.run
        which = (run.task, run.size, run.train, run.test)
        if which not in pictures:
            # Once, before processes would race for it.
            domains = open_run_task(run, places)
            pictures[which] = domains.fingerprint(progress=places.progress)
        if not is_trained(training.preset, run, places, pictures[which]):
            missing.append(training)
    if not missing:
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, active = list(missing), list[_Job]()
    with ExitStack() as stack:
        stack.enter_context(handled(_interrupt, "SIGTERM", "SIGHUP"))
        stack.callback(_end_all, active)
        total = stack.enter_context(
            tqdm(total=len(missing), desc="trainings", unit="run", disable=not places.progress)
        )
        held: set[Path] = set()
        while waiting or active:
            for training in list(waiting):
                if len(active) < jobs and _is_free(training, places, held):
                    waiting.remove(training)
                    active.append(_start(training, places, threads))
            time.sleep(0.5)
            for job in list(active):
                job.look()
                if job.process.poll() is not None:
                    active.remove(job)
                    job.bar.close()
                    job.log.close()
                    _check(job)
                    total.update()


def _is_free(training: Training, places: Places, held: set[Path]) -> bool:
    """Whether nobody trains in the run's folder; who is told of in ``held`` is not told of again.

    A command that was killed leaves its trainings at work; they save and end by themselves.
    """
    folder = run_folder(places.runs, training.preset.name, training.run)
    if not (folder / ".lock").exists():
        return True
    try:
        with FileLock(folder / ".lock", timeout=0):
            return True
    except Timeout:
        if folder not in held:
            held.add(folder)
            tqdm.write(f"note: another process trains in {folder}: waiting for it", sys.stderr)
        return False


def _start(training: Training, places: Places, threads: int) -> _Job:
    preset, run = training.preset, training.run
    folder = run_folder(places.runs, preset.name, run)
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "train.log").open("ab")
    command = train_command(preset, run, places, threads, training.overrides)
    # In a session of its own: Ctrl-C reaches us alone, and we ask each training to save and stop.
    process = subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
    )
    bar = tqdm(
        total=run.steps, desc=f"  {run.method} on {run.task}", unit="step", leave=False,
        disable=not places.progress,
    )  # fmt: skip
    return _Job(run, folder, process, log, bar)


def train_command(
    preset: Preset, run: RunConfig, places: Places, threads: int, overrides: Mapping[str, str]
) -> list[str]:
    """The command that trains ``run`` alone."""
    own = own_overrides(run.method, overrides, run)
    arguments = [f"--set={key}={value}" for key, value in own.items()]
    if run.source:
        arguments.append(f"--source={run.source}")
    return [
        sys.executable, "-m", "reproduce", "train", run.method, "--task", run.task,
        "--preset", preset.base, "--seed", str(run.seed), "--device", places.device,
        "--data", str(places.data), "--threads", str(threads),
        "--out", str(run_folder(places.runs, preset.name, run)), "--resume", "--no-progress",
        *arguments,
    ]  # fmt: skip


def _check(job: _Job) -> None:
    if job.process.returncode:
        log = job.folder / "train.log"
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise UserError(
            f"training {job.run.method} on {job.run.task} ended with code "
            f"{job.process.returncode} ({lines[-1] if lines else 'no output'}): see {log}"
        )


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM and SIGHUP end us as Ctrl-C does, so that no training is left behind."""
    raise KeyboardInterrupt


def _end_all(jobs: list[_Job]) -> None:
    for job in jobs:
        _end(job)


def _end(job: _Job) -> None:
    """Ask a training to save and stop; it resumes later from there."""
    job.bar.close()
    if job.process.poll() is None:
        job.process.terminate()
        try:
            job.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            job.process.kill()
    job.log.close()
