"""Reproduce a stored record: check its pictures, find or retrain its weights, measure, compare."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from benchmarks.devices import cores, measuring_device
from benchmarks.files import sha256_file
from benchmarks.metrics import observer
from models.errors import UserError
from models.method import DIRECTIONS
from reproduce.experiments.places import Places, open_run_task, set_threads
from reproduce.experiments.preset import Measuring, Preset, load_preset, preset_names
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.measuring.kind import measure
from reproduce.measuring.kinds import KINDS, open_kinds
from reproduce.measuring.preference import WAYS
from reproduce.measuring.stored_manifest import WEIGHTS
from reproduce.measuring.subject import Subject, open_pictures
from reproduce.records.current import newest
from reproduce.records.environment import environment
from reproduce.records.store import REAL, Records, record_id
from reproduce.tasks.registry import TASKS, is_own
from reproduce.training.loop import LAST, Logging
from reproduce.training.session import train

# Other numbers of threads, batch sizes and processors change the last bits of float32 results.
ROUNDING = 1e-5  # relative to the value, or to half its interval if that is larger
# Close to a threshold (of a class, a bin, a ball), last bits decide about single pictures.
FEW_PICTURES = 0.02  # relative to half the interval
PREFERENCES = (observer.QUALITY_OBSERVED.name, observer.QUALITY_JUDGED.name)
ALONE = (observer.TRUTH_DISTANCE.name, observer.PHOTO_DISTANCE.name)

Record = Mapping[str, Any]
RESTORE = "restore the records from version control"
Weights = tuple[RunConfig, Path]  # a finished run and its checkpoint


class Outcome(NamedTuple):
    """The new record, how it compares with the stored one (in words), and whether they agree."""

    made: dict[str, Any]
    words: str
    agrees: bool


@dataclass(frozen=True)
class Rerun:
    """Reproduce ``record``, one of all the records ``every``.

    Prints each step, and on standard error why the numbers may differ. ``threads``: number of CPU
    threads (0: as recorded); ``sources``: where the pictures of tasks are, if not in the data
    folder; ``append``: add the new record to the stored ones.
    """

    record: Record
    every: Sequence[Record]
    places: Places
    threads: int
    sources: Mapping[str, str]
    append: bool

    def make(self) -> Outcome:
        """Reproduce the record. Raises UserError, before any training, if that is impossible."""
        record, places = self.record, self.places
        if "submission" in record:
            raise UserError(
                f"record {record_id(record)} is about submitted outputs: measure them again by "
                f"table --row '{record['method']}=OUTPUTS'"
            )
        kind, preset = kind_of(record), preset_of(record)
        if self.append:
            self._check_newest()
        run = self._run_of(record)
        for words in differences(record, environment(places.device)):
            _note(words)
        if record["method"] != REAL and run.digest() != record["config_sha256"]:
            _note("settings that the record lacks, because they are newer, have their defaults")
        _tell(f"pictures    {check_pictures(record, run, places)}, as recorded")
        weights = self._reference()  # may raise an error, so before any training
        same = True
        if record["method"] != REAL:
            path, same = self._own(run)
            weights = [(run, path), *weights]
        set_threads(self.threads or _threads(record, "environment"))
        with _workspace(record["preset"], weights, places) as scratch:
            made = self._measured(kind, preset, [of for of, _ in weights] or [run], scratch)
            if self.append:
                made = _append(made, scratch.results, places.results)
                _tell(f"appended    record {record_id(made)}")
        if record["protocol"].get("sha256") != made["protocol"].get("sha256"):
            same = False
            _note(
                "the networks that measure (classifier or LPIPS) differ from the record's: they "
                "were trained again, or changed"
            )
        return Outcome(made, *verdict(record, made["value"], same))

    def _run_of(self, record: Record) -> RunConfig:
        run = run_of(record)
        return replace(run, source=self.sources.get(run.task, ""))

    def _check_newest(self) -> None:
        """Refuse to append a record that would replace a newer network's row in tables."""
        record = self.record
        about = "data_sha256" if record["method"] == REAL else "checkpoint_sha256"
        rows = newest(map(dict, self.every), record["seed"], record.get("translation"))
        row = rows.get((record["task"], record["method"]), {})
        if not any(r.get(about) == record[about] for r in row.values()):
            raise UserError(
                f"--append: {record['method']} on {record['task']} has been trained or drawn again "
                f"since record {record_id(record)}, and tables would show the old one: leave out "
                "--append"
            )

    def _own(self, run: RunConfig) -> tuple[Path, bool]:
        """Find the record's weights, or train its configuration again. Returns the checkpoint, and
        whether it is identical to the record's."""
        record = self.record
        if (found := stored_weights(record, run, self.places)) is not None:
            _tell(f"weights     {found}, as recorded")
            return found, True
        place = run_folder(self.places.runs, record["preset"], run) / LAST
        there = f"{place} differs" if place.exists() else f"no checkpoint in {place.parent}"
        _tell(
            f"weights     {record['checkpoint_sha256'][:12]} not found ({there}): training "
            f"{run.method} on {run.task} again, {run.steps} steps"
        )
        threads = self.threads or _threads(record, "training")
        set_threads(threads)
        made = train(
            run, rerun_folder(run, self.places), data_dir=self.places.data, resume=True,
            device=self.places.device,
            logging=Logging(tensorboard=False, progress=self.places.progress),
        )  # fmt: skip
        sha256 = sha256_file(made)
        same = sha256 == record["checkpoint_sha256"]
        words = "identical to the record's" if same else f"sha256 {sha256[:12]}, not the record's"
        _tell(f"            {made}: {words}")
        if not same:
            _note(
                "identical weights require the same machine, version and number of threads "
                f"(--threads; now {threads}); the new value is from an independent training"
            )
            if self.append:
                raise UserError(
                    "--append: the weights are not the record's, and a table's row is about one "
                    "network: leave out --append, or measure the new weights with the table"
                )
        return made, same

    def _reference(self) -> list[Weights]:
        """Find the weights of the method that a preference compares with, if there is one."""
        record, told = self.record, self.record["protocol"]
        if record["metric"] not in PREFERENCES or told["reference"] == record["method"]:
            return []
        known = {
            "method": told["reference"], "task": record["task"],
            "checkpoint_sha256": told["reference_sha256"],
        }  # fmt: skip
        about = [r for r in self.every if known.items() <= {k: r.get(k) for k in known}.items()]
        lacking = "not on record"
        if about:
            run = self._run_of(about[-1])
            if (path := stored_weights(about[-1], run, self.places)) is not None:
                return [(run, path)]
            lacking = told["reference_sha256"][:12]
        raise UserError(
            f"quality is a preference over {told['reference']}, and {self.places.runs} lacks its "
            f"weights ({lacking}): give the folder that has them (--runs), or train and measure "
            "all methods again with the table"
        )

    def _measured(
        self, kind: str, preset: Preset, runs: Sequence[RunConfig], places: Places
    ) -> dict[str, Any]:
        """Measure the record's number again, with new records in the results of ``places``.

        ``runs``: the record's run and, for a preference, its reference's. Raises UserError if this
        version no longer measures the same quantity.
        """
        record, pictures = self.record, open_pictures(runs[0], places)
        subjects = [Subject(preset, run, places, pictures) for run in runs]
        if record["method"] == REAL:
            # Only a preference requires the reference's network.
            networks = kind in WAYS and record["metric"] not in ALONE
            real = Subject(preset, runs[0], places, pictures, real=True)
            subjects = [*(subjects if networks else []), real]
        kinds = open_kinds([kind], pictures, places, preset.measure)
        measure([k for k in kinds if k.direction in (None, record.get("translation"))], subjects)
        wanted = {key: record[key] for key in ("metric", "method", "translation") if key in record}
        made = Records(places.results, preset.name).find(**wanted)
        if made is None:
            raise UserError(
                f"this version does not measure {record['metric']} of {record['method']} on "
                f"{record['task']}: check out {commit_of(record)}"
            )
        for key in ("protocol", "N", "K"):
            then, now = (of["protocol"].get(key) for of in (record, made))
            if then != now:
                raise UserError(
                    f"record {record_id(record)} was measured with {key}={then}, this version "
                    f"measures with {now}: check out {commit_of(record)}"
                )
        return made


def _tell(words: str) -> None:
    print(words, flush=True)


def _note(words: str) -> None:
    print(f"note: {words}", file=sys.stderr)


def verdict(record: Record, value: float, same: bool) -> tuple[str, bool]:
    """Compare a new ``value`` with a record: returns words, and whether they agree. ``same``: the
    weights and the networks that measure are the same, so the values should be equal."""
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
        return f"equal within {abs(difference) / half:.1%} of half the interval (last bits)", True
    though = ", though the weights and the networks that measure are the same" if same else ""
    if low <= value <= high:
        level = f"{100 * interval['level']:g}% " if "level" in interval else ""
        return f"within the stored {level}interval{though}", not same
    where = "outside the stored interval" if interval else "not equal; no interval is stored"
    return where + though, False


def differences(record: Record, now: Mapping[str, Any]) -> list[str]:
    """Describe how code, packages and machine differ from the record's, one sentence each."""
    then = record.get("environment") or {}
    made_by = commit_of(record) if then.get("commit") else "an unknown version"
    here = f"commit {now['commit'][:12]}" if now["commit"] else "an unknown version"
    words = []
    if then.get("dirty"):
        words.append(f"the record was made with uncommitted changes to {made_by}")
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


@contextlib.contextmanager
def _workspace(preset: str, weights: Sequence[Weights], places: Places) -> Iterator[Places]:
    """Temporary places for one measurement: ``weights`` where a table would have trained them, and
    no records, so that everything is measured again. The networks that measure are links to the
    real ones, so that they are not trained again."""
    with tempfile.TemporaryDirectory(prefix="rerun-") as name:
        runs, results = Path(name) / "runs", Path(name) / "results"
        shared = places.runs / "classifiers"
        shared.mkdir(parents=True, exist_ok=True)
        stored = places.results.glob(f"*/{WEIGHTS}")
        links = {results / of.relative_to(places.results): of for of in stored}
        links |= {runs / "classifiers": shared}
        for run, path in weights:
            folder = run_folder(runs, preset, run)
            links |= {folder / LAST: path, folder / "run.json": path.parent / "run.json"}
        for link, there in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            if there.exists():
                link.symlink_to(there.resolve())
        device = measuring_device(places.device)
        yield replace(places, runs=runs, results=results, device=device)


def _threads(record: Record, what: str) -> int:
    """Return the number of CPU threads in the record's ``training`` or ``environment``, at most the
    number of cores here; 1 if it is not recorded."""
    told = (record.get(what) or {}).get("threads", 1)
    return min(told, cores()) if type(told) is int and told > 0 else 1


def _append(made: dict[str, Any], scratch: Path, results: Path) -> dict[str, Any]:
    """Append ``made`` to the stored records, with its raw values under a new name."""
    records, raw = Records(results, made["preset"]), {}
    if "raw" in made:
        source = scratch / made["raw"]
        raw = records.keep_raw(source.name, lambda path: shutil.copyfile(source, path))
    return records.append(made | raw)


def kind_of(record: Record) -> str:
    """Return the name of the kind of measurement that makes a record; UserError if none does."""
    metric, real = record["metric"], record["method"] == REAL
    kind = next((k.name for k in KINDS.values() if k.makes(metric, real)), "")
    directed = record.get("translation") in DIRECTIONS
    if not kind or (kind == "modes") != directed or (kind == "theory" and real):
        human = metric == "quality-human"
        why = "people were asked" if human else "this version has no such measurement"
        raise UserError(f"{metric} of record {record_id(record)} cannot be measured again: {why}")
    return kind


def preset_of(record: Record) -> Preset:
    """Return the preset that a record was measured with, under the same name."""
    told = record.get("measure") or {}
    try:
        measure = Measuring(**told)
    except (TypeError, ValidationError):
        measure = None
    if measure is None or set(told) != set(asdict(measure)):
        words = ", ".join(f"{key}={value}" for key, value in told.items())
        raise UserError(
            f"record {record_id(record)} was measured with options of another version ({words}): "
            f"check out {commit_of(record)}"
        )
    changes = record.get("changes") or {}
    return replace(_scale(record), name=record["preset"], changes=changes, measure=measure)


def run_of(record: Record) -> RunConfig:
    """Return the run that a record is about; for a record of real pictures, a run on the same ones.

    Raises UserError for a record that is inconsistent or incomplete.
    """
    if record["task"] not in TASKS and not is_own(record["task"]):
        raise UserError(
            f"record {record_id(record)} is about the pictures {record['task']}, which are not a "
            "task: only records of named tasks can be reproduced"
        )
    for key in ("data_sha256", *(() if record["method"] == REAL else ("checkpoint_sha256",))):
        digits = str(record.get(key, ""))
        if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            raise UserError(
                f"record {record_id(record)} has no {key}, so it is unknown what it was measured on"
            )
    if record["method"] == REAL:
        told = {"size": record.get("size")} | dict(record.get("pictures") or {})
        sizes: dict[str, Any] = {key: told.get(key) for key in ("size", "train", "test")}
        if not all(type(v) is int and v > 0 for v in sizes.values()):
            raise UserError(
                f"record {record_id(record)} lacks the sizes of its pictures: {RESTORE}"
            )
        return replace(_scale(record).make_run("munit", record["task"], record["seed"]), **sizes)
    config = record.get("config")
    text = json.dumps(config, sort_keys=True)
    if hashlib.sha256(text.encode()).hexdigest() != record.get("config_sha256"):
        raise UserError(
            f"record {record_id(record)}: its configuration does not match its config_sha256: "
            f"{RESTORE}"
        )
    try:
        run = RunConfig.from_dict(config or {})
    except UserError as error:
        raise UserError(
            f"record {record_id(record)} was made by a version with other settings ({error}): "
            f"check out {commit_of(record)}"
        ) from None
    for field in ("method", "task", "seed", "size", "steps"):
        if getattr(run, field) != record.get(field):
            raise UserError(
                f"record {record_id(record)} says {field}={record.get(field)}, its configuration "
                f"{getattr(run, field)}: {RESTORE}"
            )
    return run


def check_pictures(record: Record, run: RunConfig, places: Places) -> Path:
    """Return the folder with a record's pictures, drawn or downloaded if necessary; UserError if
    they are not those that it was measured on."""
    domains = open_run_task(run, places)
    found = domains.fingerprint(progress=places.progress)
    if found == record["data_sha256"]:
        return domains.folder
    if run.task in TASKS and TASKS[run.task].drawn and not run.source:
        remedy = f"remove it to have them drawn again, or check out {commit_of(record)}"
    else:
        remedy = f"restore them, or give the right ones (--source {run.task}=PATH)"
    raise UserError(
        f"{domains.folder} holds other pictures (sha256 {found[:12]}) than record "
        f"{record_id(record)} was measured on ({record['data_sha256'][:12]}): {remedy}"
    )


def stored_weights(record: Record, run: RunConfig, places: Places) -> Path | None:
    """Find the record's weights by their sha256: in its run directory, among its preset's stored
    weights, or where ``rerun`` trained them again; None if they are in none of these."""
    stored = places.results / record["preset"] / "weights"
    files = [
        run_folder(places.runs, record["preset"], run) / LAST,
        *sorted(stored.rglob("*.safetensors")),
        rerun_folder(run, places) / LAST,
    ]
    sha256 = record["checkpoint_sha256"]
    return next((path for path in files if path.is_file() and sha256_file(path) == sha256), None)


def rerun_folder(run: RunConfig, places: Places) -> Path:
    """Return the directory for training a configuration again, separate from the tables' runs."""
    return places.runs / "rerun" / run.digest()[:16]


def commit_of(record: Record) -> str:
    """Describe the code that made a record, as in "commit 0123456789ab"."""
    commit = str((record.get("environment") or {}).get("commit") or "")
    return f"commit {commit[:12]}" if commit else "the version that made it"


def _scale(record: Record) -> Preset:
    """Return a record's preset, without its changes. A user's own preset is unknown here; any other
    will do, since the record contains its runs and options."""
    title = record["preset"].partition("+")[0]
    return load_preset(title if title in preset_names() else "cpu")
