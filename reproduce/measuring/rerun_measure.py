"""One record's measurement again, by the functions that tables call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from pydantic import ValidationError

from benchmarks.metrics.observer import PHOTO_DISTANCE, TRUTH_DISTANCE
from models.errors import UserError
from models.method import DIRECTIONS
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Measuring, Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.kind import measure
from reproduce.measuring.kinds import KINDS, open_kinds
from reproduce.measuring.preference import WAYS
from reproduce.measuring.rerun_weights import commit_of, scale_of
from reproduce.measuring.subject import Subject, open_pictures
from reproduce.records.current import REAL
from reproduce.records.store import Records, record_id

Record = Mapping[str, Any]


def kind_of(record: Record) -> str:
    """The name of the kind of measurement that makes a record.

    Raises UserError for what no kind measures, or measured in another way than now.
    """
    metric, real = record["metric"], record["method"] == REAL
    kind = next((k.name for k in KINDS.values() if k.makes(metric, real)), "")
    if (kind == "modes") != (record.get("translation") in DIRECTIONS) or (
        kind == "theory" and real
    ):
        kind = ""
    if not kind:
        human = metric == "quality-human"
        why = "people were asked, and no program asks them again" if human else "no function does"
        raise UserError(f"{metric} of record {record_id(record)} cannot be measured again: {why}")
    return kind


def preset_of(record: Record) -> Preset:
    """The preset that a record was measured with, under the same name."""
    return replace(
        scale_of(record), name=record["preset"], changes=record.get("changes") or {},
        measure=_measuring(record, record.get("measure") or {}),
    )  # fmt: skip


def measure_again(
    record: Record, kind: str, preset: Preset, runs: Sequence[RunConfig], places: Places
) -> dict[str, Any]:
    """A new record of the same number, in the results of ``places``. ``runs``: the run that it is
    about, and that of its reference.

    Raises UserError where this version measures something else under the same circumstances.
    """
    pictures = open_pictures(runs[0], places)
    real = record["method"] == REAL
    # What is right of real pictures takes no network.
    alone = real and record["metric"] in (TRUTH_DISTANCE.name, PHOTO_DISTANCE.name)
    subjects = [] if alone else [Subject(preset, run, places, pictures) for run in runs]
    if real:
        compared = subjects if kind in WAYS else []
        subjects = [*compared, Subject(preset, runs[0], places, pictures, real=True)]
    kinds = open_kinds([kind], pictures, places, preset.measure)
    measure([k for k in kinds if k.direction in (None, record.get("translation"))], subjects)
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


def _measuring(record: Record, told: Mapping[str, Any]) -> Measuring:
    try:
        found = Measuring(**told)
    except (TypeError, ValidationError):
        found = None
    if found is None or set(told) != set(asdict(found)):
        words = ", ".join(f"{key}={value}" for key, value in told.items())
        raise UserError(
            f"record {record_id(record)} was measured with other options than there are now ({words}): "
            f"check out {commit_of(record)}"
        )
    return found
