"""Making one job of the graph, in this process."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from models.method import DIRECTIONS
from reproduce.claims.table import write_table as write_claims
from reproduce.claims.write import claims_table
from reproduce.curves import make_curves
from reproduce.experiments import Preset
from reproduce.figures import comparison
from reproduce.files import write_text
from reproduce.graph import Job, is_done, stamps_folder, write_stamp
from reproduce.loop import LAST, Logging
from reproduce.measure import measure_real, measure_run
from reproduce.measuring_code import training_code
from reproduce.mode_figure import mode_grid
from reproduce.mode_measure import measure_modes
from reproduce.pipeline import checkpoint_of
from reproduce.places import Places, open_run_task
from reproduce.quality import measure_quality, write_evidence
from reproduce.report.write import write_report
from reproduce.results import Records, newest
from reproduce.runs import run_folder
from reproduce.scoring import measure_scores
from reproduce.style_figures import draw_styles
from reproduce.table_command import TEXT_OF
from reproduce.tasks.modes import truth_folder
from reproduce.tasks.registry import drawn_folder
from reproduce.theory_figures import write_theory
from reproduce.theory_measure import measure_theory
from reproduce.training import only_run, train
from reproduce.unit_figures import both_directions

MARK = "job.txt"  # in a run's folder: the digest of the job that it is of
DRAWN_BY = "drawn-by.json"  # in a folder of pictures: digests of the code that drew them


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


def _data(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    """Draws, or finds, a task's pictures; those that other code drew are drawn again."""
    run = job.runs[0]
    folder = drawn_folder(run.task, places.data, run.size, run.train, run.test)
    if folder is None or run.source:
        open_run_task(run, places)
        return []
    mark, code = folder / DRAWN_BY, json.dumps(job.about["code"], sort_keys=True) + "\n"
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == code):
        _away(folder)
        _away(truth_folder(folder))
    write_text(open_run_task(run, places).folder / DRAWN_BY, code)
    return [folder / "drawn.json", mark]


def _train(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
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
    return [folder / LAST]


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


def _diversity(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    found = [measure_run(preset, r, checkpoint_of(preset, r, places), places) for r in job.runs]
    records = [record for by_metric in found for record in by_metric.values()]
    return _raw(places, [*records, measure_real(preset, job.runs[0], places)])


def _quality(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    records = measure_quality(preset, job.runs, places).values()
    if preset.measure.scores == "all":
        name = f"judges-{job.runs[0].task}{seed_mark(job.runs[0].seed)}.md"
        write_evidence(preset, job.runs, places, places.results / preset.name / name)
    return _raw(places, list(records))


def _scores(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    found = measure_scores(preset, job.runs, places)
    return _raw(places, [record for by_metric in found.values() for record in by_metric.values()])


def _modes(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    measure_modes(preset, job.runs, places)
    everything = Records(places.results, preset.name).all()
    task, seed = job.runs[0].task, job.runs[0].seed
    found = [newest(everything, seed, direction) for direction in DIRECTIONS]
    own = [by for rows in found for (name, _), by in rows.items() if name == task]
    return _raw(places, [record for by_metric in own for record in by_metric.values()])


def _raw(places: Places, records: Sequence[dict[str, object]]) -> list[Path]:
    """The files of raw values behind ``records``."""
    return sorted({places.results / str(r["raw"]) for r in records if "raw" in r})


def _table(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    number = int(job.name.split("/")[1])
    TEXT_OF[number](preset, places, job.about["seeds"], True)
    folder = places.results / preset.name
    return [folder / f"table{number}.{suffix}" for suffix in ("md", "csv", "tex")]


def _theory(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    found = [measure_theory(preset, run, places) for run in job.runs]
    return _raw(places, [record for by_metric in found for record in by_metric.values()])


def _theory_figures(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    return write_theory(preset, places, job.about["seeds"])


def _curves(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    return make_curves(preset, job.runs, places)


def _styles(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    return draw_styles(preset, job.runs[0], places)


def _claims(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    table = claims_table(preset, places.results, job.about["seeds"])
    return write_claims(table, places.results / preset.name)


def _report(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    made, _ = write_report(preset, job.runs, places, places.results / preset.name / "report")
    return made


def _figure(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    _, number, task = job.name.split("/")
    folder = places.results / preset.name
    if number == "1":
        return [comparison(preset, job.runs, places, folder / f"figure4-{task}.png")]
    return [mode_grid(preset, job.runs, places, folder / f"modes-{task}.png")]


def _unit_figure(preset: Preset, job: Job, places: Places) -> Sequence[Path]:
    path = places.results / preset.name / f"unit-figure{job.name.split('/')[1]}.png"
    return [both_directions(preset, job.runs[0], places, path)]


def seed_mark(seed: int) -> str:
    """What files of other seeds than the first are marked with."""
    return f"-seed{seed}" if seed else ""


_MAKERS: dict[str, Callable[[Preset, Job, Places], Sequence[Path]]] = {
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
