"""Making one job of the graph, in this process."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from benchmarks.files import write_text
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import run_folder
from reproduce.records.code import training_code
from reproduce.tasks.modes import truth_folder
from reproduce.tasks.registry import drawn_folder
from reproduce.training.loop import LAST, Logging
from reproduce.training.session import only_run, train
from reproduce.workflow.graph import Job, Made, is_done, stamps_folder, write_stamp
from reproduce.workflow.listing import listing

MARK = "job.txt"  # in a run's folder: the digest of the job that it is of
DRAWN_BY = "drawn-by.json"  # in a folder of pictures: by which code they were drawn, and which


def make(preset: Preset, job: Job, places: Places) -> Path:
    """Make ``job``, whose needs are made, and return its stamp.

    Another process that makes it is waited for. What was measured for this very job before an
    interruption is not measured again; what other code measured is.
    """
    folder = stamps_folder(places.runs, preset)
    begun = job.stamp(folder).with_suffix(".begun")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{job.name.replace('/', '.')}.lock"):
        if is_done(job, folder):
            return job.stamp(folder)
        write_text(begun, "")
        begin = time.perf_counter()
        made = _maker(job.kind)(preset, job, places)
        stamp = write_stamp(job, folder, time.perf_counter() - begin, made)
        begun.unlink(missing_ok=True)
    return stamp


def _data(preset: Preset, job: Job, places: Places) -> Made:
    """Draws, or finds, a task's pictures; those that other code drew are drawn again."""
    run = job.runs[0]
    folder = drawn_folder(run.task, places.data, run.size, run.train, run.test)
    if folder is None or run.source:
        open_run_task(run, places)
        return Made()
    mark = folder / DRAWN_BY
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == _drawn_by(job, folder)):
        _away(folder)
        _away(truth_folder(folder))
    open_run_task(run, places)
    write_text(mark, _drawn_by(job, folder))
    told = truth_folder(folder)
    return Made([mark], [folder, *([told] if told.is_dir() else [])])


def _drawn_by(job: Job, folder: Path) -> str:
    """Which code drew a folder's pictures, and which pictures these are."""
    pictures = {p.name: listing(p, times=False, without=DRAWN_BY)
                for p in (folder, truth_folder(folder))}  # fmt: skip
    about = {"code": job.about["code"]["digest"], "pictures": pictures}
    return json.dumps(about, sort_keys=True) + "\n"


def _train(preset: Preset, job: Job, places: Places) -> Made:
    """Trains a run, or goes on with it; one of other settings, pictures or code begins anew."""
    run = job.runs[0]
    folder = run_folder(places.runs, preset.name, run)
    if folder.exists() and not _is_of(job, folder):
        with only_run(folder):
            _away(folder)
    write_text(folder / MARK, job.digest + "\n")
    train(
        run, folder, data_dir=places.data, device=places.device, resume=True,
        logging=Logging(progress=places.progress),
    )  # fmt: skip
    return Made([folder / LAST])


def _is_of(job: Job, folder: Path) -> bool:
    """Whether a run's folder is this job's, or was trained beside the graph just so."""
    mark = folder / MARK
    if mark.is_file():
        return mark.read_text(encoding="utf-8").strip() == job.digest
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        same = told["config_sha256"], told["code"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return same == (job.runs[0].digest(), training_code(job.runs[0].method))


def _away(folder: Path) -> None:
    """Remove a folder: first its name, so that nobody finds a half of it after a kill."""
    aside = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        os.replace(folder, aside)
        shutil.rmtree(aside)


def share(preset: Preset, job: Job, places: Places) -> None:
    """A further process's part in a training that the first process makes (``make``)."""
    run = job.runs[0]
    train(
        run, run_folder(places.runs, preset.name, run), data_dir=places.data,
        device=places.device, resume=True, logging=Logging(progress=False),
    )  # fmt: skip


def _maker(kind: str) -> Maker:
    if kind in _MAKERS:
        return _MAKERS[kind]
    # All that measures and draws takes seconds to import, which a training need not wait for.
    from reproduce.workflow.measuring_steps import MAKERS

    return MAKERS[kind]


Maker = Callable[[Preset, Job, Places], Made]
_MAKERS: dict[str, Maker] = {"data": _data, "train": _train}
