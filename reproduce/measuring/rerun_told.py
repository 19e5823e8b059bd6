"""What a record tells of how it was made: kind, preset, run; and that, found again or made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.method import DIRECTIONS
from models.zoo import parse_value
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Measuring, Preset, load_preset, preset_names
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.measuring.kinds import KINDS
from reproduce.records.store import REAL, record_id, sha256_file
from reproduce.tasks.registry import TASKS
from reproduce.training.loop import LAST, Logging
from reproduce.training.session import train

Record = Mapping[str, Any]
RESTORE = "restore the records from version control"


def kind_of(record: Record) -> str:
    """The name of the kind of measurement that makes a record.

    Raises UserError for what no kind measures, or measured in another way than now.
    """
    metric, real = record["metric"], record["method"] == REAL
    kind = next((k.name for k in KINDS.values() if k.makes(metric, real)), "")
    directed = record.get("translation") in DIRECTIONS
    if not kind or (kind == "modes") != directed or (kind == "theory" and real):
        human = metric == "quality-human"
        why = "people were asked, and no program asks them again" if human else "no function does"
        raise UserError(f"{metric} of record {record_id(record)} cannot be measured again: {why}")
    return kind


def preset_of(record: Record) -> Preset:
    """The preset that a record was measured with, under the same name."""
    told = record.get("measure") or {}
    kinds = {field.name: str(field.type) for field in fields(Measuring)}
    if set(told) != set(kinds):
        raise UserError(
            f"record {record_id(record)} was measured with other options than there are now: check "
            f"out {commit_of(record)}"
        )
    values: dict[str, Any] = {key: parse_value(key, told[key], kinds[key]) for key in kinds}
    changes = record.get("changes") or {}
    return replace(
        _scale(record), name=record["preset"], changes=changes, measure=Measuring(**values)
    )


def run_of(record: Record) -> RunConfig:
    """The run that a record is about; of a record of real pictures, one on the same pictures.

    Raises UserError for a record that contradicts itself, and for one that does not tell enough.
    """
    if record["task"] not in TASKS:
        raise UserError(
            f"record {record_id(record)} is of the pictures {record['task']}, which no task is "
            "called: only records of named tasks are made again"
        )
    for key in ("data_sha256", *(() if record["method"] == REAL else ("checkpoint_sha256",))):
        digits = str(record.get(key, ""))
        if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            raise UserError(
                f"record {record_id(record)} names no {key}, so what it was measured on is not known"
            )
    if record["method"] == REAL:
        told = {"size": record.get("size")} | dict(record.get("pictures") or {})
        sizes: dict[str, Any] = {key: told.get(key) for key in ("size", "train", "test")}
        if not all(type(v) is int and v > 0 for v in sizes.values()):
            raise UserError(f"record {record_id(record)} tells no sizes of its pictures: {RESTORE}")
        return replace(_scale(record).make_run("munit", record["task"], record["seed"]), **sizes)
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
    if TASKS[run.task].drawn and not run.source:
        remedy = f"remove it to have them drawn again, or check out {commit_of(record)}"
    else:
        remedy = f"restore them, or name the right ones (--source {run.task}=PATH)"
    raise UserError(
        f"{domains.folder} holds other pictures (sha256 {found[:12]}) than record "
        f"{record_id(record)} was measured on ({record['data_sha256'][:12]}): {remedy}"
    )


def stored_weights(record: Record, run: RunConfig, places: Places) -> Path | None:
    """The record's own weights, by their sha256: where its run was trained, among the stored
    weights of its preset, or where it was trained again."""
    stored = places.results / record["preset"] / "weights"
    files = [
        run_folder(places.runs, record["preset"], run) / LAST,
        *sorted(stored.rglob("*.safetensors")),
        rerun_folder(run, places) / LAST,
    ]
    sha256 = record["checkpoint_sha256"]
    return next((path for path in files if path.is_file() and sha256_file(path) == sha256), None)


def trained_again(run: RunConfig, places: Places) -> Path:
    """The weights of a configuration, trained again; what was begun is gone on with."""
    return train(
        run, rerun_folder(run, places), data_dir=places.data, device=places.device, resume=True,
        logging=Logging(tensorboard=False, progress=places.progress),
    )  # fmt: skip


def rerun_folder(run: RunConfig, places: Places) -> Path:
    """Where a configuration is trained again: never where a table looks for its own runs."""
    return places.runs / "rerun" / run.digest()[:16]


def commit_of(record: Record) -> str:
    """In words, the code that made a record."""
    commit = str((record.get("environment") or {}).get("commit") or "")
    return f"commit {commit[:12]}" if commit else "the version that made it"


def _scale(record: Record) -> Preset:
    """The preset that a record is of, without its changes. One of somebody's own is unknown here;
    any stands for it, since the record tells its runs and how it was measured."""
    title = record["preset"].partition("+")[0]
    return load_preset(title if title in preset_names() else "cpu")
