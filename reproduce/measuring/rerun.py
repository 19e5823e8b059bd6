"""A stored record made again: its pictures, its weights, its measurement, and how near it comes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.devices import cores
from benchmarks.metrics.observer import QUALITY_JUDGED, QUALITY_OBSERVED
from models.errors import UserError
from reproduce.experiments.places import Places, set_threads
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.measuring.rerun_measure import kind_of, measure_again, preset_of
from reproduce.measuring.rerun_weights import (
    Weights,
    check_pictures,
    commit_of,
    run_of,
    stored_weights,
    trained_again,
    workspace,
)
from reproduce.records.current import REAL, newest
from reproduce.records.environment import environment
from reproduce.records.store import Records, record_id
from reproduce.training.loop import LAST

# Other threads, batches or processors change the last bits of float32, and so do sums of them.
ROUNDING = 1e-5  # of the value, or of half its interval where that is more
# Where a threshold is near (a class, a bin, a ball), last bits decide single pictures.
FEW_PICTURES = 0.02  # of half the interval

Record = Mapping[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Rerun:
    """How to make a record again. ``threads``: 0 takes the record's own numbers of them.
    ``sources``: where the pictures of a task are, if not in the data folder."""

    places: Places
    threads: int = 0
    sources: Mapping[str, str] | None = None
    append: bool = False


@dataclass(frozen=True)
class Outcome:
    """The new record, and how it compares with the stored one, in words."""

    made: dict[str, Any]
    words: str
    agrees: bool


def rerun(record: Record, every: Sequence[Record], how: Rerun, tell: Tell, note: Tell) -> Outcome:
    """Make ``record`` again, one of ``every`` record there is; ``tell`` is given what is done, ``note``
    why the numbers may differ.

    Raises UserError where it cannot be made again, which is found before anything is trained.
    """
    if "submission" in record:
        raise UserError(
            f"record {record_id(record)} is of outputs that were not made here: measure them again by "
            f"table --row '{record['method']}=OUTPUTS'"
        )
    kind, preset = kind_of(record), preset_of(record)
    if how.append:
        _check_newest(record, every)
    run = replace(run_of(record), source=(how.sources or {}).get(record["task"], ""))
    for words in differences(record, environment(how.places.device)):
        note(words)
    if record["method"] != REAL and run.digest() != record["config_sha256"]:
        note("settings that are newer than the record are at their defaults")
    folder = check_pictures(record, run, how.places)
    tell(f"pictures    {folder}, as recorded")
    others = _others(record, every, how)  # found before anything is trained
    weights, shared = list[tuple[RunConfig, Weights]](), ["classifiers"]
    if record["method"] != REAL:
        own = _weights(record, run, how, tell, note)
        weights.append((run, own))
        if how.append and not all(w.same for _, w in weights):
            raise UserError(
                "--append: the weights are not the record's own, and a table's row is about one "
                "network: leave --append out, or measure the new weights with the table"
            )
    weights += others
    set_threads(how.threads or _threads(record, "environment"))
    paths = [(run, w.path) for run, w in weights]
    with workspace(record["preset"], paths, how.places, shared) as places:
        runs = [run for run, _ in weights] or [run]
        made = measure_again(record, kind, preset, runs, places)
        if how.append:
            made = _append(made, places.results, how.places.results)
            tell(f"appended    record {record_id(made)}")
    same = record["protocol"].get("sha256") == made["protocol"].get("sha256")
    if not same:
        note(
            "measured by other networks (classifier or LPIPS) than the record was: they "
            "were trained again, or changed"
        )
    same = same and all(w.same for _, w in weights)
    return Outcome(made, *verdict(record, made["value"], same))


def verdict(record: Record, value: float, same: bool) -> tuple[str, bool]:
    """How a new ``value`` compares with a record, in words, and whether it agrees. ``same``: it was
    measured on the same weights by the same networks, so that chance has no part in it."""
    difference = value - record["value"]
    interval = record.get("interval") or {}
    low, high = interval.get("low", math.nan), interval.get("high", math.nan)
    half = (high - low) / 2 if interval else 0.0
    rounding = ROUNDING * max(abs(record["value"]), half)
    if difference == 0:
        return "exactly equal", True
    if abs(difference) <= rounding:
        return f"equal within rounding ({rounding:.1g})", True
    if same and abs(difference) <= FEW_PICTURES * half:
        return f"equal but for {abs(difference) / half:.1%} of half the interval: last bits", True
    though = ", though the weights and the networks that measure are the same" if same else ""
    if low <= value <= high:
        level = f"{100 * interval['level']:g}% " if "level" in interval else ""
        return f"within the stored {level}interval{though}", not same
    where = "outside the stored interval" if interval else "not equal; no interval is stored"
    return where + though, False


def _check_newest(record: Record, every: Sequence[Record]) -> None:
    """Refuse to append what would take the place of a later network's row."""
    about = "data_sha256" if record["method"] == REAL else "checkpoint_sha256"
    rows = newest([dict(r) for r in every], record["seed"], record.get("translation"))
    row = rows.get((record["task"], record["method"]), {})
    if not any(r.get(about) == record[about] for r in row.values()):
        raise UserError(
            f"--append: {record['method']} on {record['task']} has been trained or drawn anew since "
            f"record {record_id(record)}, and tables would show the old one again: leave --append out"
        )


def differences(record: Record, now: Mapping[str, Any]) -> list[str]:
    """In words, what in code, packages and machine is not as it was for ``record``."""
    then = record.get("environment") or {}
    made_by = commit_of(record) if then.get("commit") else "an unknown version"
    here = f"commit {now['commit'][:12]}" if now["commit"] else "an unknown version"
    words = []
    if then.get("dirty"):
        words.append(f"the record was made by uncommitted changes to {made_by}")
    if not now["commit"] or then.get("commit") != now["commit"]:
        words.append(f"the record was made by {made_by}, this is {here}")
    elif now["dirty"]:
        words.append(f"this is {here} with uncommitted changes")
    old, new = then.get("packages") or {}, now["packages"]
    other = [f"{p} {old[p]} (here {new[p]})" for p in sorted(old) if p in new and old[p] != new[p]]
    if other:
        words.append(f"the record was made with {', '.join(other)}")
    if then.get("device") != now["device"]:
        words.append(f"the record was made on {then.get('device')}, this is {now['device']}")
    return words


def _weights(record: Record, run: RunConfig, how: Rerun, tell: Tell, note: Tell) -> Weights:
    """The record's own weights, or those of its configuration trained again."""
    found = stored_weights(record, run, how.places)
    if found is not None:
        tell(f"weights     {found.path}, as recorded")
        return found
    place = run_folder(how.places.runs, record["preset"], run) / LAST
    there = f"others in {place}" if place.exists() else f"nothing in {place.parent}"
    tell(
        f"weights     {record['checkpoint_sha256'][:12]} not found ({there}): training {run.method} "
        f"on {run.task} again, {run.steps} steps"
    )
    threads = how.threads or _threads(record, "training")
    set_threads(threads)
    made = trained_again(record, run, how.places)
    words = "bit by bit the record's" if made.same else f"sha256 {made.sha256[:12]}, another file"
    tell(f"            {made.path}: {words}")
    if not made.same:
        note(
            "equal bits are only to be had on the same machine with the same version and number of "
            f"threads (--threads; now {threads}); the value is that of a training of its own"
        )
    return made


def _others(record: Record, every: Sequence[Record], how: Rerun) -> list[tuple[RunConfig, Weights]]:
    """The reference that a preference hangs on, with its weights."""
    told = record["protocol"]
    if record["metric"] not in (QUALITY_OBSERVED.name, QUALITY_JUDGED.name):
        return []
    methods = (told["reference"],)
    known = [r for r in every if r.get("checkpoint_sha256") == told["reference_sha256"]]
    found, missing = [], []
    for method in methods:
        if method == record["method"]:
            continue
        about = [r for r in known if r["method"] == method and r["task"] == record["task"]]
        if not about:
            missing.append(f"{method} (of which no record tells)")
            continue
        run = run_of(about[-1])
        weights = stored_weights(about[-1], run, how.places)
        if weights is None:
            missing.append(f"{method} ({about[-1]['checkpoint_sha256'][:12]})")
        else:
            found.append((replace(run, source=(how.sources or {}).get(run.task, "")), weights))
    if missing:
        raise UserError(
            f"quality is a preference that hangs on other methods too, and {how.places.runs} lacks "
            f"the weights of {', '.join(missing)}: name the folder that has them (--runs), or train "
            "and measure all methods again with the table"
        )
    return found


def _threads(record: Record, what: str) -> int:
    """CPU threads at the record's ``training``, or of its measuring ``environment``; one where
    trainings side by side had one each, as far as is known."""
    told = (record.get(what) or {}).get("threads", 1)
    return min(told, cores()) if type(told) is int and told > 0 else 1


def _append(made: dict[str, Any], scratch: Path, results: Path) -> dict[str, Any]:
    """``made`` among the stored records, with its raw values under a name that is free."""
    records, raw = Records(results, made["preset"]), {}
    if "raw" in made:
        source = scratch / made["raw"]
        raw = records.keep_raw(source.name, lambda path: shutil.copyfile(source, path))
    return records.append(made | raw)
