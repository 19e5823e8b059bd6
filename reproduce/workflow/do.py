"""Making one job of the graph, in this process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

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

# What measures and draws takes seconds to import, which a training need not wait for: below, each
# job imports its own.
MARK = "job.txt"  # in a run's folder: the digest of the job that it is of
TOLD_EVERY = 60.0  # seconds
DRAWN_BY = "drawn-by.json"  # in a folder of pictures: by which code they were drawn, and which


def make(request: Request, job: Job) -> Path:
    """Make ``job`` of a request, whose needs are made, and return its stamp.

    Another process that makes it is waited for. What was measured for this very job before an
    interruption is not measured again; what other code measured is.
    """
    runs = request.places.runs
    stamp, folder = job.stamp(runs), stamps_folder(runs, job.preset)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{job.name.replace('/', '.')}.lock"):
        if is_done(job, runs):
            return stamp
        begun = stamp.with_suffix(".begun")
        with _counted(begun) as seconds:
            made = MAKERS[job.kind](_where_it_computes(request, job), job)
            write_stamp(job, runs, max(seconds(), _seconds_of_run(request, job)), made)
        begun.unlink(missing_ok=True)
    return stamp


@contextlib.contextmanager
def _counted(begun: Path) -> Iterator[Callable[[], float]]:
    """The seconds of a job in all its calls. ``begun`` tells them to whoever goes on; it is written
    all along, since a kill leaves no time to."""
    begin, ended = time.perf_counter() - _seconds_before(begun), threading.Event()

    def seconds() -> float:
        return time.perf_counter() - begin

    def tell() -> None:
        with contextlib.suppress(UserError):  # of a full disk the job itself will say
            write_text(begun, f"{seconds()}\n")

    def keep_telling() -> None:
        while not ended.wait(TOLD_EVERY):
            tell()

    write_text(begun, f"{seconds()}\n")
    thread = threading.Thread(target=keep_telling, daemon=True)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()
        tell()


def _where_it_computes(request: Request, job: Job) -> Request:
    device = request.places.device
    device = device if job.kind == "train" else measuring_device(device)
    return replace(request, places=replace(request.places, device=device))


def _seconds_of_run(request: Request, job: Job) -> float:
    """As a training itself says: it may have been under way, or done, before it was this job's."""
    if job.kind != "train":
        return 0.0
    folder = run_folder(request.places.runs, job.preset.name, job.runs[0])
    return float(progress_of(folder).get("seconds", 0))


def _seconds_before(begun: Path) -> float:
    """What a job took in calls that ended early."""
    try:
        return float(begun.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0


def _data(request: Request, job: Job) -> Made:
    """Draws, or finds, a task's pictures; those that other code drew are drawn again."""
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
    """Which code drew a folder's pictures, and which pictures these are."""
    pictures = {p.name: listing(p, times=False, without=DRAWN_BY)
                for p in (folder, truth_folder(folder))}  # fmt: skip
    about = {"code": job.about["code"]["digest"], "pictures": pictures}
    return json.dumps(about, sort_keys=True) + "\n"


def _train(request: Request, job: Job) -> Made:
    """Trains a run, or goes on with it; one of other settings, pictures or code begins anew, and
    the last that was there stays beside it as ``NAME.stale``."""
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
    """A process's part in a training: the whole, or that which ``torchrun`` gives it."""
    run, places = job.runs[0], request.places
    train(
        run, run_folder(places.runs, job.preset.name, run), data_dir=places.data,
        device=places.device, resume=True, logging=Logging(**job.preset.logging, progress=False),
        workers=places.workers,
    )  # fmt: skip


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


def _of_records(request: Request, job: Job, found: Iterable[Mapping[str, Any]]) -> Made:
    """What measuring made: records, and the files of raw values behind them."""
    records, results = list(found), request.places.results
    raw = {results / str(record["raw"]) for record in records if "raw" in record}
    names = {Records(results, job.preset.name).path: [*map(record_id, records)]}
    return Made(sorted(raw), records=names)


def _kind(request: Request, job: Job) -> Made:
    from reproduce.measuring.kinds import measure_runs, scores

    names = scores(job.runs[0].task) if job.kind == "scores" else (job.kind,)
    found = measure_runs(names, job.preset, job.runs, request.places)
    return _of_records(request, job, [r for of in found.values() for r in of.values()])


def _human(request: Request, job: Job) -> Made:
    from reproduce.measuring.people import take_in

    about, task = job.about, job.name.split("/")[1]
    take_in(job.preset, task, Path(about["analysis"]), about["seed"], request.places)
    records = Records(request.places.results, job.preset.name).all()
    return _of_records(
        request, job, [r for r in records if r.get("analysis_sha256") == about["sha256"]]
    )


def _row(request: Request, job: Job) -> Made:
    from reproduce.measuring.submission import measure_row

    about = job.about
    found = measure_row(
        job.preset, job.runs, request.places, about["table"], about["label"], Path(about["outputs"])
    )
    return _of_records(request, job, found.values())


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


def _evidence(request: Request, job: Job) -> Made:
    from reproduce.analysis.preference_evidence import write_evidence

    by = job.name.split("/")[1]
    return Made(write_evidence(job.preset, job.runs, request.places, by))


def _table(request: Request, job: Job) -> Made:
    from reproduce.analysis.tables import table_of

    number, results = int(job.name.split("/")[1]), request.places.results
    _, files = table_of(number, job.preset, results, job.about["seeds"], True)
    return Made(files)


def _claims(request: Request, job: Job) -> Made:
    from reproduce.analysis.claims.table import claims_table

    results = request.places.results
    tables = claims_table(job.preset, results, job.about["seeds"])
    return Made(tables.write(results / job.preset.name, "claims"))


def _theory_figures(request: Request, job: Job) -> Made:
    from reproduce.report.theory_figures import write_theory

    return Made(write_theory(job.preset, request.places, job.about["seeds"]))


def _curves(request: Request, job: Job) -> Made:
    from reproduce.report.curves import make_curves

    return Made(make_curves(job.preset, job.runs, request.places))


def _styles(request: Request, job: Job) -> Made:
    from reproduce.report.style_figures import draw_styles

    return Made(draw_styles(job.preset, job.runs[0], request.places))


def _figure(request: Request, job: Job) -> Made:
    from reproduce.report.figures import comparison, mode_grid

    _, number, task = job.name.split("/")
    draw, kind = (comparison, "figure4") if number == "1" else (mode_grid, "modes")
    path = request.places.results / job.preset.name / f"{kind}-{task}.png"
    return Made([draw(job.preset, job.runs, request.places, path)])


def _unit_figure(request: Request, job: Job) -> Made:
    from reproduce.report.figures import both_directions

    folder, number = request.places.results / job.preset.name, job.name.split("/")[1]
    path = folder / f"unit-figure{number}.png"
    return Made([both_directions(job.preset, job.runs[0], request.places, path)])


def _report(request: Request, job: Job) -> Made:
    from reproduce.report.content import write_report

    out = request.places.results / job.preset.name / "report"
    made, _ = write_report(job.preset, job.runs, request.places, out)
    return Made(made)


MAKERS: dict[str, Callable[[Request, Job], Made]] = {
    "data": _data,
    "train": _train,
    **dict.fromkeys(("diversity", "scores", "observed", "judged", "modes", "theory"), _kind),
    "human": _human,
    "row": _row,
    "ablation": _ablation,
    "evidence": _evidence,
    "table": _table,
    "claims": _claims,
    "theory-figures": _theory_figures,
    "curves": _curves,
    "styles": _styles,
    "figure": _figure,
    "unit-figure": _unit_figure,
    "report": _report,
}
