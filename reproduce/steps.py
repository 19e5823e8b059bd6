"""Making one job of the graph, in this process."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from models.method import DIRECTIONS
from reproduce.claims.table import write_table as write_claims
from reproduce.claims.write import claims_table
from reproduce.curves import make_curves
from reproduce.experiments import Preset
from reproduce.figures import comparison
from reproduce.files import write_text
from reproduce.graph import Job, Made, is_done, stamps_folder, write_stamp
from reproduce.listing import listing
from reproduce.loop import LAST, Logging
from reproduce.measuring_code import training_code
from reproduce.mode_figure import mode_grid
from reproduce.mode_measure import measure_modes
from reproduce.places import Places, open_run_task
from reproduce.quality import measure_quality, write_evidence
from reproduce.report.write import write_report
from reproduce.results import Records, newest, record_id
from reproduce.runs import run_folder
from reproduce.scoring import measure_diversity, measure_scores
from reproduce.style_figures import draw_styles
from reproduce.table_files import table_of
from reproduce.tasks.modes import truth_folder
from reproduce.tasks.registry import drawn_folder
from reproduce.theory_figures import write_theory
from reproduce.theory_measure import measure_theory
from reproduce.training import only_run, train
from reproduce.unit_figures import both_directions

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
        made = _MAKERS[job.kind](preset, job, places)
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
    about = {"code": job.about["code"], "pictures": pictures}
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


def _diversity(preset: Preset, job: Job, places: Places) -> Made:
    found = measure_diversity(preset, job.runs, places).values()
    return _measured(preset, places, [record for by in found for record in by.values()])


def _quality(preset: Preset, job: Job, places: Places) -> Made:
    found, files = measure_quality(preset, job.runs, places), list[Path]()
    if preset.measure.scores == "all":
        name = f"judges-{job.runs[0].task}{seed_mark(job.runs[0].seed)}.md"
        path = places.results / preset.name / name
        write_evidence(preset, job.runs, places, path)
        files += [path] if path.is_file() else []
    return _measured(preset, places, list(found.values()), files)


def _scores(preset: Preset, job: Job, places: Places) -> Made:
    found = measure_scores(preset, job.runs, places).values()
    return _measured(preset, places, [record for by in found for record in by.values()])


def _modes(preset: Preset, job: Job, places: Places) -> Made:
    measure_modes(preset, job.runs, places)
    everything = Records(places.results, preset.name).all()
    task, seed = job.runs[0].task, job.runs[0].seed
    found = [newest(everything, seed, direction) for direction in DIRECTIONS]
    own = [by for rows in found for (name, _), by in rows.items() if name == task]
    return _measured(preset, places, [record for by in own for record in by.values()])


def _measured(
    preset: Preset, places: Places, records: Sequence[dict[str, Any]], files: Sequence[Path] = ()
) -> Made:
    """``records``, the files of raw values behind them, and others."""
    raw = {places.results / str(r["raw"]) for r in records if "raw" in r}
    names = {Records(places.results, preset.name).path: [*map(record_id, records)]}
    return Made(sorted(raw | set(files)), records=names)


def _table(preset: Preset, job: Job, places: Places) -> Made:
    number = int(job.name.split("/")[1])
    _, files = table_of(number, preset, places.results, job.about["seeds"], True)
    return Made(files)


def _theory(preset: Preset, job: Job, places: Places) -> Made:
    found = [measure_theory(preset, run, places) for run in job.runs]
    return _measured(preset, places, [record for by in found for record in by.values()])


def _theory_figures(preset: Preset, job: Job, places: Places) -> Made:
    return Made(write_theory(preset, places, job.about["seeds"]))


def _curves(preset: Preset, job: Job, places: Places) -> Made:
    return Made(make_curves(preset, job.runs, places))


def _styles(preset: Preset, job: Job, places: Places) -> Made:
    return Made(draw_styles(preset, job.runs[0], places))


def _claims(preset: Preset, job: Job, places: Places) -> Made:
    table = claims_table(preset, places.results, job.about["seeds"])
    return Made(write_claims(table, places.results / preset.name))


def _report(preset: Preset, job: Job, places: Places) -> Made:
    made, _ = write_report(preset, job.runs, places, places.results / preset.name / "report")
    return Made(made)


def _figure(preset: Preset, job: Job, places: Places) -> Made:
    _, number, task = job.name.split("/")
    folder = places.results / preset.name
    if number == "1":
        return Made([comparison(preset, job.runs, places, folder / f"figure4-{task}.png")])
    return Made([mode_grid(preset, job.runs, places, folder / f"modes-{task}.png")])


def _unit_figure(preset: Preset, job: Job, places: Places) -> Made:
    path = places.results / preset.name / f"unit-figure{job.name.split('/')[1]}.png"
    return Made([both_directions(preset, job.runs[0], places, path)])


def seed_mark(seed: int) -> str:
    """What files of other seeds than the first are marked with."""
    return f"-seed{seed}" if seed else ""


_MAKERS: dict[str, Callable[[Preset, Job, Places], Made]] = {
    "data": _data,
    "train": _train,
    "diversity": _diversity,
    "quality": _quality,
    "scores": _scores,
    "modes": _modes,
    "table": _table,
    "figure": _figure,
    "theory": _theory,
    "theory-figures": _theory_figures,
    "curves": _curves,
    "styles": _styles,
    "claims": _claims,
    "report": _report,
    "unit-figure": _unit_figure,
}
