"""Run one job of the graph in this process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.devices import measuring_device
from benchmarks.files import locked, write_text
from models.errors import UserError
from reproduce.experiments.places import open_run_task
from reproduce.experiments.run import progress_of, run_folder
from reproduce.records.code import training_code
from reproduce.records.store import Records, record_id
from reproduce.tasks.modes import truth_folder
from reproduce.tasks.own import check_own
from reproduce.tasks.registry import drawn_folder
from reproduce.training.loop import LAST, Logging
from reproduce.training.session import only_run, train
from reproduce.workflow.graph import Job, Made, is_done, listing, stamps_folder, write_stamp
from reproduce.workflow.jobs import Request

# Metrics and plots take seconds to import, for which a training need not wait: each job below
# imports its own.
MARK = "job.txt"  # in a run directory: the digest of its job
TOLD_EVERY = 60.0  # seconds
DRAWN_BY = "drawn-by.json"  # in a folder of drawn pictures: digest of the code, list of pictures


def make(request: Request, job: Job) -> Path:
    """Run ``job``, whose needs are done, and return the path of its stamp.

    Waits for another process that runs the same job. Measurements that this job made before an
    interruption are kept; those by other code are repeated.
    """
    runs, device = request.places.runs, request.places.device
    device = device if job.kind == "train" else measuring_device(device)
    stamp, folder = job.stamp(runs), stamps_folder(runs, job.preset)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{job.name.replace('/', '.')}.lock"):
        if is_done(job, runs):
            return stamp
        begun = stamp.with_suffix(".begun")
        with _counted(begun) as seconds:
            here = replace(request, places=replace(request.places, device=device))
            made, took = MAKERS.get(job.kind, _shown)(here, job), seconds()
            if job.kind == "train":  # which may have begun, or ended, before it was a job
                told = progress_of(run_folder(runs, job.preset.name, job.runs[0]))
                took = max(took, float(told.get("seconds", 0)))
            write_stamp(job, runs, took, made)
        begun.unlink(missing_ok=True)
    return stamp


@contextlib.contextmanager
def _counted(begun: Path) -> Iterator[Callable[[], float]]:
    """Count a job's seconds over all its calls. ``begun`` stores them for the next call; it is
    written once a minute, since a kill leaves no time for it."""
    begin, ended = time.perf_counter(), threading.Event()
    with contextlib.suppress(OSError, ValueError):  # unless an earlier call was interrupted
        begin -= float(begun.read_text(encoding="utf-8"))

    def seconds() -> float:
        return time.perf_counter() - begin

    def keep_telling() -> None:
        over = False
        while not over:
            over = ended.wait(TOLD_EVERY)
            with contextlib.suppress(UserError):  # the job itself will report a full disk
                write_text(begun, f"{seconds()}\n")

    write_text(begun, f"{seconds()}\n")
    thread = threading.Thread(target=keep_telling, daemon=True)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()


def _data(request: Request, job: Job) -> Made:
    """Draw or find a task's pictures; redraw those that other code drew."""
    run, places = job.runs[0], request.places
    folder = drawn_folder(run.task, places.data, run.size, run.train, run.test)
    if folder is None or run.source:
        check_own(open_run_task(run, places), progress=False)
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
    """The contents of ``DRAWN_BY``: which code drew a folder's pictures, and which these are."""
    pictures = {p.name: listing(p, times=False, without=DRAWN_BY)
                for p in (folder, truth_folder(folder))}  # fmt: skip
    about = {"code": job.about["code"]["digest"], "pictures": pictures}
    return json.dumps(about, sort_keys=True) + "\n"


def _train(request: Request, job: Job) -> Made:
    """Train a run, or resume it. A run with other settings, pictures or code is moved aside to
    ``NAME.stale``, and the training starts again."""
    folder = run_folder(request.places.runs, job.preset.name, job.runs[0])
    if folder.exists() and not _is_of(job, folder):
        stale = folder.with_name(f"{folder.name}.stale")
        with only_run(folder):
            _away(stale)
            os.replace(folder, stale)
    write_text(folder / MARK, job.digest + "\n")
    share(request, job)
    return Made([folder / LAST])


def share(request: Request, job: Job) -> None:
    """Train in this process: the whole run, or the part that ``torchrun`` assigns to it."""
    run, places = job.runs[0], request.places
    train(
        run, run_folder(places.runs, job.preset.name, run), data_dir=places.data,
        device=places.device, resume=True, logging=Logging(**job.preset.logging, progress=False),
        workers=places.workers,
    )  # fmt: skip


def _is_of(job: Job, folder: Path) -> bool:
    """Whether a run directory belongs to this job, or the command train made an identical run."""
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
    """Remove a folder; rename it first, so that a kill leaves no half of it under its name."""
    aside = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        os.replace(folder, aside)
        shutil.rmtree(aside)


def _measured(request: Request, job: Job) -> Made:
    """Measure, and return the records and their files of raw values."""
    preset, runs, places, about = job.preset, job.runs, request.places, job.about
    records = Records(places.results, preset.name)
    match job.name.split("/"):
        case ["human", task]:
            from reproduce.measuring.people import take_in

            take_in(preset, task, Path(about["analysis"]), about["seed"], places)
            found = [r for r in records.all() if r.get("analysis_sha256") == about["sha256"]]
        case ["row", *_]:
            from reproduce.measuring.submission import measure_row

            row = about["table"], about["label"], Path(about["outputs"])
            found = [*measure_row(preset, runs, places, *row).values()]
        case [kind, *_]:
            from reproduce.measuring.kinds import measure_runs, scores

            names = scores(runs[0].task) if kind == "scores" else (kind,)
            measured = measure_runs(names, preset, runs, places)
            found = [record for of in measured.values() for record in of.values()]
    raw = {places.results / str(record["raw"]) for record in found if "raw" in record}
    return Made(sorted(raw), records={records.path: [*map(record_id, found)]})


def _ablation(request: Request, job: Job) -> Made:
    from reproduce.analysis.ablation import curves_of, write_ablation
    from reproduce.measuring.ablation import measure_ablation
    from reproduce.report.ablation_figure import ablation_figure

    ablation, metrics, places = request.points, job.about["metrics"], request.places
    measure_ablation(ablation, metrics, places)
    curves = curves_of(ablation, metrics, places.results)
    means = [m for curve in curves for m in (*curve.means, curve.real) if m is not None]
    records: dict[Path, set[str]] = {}
    for record in (r for mean in means for r in mean.records.values()):
        path = Records(places.results, record["preset"]).path
        records.setdefault(path, set()).add(record_id(record))
    files = write_ablation(ablation, curves, places.results)
    files.append(ablation_figure(ablation, curves, places.results))
    return Made(files, records={path: sorted(ids) for path, ids in records.items()})


def _shown(request: Request, job: Job) -> Made:
    """Make tables, claims, evidence, figures, curves or the report."""
    preset, runs, places = job.preset, job.runs, request.places
    seeds, folder = job.about.get("seeds", ()), places.results / preset.name
    match job.name.split("/"):
        case ["evidence", by, _]:
            from reproduce.analysis.preference_evidence import write_evidence

            return Made(write_evidence(preset, runs, places, by))
        case ["table", number]:
            from reproduce.analysis.tables import table_of

            return Made(table_of(int(number), preset, places.results, seeds, True)[1])
        case ["claims"]:
            from reproduce.analysis.claims.table import claims_table

            return Made(claims_table(preset, places.results, seeds).write(folder, "claims"))
        case ["theory-figures"]:
            from reproduce.report.theory_figures import write_theory

            return Made(write_theory(preset, places, seeds))
        case ["curves"]:
            from reproduce.report.curves import make_curves

            return Made(make_curves(preset, runs, places))
        case ["styles", _]:
            from reproduce.report.style_figures import draw_styles

            return Made(draw_styles(preset, runs[0], places))
        case ["figure", number, task]:
            from reproduce.report.figures import comparison, mode_grid

            draw, kind = (comparison, "figure4") if number == "1" else (mode_grid, "modes")
            return Made([draw(preset, runs, places, folder / f"{kind}-{task}.png")])
        case ["unit-figure", number]:
            from reproduce.report.figures import both_directions

            path = folder / f"unit-figure{number}.png"
            return Made([both_directions(preset, runs[0], places, path)])
        case _:
            from reproduce.report.content import write_report

            return Made(write_report(preset, runs, places, folder / "report")[0])


_MEASURE = ("diversity", "scores", "observed", "judged", "modes", "theory", "human", "row")
# Kind of job -> what makes it, if not ``_shown``.
MAKERS: dict[str, Callable[[Request, Job], Made]] = {
    "data": _data, "train": _train, "ablation": _ablation, **dict.fromkeys(_MEASURE, _measured),
}  # fmt: skip
