"""One record's measurement again, by the functions that tables call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.diversity_result import METRIC_OF
from benchmarks.metrics.fidelity import SCORES
from benchmarks.metrics.ground_truth import SILHOUETTE
from benchmarks.metrics.inception_score import (
    CIS,
    CONFIDENCE,
    ENTROPY,
    EXP_CIS,
    EXP_IS,
    IS,
    REACHED,
)
from benchmarks.metrics.observer import (
    PHOTO_DISTANCE,
    QUALITY_JUDGED,
    QUALITY_OBSERVED,
    TRUTH_DISTANCE,
)
from benchmarks.metrics.theory import contents, styles
from models.errors import UserError
from models.method import DIRECTIONS
from models.zoo import parse_value
from reproduce.experiments.places import REAL, Places
from reproduce.experiments.preset import Measuring, Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.codes import measure_theory
from reproduce.measuring.exact import (
    ALWAYS,
    SOMETIMES,
    ExactTask,
    measure_exact,
    measure_real_exact,
)
from reproduce.measuring.fidelity import measure_fidelity, measure_real_fidelity
from reproduce.measuring.instruments import RECIPE, Instruments, open_instruments
from reproduce.measuring.measure import measure_real, measure_run
from reproduce.measuring.modes import measure_real_modes, measure_run_modes, open_modes_task
from reproduce.measuring.observed import measure_observed
from reproduce.measuring.rerun_weights import commit_of, scale_of
from reproduce.records.store import Records, record_id
from reproduce.tasks.registry import TASKS
from reproduce.training.trained import checkpoint_of

Record = Mapping[str, Any]
DIVERSITY = {metric.name for metric in METRIC_OF.values()}
EXACT = {metric.name for metric in (*ALWAYS, *SOMETIMES)}
MODES = {
    metric.name
    for metric in (IS, CIS, EXP_IS, EXP_CIS, REACHED, ENTROPY, CONFIDENCE, CONTENT_CONFUSION)
}
THEORY = {metric.name for metric in (*styles.METRICS, *contents.METRICS)}


def kind_of(record: Record) -> str:
    """Which measuring function makes a record: diversity, fidelity, exact, observed, judged, modes
    or theory.

    Raises UserError for what no function here makes, or made in another way than now.
    """
    metric, real = record["metric"], record["method"] == REAL
    kind = ""
    if metric in DIVERSITY or (metric == SILHOUETTE.name and not real):
        kind = "diversity"
    elif metric in EXACT or metric == SILHOUETTE.name:
        kind = "exact"
    elif metric.partition("-")[0] in SCORES:
        kind = "fidelity"
    elif metric in (QUALITY_JUDGED.name, PHOTO_DISTANCE.name):
        kind = "judged"
    elif metric in (QUALITY_OBSERVED.name, TRUTH_DISTANCE.name):
        kind = "observed"
    elif metric in MODES and record.get("translation") in DIRECTIONS:
        kind = "modes"
    elif metric in THEORY and not real:
        kind = "theory"
    if not kind:
        human = metric == "quality-human"
        why = "people were asked, and no program asks them again" if human else "no function does"
        raise UserError(f"{metric} of record {record_id(record)} cannot be measured again: {why}")
    _check_instruments(record, kind)
    return kind


def preset_of(record: Record) -> Preset:
    """The preset that a record was measured with, under the same name."""
    known, told = scale_of(record), record.get("measure")
    measure = _measuring(record, told) if told else _from_protocol(record, known.measure)
    changes = record.get("changes") or {}
    return replace(known, name=record["preset"], changes=changes, measure=measure)


def measure_again(
    record: Record, kind: str, preset: Preset, runs: Sequence[RunConfig], places: Places
) -> dict[str, Any]:
    """A new record of the same number, in the results of ``places``. ``runs``: the run that it is
    about, and that of its reference.

    Raises UserError where this version measures something else under the same circumstances.
    """
    _MEASURES[kind](record, preset, runs, places)
    wanted = {key: record[key] for key in ("metric", "method", "translation") if key in record}
    made = Records(places.results, preset.name).find(**wanted)
    if made is None:
        raise UserError(
            f"this version measures no {record['metric']} of {record['method']} on {record['task']}: "
            f"check out {commit_of(record)}"
        )
    for key in ("protocol", "N", "K"):
        if record["protocol"].get(key) != made["protocol"].get(key):
            raise UserError(
                f"record {record_id(record)} was measured with {key}={record['protocol'].get(key)}, "
                f"this version measures with {made['protocol'].get(key)}: check out "
                f"{commit_of(record)}"
            )
    return made


def _check_instruments(record: Record, kind: str) -> None:
    told, words = record["protocol"], ""
    drawn = record["task"] in TASKS and TASKS[record["task"]].drawn
    if kind in ("exact", "fidelity") and drawn and told.get("extractor", RECIPE) != RECIPE:
        words = f"a {told['extractor']} where there is a {RECIPE} now"
    elif kind == "judged" and "right" not in told:
        words = "judges of another kind"
    if words:
        raise UserError(
            f"record {record_id(record)} was measured with {words}: check out {commit_of(record)}"
        )


def _measuring(record: Record, told: Mapping[str, Any]) -> Measuring:
    kinds = {field.name: str(field.type) for field in fields(Measuring)}
    if set(told) != set(kinds):
        raise UserError(
            f"record {record_id(record)} was measured with other options than there are now: check "
            f"out {commit_of(record)}"
        )
    values: dict[str, Any] = {key: parse_value(key, told[key], kinds[key]) for key in kinds}
    return Measuring(**values)


def _from_protocol(record: Record, measure: Measuring) -> Measuring:
    """How a record of an earlier version was measured, as far as its protocol tells."""
    told, metric = record["protocol"], record["metric"]
    n, k = (v if type(v) is int else 0 for v in (told.get("N"), told.get("K")))
    if metric == SILHOUETTE.name and record["method"] != REAL:
        return replace(measure, inputs=n)
    if metric in (IS.name, CIS.name, REACHED.name) and record["method"] != REAL:
        return replace(measure, mode_inputs=n, mode_samples=k)
    return measure


def _diversity(record: Record, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    if record["method"] == REAL:
        measure_real(preset, runs[0], places)
    else:
        measure_run(preset, runs[0], checkpoint_of(preset, runs[0], places), places)


def _fidelity(record: Record, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    run, instruments = runs[0], _instruments(runs[0], places)
    if record["method"] == REAL:
        measure_real_fidelity(preset, run, places, instruments)
    else:
        measure_fidelity(preset, run, checkpoint_of(preset, run, places), places, instruments)


def _exact(record: Record, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    run, task = runs[0], ExactTask(_instruments(runs[0], places))
    if record["method"] == REAL:
        measure_real_exact(preset, run, places, task)
    else:
        measure_exact(preset, run, checkpoint_of(preset, run, places), places, task)


def _preferred(record: Record, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    # What is right of real pictures takes no network.
    alone = record["method"] == REAL and record["metric"] in (
        TRUTH_DISTANCE.name,
        PHOTO_DISTANCE.name,
    )
    measure_observed(preset, runs[0], () if alone else runs, places, kind_of(record))


def _modes(record: Record, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    task = open_modes_task(runs[0], places)
    measure = measure_real_modes if record["method"] == REAL else measure_run_modes
    measure(preset, runs[0], places, task, record["translation"])


def _theory(record: Record, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    measure_theory(preset, runs[0], places)


def _instruments(run: RunConfig, places: Places) -> Instruments:
    return open_instruments(
        run, places, inception=places.inception_path, inception_sha256=places.inception_sha256
    )


_MEASURES = {
    "diversity": _diversity, "fidelity": _fidelity, "exact": _exact, "judged": _preferred,
    "observed": _preferred, "modes": _modes, "theory": _theory,
}  # fmt: skip
