"""All kinds of measurement by name, and functions to measure a task's runs by several kinds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from benchmarks.networks.mode_recipes import MODE_RECIPES, InceptionModes
from models.errors import UserError
from models.method import DIRECTIONS
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Measuring, Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.codes import CodesKind, is_paired
from reproduce.measuring.diversity import DiversityKind, lpips_distance
from reproduce.measuring.exact import ExactKind
from reproduce.measuring.fidelity import FidelityKind
from reproduce.measuring.kept import inception
from reproduce.measuring.kind import Found, Kind, measure
from reproduce.measuring.modes import ModesKind, check_measurable, recipe_for
from reproduce.measuring.preference import Judged, Observed
from reproduce.measuring.subject import Pictures, Subject, open_pictures
from reproduce.tasks.registry import TASKS, at_hand
from reproduce.tasks.sources import Domains

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        DiversityKind, FidelityKind, ExactKind, ModesKind, CodesKind, Observed, Judged
    )
}  # fmt: skip


def open_kinds(
    names: Iterable[str], pictures: Pictures, places: Places, measuring: Measuring
) -> list[Kind]:
    """Open the kinds ``names`` for one task's pictures; "modes" in both directions."""
    return [
        KINDS[name](pictures, places, measuring, direction)
        for name in names
        for direction in (DIRECTIONS if name == ModesKind.name else (None,))
    ]


def scores(task: str) -> tuple[str, ...]:
    """Return the kinds that measure translations alone; "exact" for drawn shoes and bags only."""
    return ("diversity", "fidelity", *(("exact",) if _is_drawn(task) else ()))


def _is_drawn(task: str) -> bool:
    return task in TASKS and TASKS[task].kind == "drawn"


def measure_runs(
    names: Collection[str], preset: Preset, runs: Sequence[RunConfig], places: Places
) -> dict[str, Found]:
    """Measure the finished ``runs`` of one task, and its real pictures, by the kinds ``names``.
    Returns records by method and metric."""
    pictures = open_pictures(runs[0], places)
    subjects = [Subject(preset, run, places, pictures) for run in runs]
    # Test pictures with equal names are translations of each other only if the task has pairs.
    if is_paired(pictures.domains) or Judged.name not in names:
        subjects.append(Subject(preset, runs[0], places, pictures, real=True))
    return measure(open_kinds(names, pictures, places, preset.measure), subjects)


def check_kinds(
    names: Collection[str], preset: Preset, runs: Sequence[RunConfig], places: Places,
    download: bool = True,
) -> None:  # fmt: skip
    """Raise UserError, before hours of training, for what the kinds ``names`` cannot measure.
    Without ``download``, only local files are checked."""
    if DiversityKind.name in names:
        lpips_distance(preset.measure, places)
    if ModesKind.name in names:
        check_measurable([run for run in runs if download or _at_hand(run, places)], places)
    every = {(run.task, run.source, run.test): run for run in runs}.values()
    drawn = [run for run in every if _is_drawn(run.task) and not run.source]
    for run in drawn:
        if DiversityKind.name in names and run.test < preset.measure.inputs:
            raise UserError(
                f"{preset.measure.inputs} inputs are to be measured and test={run.test} are drawn: "
                "set test higher, or --inputs lower"
            )
    for source, run in {run.source: run for run in every}.items():
        if source and Path(source).is_dir():
            _check_counts(names, preset.measure, open_run_task(run, places))
    fetched = download or places.inception_path is not None
    if FidelityKind.name in names and len(drawn) < len(every) and fetched:
        inception(places)


def _at_hand(run: RunConfig, places: Places) -> bool:
    """Return whether a run's pictures and its mode classifier's first weights need no download."""
    fine_tuned = isinstance(MODE_RECIPES[recipe_for(run.task, run.size)], InceptionModes)
    if fine_tuned and places.inception_path is None:
        return False
    return Path(run.source).is_dir() if run.source else at_hand(run.task, places.data)


def _check_counts(names: Collection[str], measuring: Measuring, domains: Domains) -> None:
    inputs, others, photos = map(len, (domains.test_a, domains.test_b, domains.train_b))
    if DiversityKind.name in names and inputs < measuring.inputs:
        raise UserError(
            f"{measuring.inputs} inputs are to be measured and {domains.folder} has {inputs} to test "
            f"with: add some, or measure {inputs} (--inputs, or inputs in a preset of your own)"
        )
    if DiversityKind.name in names and others < 2:
        raise UserError(f"{domains.folder} has one test picture of domain b: add another")
    if FidelityKind.name in names and photos < inputs:
        raise UserError(
            f"{domains.folder} has {photos} training pictures of domain b for {inputs} test inputs, and "
            "fidelity compares equal numbers: add some, or leave it out (--scores quality)"
        )
