"""Choose the metrics that apply to an ablation, and measure its runs."""

from __future__ import annotations

from collections.abc import Sequence

from tqdm import tqdm

from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.fidelity import SCORES
from benchmarks.metrics.ground_truth import SILHOUETTE
from benchmarks.metrics.inception_score import CIS, IS, REACHED
from benchmarks.metrics.observer import QUALITY_JUDGED, TRUTH_DISTANCE
from models.errors import UserError
from models.zoo import nearest, recipe
from reproduce.experiments.ablation import Ablation, pictures_of
from reproduce.experiments.places import Places
from reproduce.measuring.codes import encoded_by, metrics_of
from reproduce.measuring.exact import ExactKind
from reproduce.measuring.kind import Kind, measure
from reproduce.measuring.kinds import check_kinds, open_kinds
from reproduce.measuring.subject import Pictures, Subject, open_pictures
from reproduce.tasks.specs import TaskSpec
from reproduce.training.trained import check_runs

IN_BOTH_DIRECTIONS = (CIS.name, IS.name, REACHED.name, CONTENT_CONFUSION.name)


def metrics_for(task: TaskSpec, method: str) -> dict[str, str]:
    """Map each metric that applies to a method on a task to the kind that measures it."""
    known: dict[str, str] = {}
    if 2 in task.tables:
        known |= dict.fromkeys(IN_BOTH_DIRECTIONS[: 4 if task.drawn else 3], "modes")
    known["diversity"] = "diversity"
    if task.kind == "drawn":
        known |= {SILHOUETTE.name: "diversity", TRUTH_DISTANCE.name: "observed"}
        known |= dict.fromkeys(sorted(ExactKind.metrics), "exact")
    if 1 in task.tables:
        known |= dict.fromkeys(SCORES, "fidelity")
    for codes in encoded_by(method):
        known |= {m.name: "theory" for m in metrics_of(codes, task.paired)}
    return known


def usual_metrics(task: TaskSpec) -> tuple[str, ...]:
    """Return the default metrics of a task: those that apply and are cheap."""
    if 2 in task.tables:
        return CIS.name, IS.name
    return ("diversity", SILHOUETTE.name) if task.kind == "drawn" else ("diversity",)


def chosen_metrics(task: TaskSpec, method: str, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics ``asked`` for, or the usual ones; UserError if one does not apply."""
    known = metrics_for(task, method)
    for metric in asked:
        if metric.partition("-")[0] == QUALITY_JUDGED.name.partition("-")[0]:
            raise UserError(
                f"--metric {metric} compares the methods of a table, and a point of an ablation is "
                "one method: measure it with the table (--set)"
            )
        if metric not in known:
            raise UserError(
                f"--metric {metric} is none of {method} on {task.name}: {nearest(metric, known)}"
            )
    return tuple(dict.fromkeys(asked)) or usual_metrics(task)


def translations_of(metric: str, method: str) -> tuple[str | None, ...]:
    """Return the directions that a metric is measured in; (None,) if its records name none."""
    return recipe(method).method.directions if metric in IN_BOTH_DIRECTIONS else (None,)


def check_ablation(
    ablation: Ablation, metrics: Sequence[str], places: Places, download: bool = True
) -> None:
    """Raise UserError, before hours of training, for what cannot be trained or measured."""
    if recipe(ablation.method).method.paired and not ablation.spec.paired:
        raise UserError(f"{ablation.method} learns from pairs, and {ablation.task} has none")
    for point in ablation.points:
        check_runs(point.preset, point.runs)
    runs = [run for point in ablation.points for run in point.runs]
    check_kinds(_kinds(ablation, metrics), ablation.preset, runs, places, download)


def measure_ablation(ablation: Ablation, metrics: Sequence[str], places: Places) -> None:
    """Measure all trained points and the real pictures, except those already on record."""
    kinds, measuring = _kinds(ablation, metrics), ablation.preset.measure
    runs = [(point.preset, run) for point in ablation.points for run in point.runs]
    opened: dict[object, tuple[Pictures, list[Kind]]] = {}
    for preset, run in tqdm(runs, desc="measured", unit="run", disable=not places.progress):
        if (shown := pictures_of(run)) not in opened:
            pictures = open_pictures(run, places)
            opened[shown] = pictures, open_kinds(kinds, pictures, places, measuring)
        pictures, of_pictures = opened[shown]
        measure(of_pictures, [Subject(preset, run, places, pictures)])
    # Real pictures are only comparable if all points share them.
    if ablation.one_set_of_pictures:
        real = [Subject(ablation.preset, r, places, pictures, real=True) for r in ablation.own]
        measure(of_pictures, real)


def _kinds(ablation: Ablation, metrics: Sequence[str]) -> list[str]:
    known = metrics_for(ablation.spec, ablation.method)
    return sorted({known[metric] for metric in metrics})
