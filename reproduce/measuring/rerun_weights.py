"""What a record was measured on, found again or made again: pictures, configuration, weights."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.errors import UserError
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset, load_preset, preset_names
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.records.current import REAL
from reproduce.records.store import record_id, sha256_file
from reproduce.tasks.registry import TASKS, is_own
from reproduce.training.loop import LAST, Logging
from reproduce.training.session import train

Record = Mapping[str, Any]
RESTORE = "restore the records from version control"


@dataclass(frozen=True)
class Weights:
    """A finished run's checkpoint; ``same``: bit by bit the one that the record names."""

    path: Path
    sha256: str
    same: bool


def run_of(record: Record) -> RunConfig:
    """The run that a record is about; of a record of real pictures, one on the same pictures.

    Raises UserError for a record that contradicts itself, and for one that does not tell enough.
    """
    _check_names(record)
    if record["method"] == REAL:
        return _run_on_pictures(record)
    config = record.get("config")
    text = json.dumps(config, sort_keys=True)
    if hashlib.sha256(text.encode()).hexdigest() != record.get("config_sha256"):
        raise UserError(
            f"record {record_id(record)}: its configuration is not what its config_sha256 says: "
            f"{RESTORE}"
        )
    try:
        run = RunConfig.from_dict(config or {})
    except UserError as error:
        raise UserError(
            f"record {record_id(record)} is of a version with other settings ({error}): check out "
            f"{commit_of(record)}"
        ) from None
    for field in ("method", "task", "seed", "size", "steps"):
        if getattr(run, field) != record.get(field):
            raise UserError(
                f"record {record_id(record)} says {field}={record.get(field)}, its configuration "
                f"{getattr(run, field)}: {RESTORE}"
            )
    return run


def check_pictures(record: Record, run: RunConfig, places: Places) -> Path:
    """The folder with the pictures of a record, drawn or fetched if need be; UserError if they
    are others than it was measured on."""
    domains = open_run_task(run, places)
    found = domains.fingerprint(progress=places.progress)
    if found == record["data_sha256"]:
        return domains.folder
    if run.task in TASKS and TASKS[run.task].drawn and not run.source:
        remedy = f"remove it to have them drawn again, or check out {commit_of(record)}"
    else:
        remedy = f"restore them, or name the right ones (--source {run.task}=PATH)"
    raise UserError(
        f"{domains.folder} holds other pictures (sha256 {found[:12]}) than record "
        f"{record_id(record)} was measured on ({record['data_sha256'][:12]}): {remedy}"
    )


def stored_weights(record: Record, run: RunConfig, places: Places) -> Weights | None:
    """The record's own weights, by their sha256: where its run was trained, among the stored
    weights of its preset, or where it was trained again."""
    stored = places.results / record["preset"] / "weights"
    files = [
        run_folder(places.runs, record["preset"], run) / LAST,
        *sorted(stored.rglob("*.safetensors")),
        rerun_folder(run, places) / LAST,
    ]
    for path in files:
        if path.is_file() and sha256_file(path) == record["checkpoint_sha256"]:
            return Weights(path, record["checkpoint_sha256"], same=True)
    return None


def trained_again(record: Record, run: RunConfig, places: Places) -> Weights:
    """The weights of a record's configuration, trained again; what was begun is gone on with."""
    logging = Logging(tensorboard=False, progress=places.progress)
    path = train(
        run, rerun_folder(run, places), data_dir=places.data, device=places.device, resume=True,
        logging=logging,
    )  # fmt: skip
    sha256 = sha256_file(path)
    return Weights(path, sha256, sha256 == record["checkpoint_sha256"])


def rerun_folder(run: RunConfig, places: Places) -> Path:
    """Where a configuration is trained again: never where a table looks for its own runs."""
    return places.runs / "rerun" / run.digest()[:16]


@contextlib.contextmanager
def workspace(
    preset: str, weights: Sequence[tuple[RunConfig, Path]], places: Places, shared: Sequence[str]
) -> Iterator[Places]:
    """Places for one measurement: its ``weights`` where a table would have trained them, and no
    records, so that all is measured anew. The folders ``shared`` of the runs folder, with
    classifiers, are the real ones, so that they are trained once."""
    with tempfile.TemporaryDirectory(prefix="rerun-") as name:
        root = Path(name)
        runs, results = root / "runs", root / "results"
        for run, path in weights:
            folder = run_folder(runs, preset, run)
            folder.mkdir(parents=True)
            (folder / LAST).symlink_to(path.resolve())
            if (path.parent / "run.json").is_file():
                (folder / "run.json").symlink_to((path.parent / "run.json").resolve())
        for inside in shared:
            real, link = places.runs / inside, runs / inside
            real.mkdir(parents=True, exist_ok=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(real.resolve(), target_is_directory=True)
        yield replace(places, runs=runs, results=results)


def scale_of(record: Record) -> Preset:
    """The preset that a record is of, without its changes. One of somebody's own is unknown here;
    any stands for it, since the record tells its runs and how it was measured."""
    title = record["preset"].partition("+")[0]
    return load_preset(title if title in preset_names() else "cpu")


def commit_of(record: Record) -> str:
    """In words, the code that made a record."""
    commit = str((record.get("environment") or {}).get("commit") or "")
    return f"commit {commit[:12]}" if commit else "the version that made it"


def _check_names(record: Record) -> None:
    """Refuse what would become a path of its own, and what cannot be opened by its name."""
    if Path(record["preset"]).name != record["preset"]:
        raise UserError(f"record {record_id(record)} is of no preset: {RESTORE}")
    if record["task"] not in TASKS and not is_own(record["task"]):
        raise UserError(
            f"record {record_id(record)} is of the pictures {record['task']}, which no task is "
            "called: only records of named tasks are made again"
        )
    for key in ("data_sha256", *(() if record["method"] == REAL else ("checkpoint_sha256",))):
        digits = str(record.get(key, ""))
        if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            raise UserError(
                f"record {record_id(record)} names no {key}, so what it was measured on is not "
                "known"
            )


def _run_on_pictures(record: Record) -> RunConfig:
    """A run of some method on the pictures of a record of real ones."""
    told = record.get("pictures") or {}
    values: dict[str, Any] = {
        "size": record.get("size"),
        "train": told.get("train"),
        "test": told.get("test"),
    }
    if not all(type(v) is int and v > 0 for v in values.values()):
        raise UserError(f"record {record_id(record)} tells no sizes of its pictures: {RESTORE}")
    return replace(scale_of(record).make_run("munit", record["task"], record["seed"]), **values)
