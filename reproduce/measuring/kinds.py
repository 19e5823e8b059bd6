"""All kinds of measurements by name, and measuring the runs of a task by some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from models.method import DIRECTIONS
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Measuring, Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.codes import CodesKind
from reproduce.measuring.diversity import DiversityKind, lpips_distance
from reproduce.measuring.exact import ExactKind
from reproduce.measuring.fidelity import FidelityKind
from reproduce.measuring.kept import inception
from reproduce.measuring.kind import Found, Kind, measure
from reproduce.measuring.modes import ModesKind, check_measurable
from reproduce.measuring.preference import Judged, Observed
from reproduce.measuring.subject import Pictures, Subject, open_pictures
from reproduce.tasks.registry import TASKS

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        DiversityKind, FidelityKind, ExactKind, ModesKind, CodesKind, Observed, Judged
    )
}  # fmt: skip


def open_kinds(
    names: Iterable[str], pictures: Pictures, places: Places, measuring: Measuring
) -> list[Kind]:
    """The kinds of these names for one task's pictures; modes in both directions."""
    return [
        KINDS[name](pictures, places, measuring, direction)
        for name in names
        for direction in (DIRECTIONS if name == ModesKind.name else (None,))
    ]


def scores(task: str) -> tuple[str, ...]:
    """What is told of translations alone; exact scores of drawn pictures only."""
    return ("diversity", "fidelity", *(("exact",) if _is_drawn(task) else ()))


def _is_drawn(task: str) -> bool:
    return task in TASKS and TASKS[task].kind == "drawn"


def measure_runs(
    names: Iterable[str], preset: Preset, runs: Sequence[RunConfig], places: Places
) -> dict[str, Found]:
    """Measure the finished ``runs`` of one task, and its real pictures, by the kinds of these names:
    records by method and metric."""
    pictures = open_pictures(runs[0], places)
    subjects = [Subject(preset, run, places, pictures) for run in runs]
    real = Subject(preset, runs[0], places, pictures, real=True)
    return measure(open_kinds(names, pictures, places, preset.measure), [*subjects, real])


def check_kinds(
    names: Collection[str], preset: Preset, runs: Sequence[RunConfig], places: Places
) -> None:
    """Refuse before hours of training what could not be measured after them."""
    if "diversity" in names:
        lpips_distance(preset.measure, places)
    if "modes" in names:
        check_measurable(runs, places)
    if "fidelity" in names and not all(_is_drawn(run.task) for run in runs):
        inception(places)
