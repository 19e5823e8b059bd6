"""Store the weights of trained runs, and of the networks that measured them, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.files import sha256_file, whole_folder, write_text
from benchmarks.networks.classifiers import load_classifier
from benchmarks.networks.content_reader import load_content_reader
from benchmarks.networks.mode_classifiers import load_mode_classifier
from models.errors import UserError
from models.method import Direction, Method
from models.zoo import nearest
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig, run_folder
from reproduce.measuring.stored_manifest import (
    MANIFEST,
    MEASURING,
    WEIGHTS,
    Manifest,
    Record,
    StoredFile,
    run_name,
    table_rows,
)
from reproduce.records.code import signed
from reproduce.records.store import REAL
from reproduce.tasks.sources import FolderSource
from reproduce.training.checkpoints import describe, load_method, new_method, write_atomic
from reproduce.training.loop import LAST
from reproduce.training.single_pictures import DrawnTask, digest
from reproduce.training.slim import LIMIT, PRECISION, PROBE, Stored, probe, shrunk, tensors_read

RULE = (
    "of every run: the tensors that translating reads in the directions that tables measure, in "
    "float16, without kernel rims that training never reached; of what measures: whole files as "
    f"they are; {LIMIT / 1e6:g} MB in all"
)
LOADERS: dict[str, Callable[[Path], Any]] = {
    "classifier": load_classifier,
    "mode-classifier": load_mode_classifier,
    "content-reader": load_content_reader,
}
Tell = Callable[[str], None]
Measured = dict[tuple[str, str, int], tuple[Record, list[Direction]]]  # by task, method, seed


def store_weights(
    preset: Preset,
    seeds: Sequence[int],
    places: Places,
    tell: Tell,
    limit: int = LIMIT,
    only: Sequence[str] = (),
) -> Manifest:
    """Store the networks behind the newest records of a preset's tables, replacing earlier ones.

    ``only`` selects runs, as TASK or TASK/METHOD. ``tell`` is called with what is left out, and why.
    Raises UserError if a run, a network or a picture is not the one in the records, and if the
    files exceed ``limit`` bytes.
    """
    there = {
        name for number in preset.tables for run in preset.table_runs(number)
        for name in (run.task, f"{run.task}/{run.method}")
    }  # fmt: skip
    if strange := [name for name in only if name not in there]:
        raise UserError(f"no table of {preset.name} has {strange[0]}: {nearest(strange[0], there)}")
    known, not_asked_for = places.records(preset).all(), dict[str, None]()
    records, runs = list[Record](), Measured()
    for seed in seeds:
        for (task, method, translation), by in table_rows(known, preset, seed).items():
            records += by.values()
            if method == REAL:
                continue
            if only and not {task, f"{task}/{method}"} & set(only):
                not_asked_for[run_name(task, method, seed)] = None
            else:
                record = next(iter(by.values()))
                direction: Direction = "b2a" if translation == "b2a" else "a2b"
                runs.setdefault((task, method, seed), (record, []))[1].append(direction)
    if not runs:
        raise UserError(
            f"{places.results} has no records of the tables of {preset.name} with seeds "
            f"{', '.join(map(str, seeds))}: make the tables first (python -m reproduce all)"
        )
    target = places.results / preset.name / WEIGHTS
    with whole_folder(target) as part:
        files, left_out = _networks(preset, runs, places, part, tell)
        stored = {file.about["task"] for file in files}
        if not stored:
            raise UserError(f"none of the runs behind these tables is in {places.runs}")
        # For all tasks, so that further seeds can be measured with the same networks.
        files += _instruments(records, places, part, tell)
        pictures = _pictures((r for r in records if r["task"] in stored), places)
        left_out += not_asked_for
        manifest = Manifest(part, preset.name, RULE, files, pictures, left_out)
        if manifest.bytes > limit:
            raise UserError(
                f"these weights take {manifest.bytes / 1e6:.1f} MB, more than the limit of "
                f"{limit / 1e6:g} MB: store fewer seeds, or --only"
            )
        write_text(part / MANIFEST, manifest.as_text())
    return replace(manifest, folder=target)


def store_run(checkpoint: Path, directions: Sequence[Direction], target: Path, sha256: str) -> None:
    """Write the weights of ``checkpoint`` that translation in ``directions`` needs to ``target``.

    ``sha256``: the checkpoint's. Raises UserError if the stored weights, loaded again, do not
    translate exactly like the checkpoint's rounded ones.
    """
    method, read = load_method(checkpoint)
    size = read.run.size
    names = tensors_read(method, directions, size)
    first = new_method(read.run).state_dict()
    tensors, rims = shrunk(method.state_dict(), first, names)
    stored = Stored(sha256, tuple(directions), rims)
    target.parent.mkdir(parents=True, exist_ok=True)
    about = describe(read.run, read.step, read.data) | {"stored": stored.as_text()}
    _round(method)
    probes = {PROBE + direction: probe(method, direction, size) for direction in directions}
    write_atomic(target, {f"model.{name}": t for name, t in tensors.items()} | probes, about)
    again, _ = load_method(target)
    for direction in directions:
        if not torch.equal(probes[PROBE + direction], probe(again, direction, size)):
            raise UserError(
                f"{checkpoint} cannot be stored: loaded again, it translates differently"
            )


@torch.no_grad()
def _round(method: Method) -> None:
    for tensor in method.state_dict().values():
        if tensor.is_floating_point():
            half = tensor.to(PRECISION)
            tensor.copy_(half if bool(torch.isfinite(half).all()) else tensor)


def _networks(
    preset: Preset, measured: Measured, places: Places, part: Path, tell: Tell
) -> tuple[list[StoredFile], list[str]]:
    """Store the runs for all measured directions; return the files and the missing runs' names."""
    files, left_out = [], []
    for (task, method, seed), (record, directions) in measured.items():
        run = RunConfig.from_dict(record["config"])
        path, sha256 = run_folder(places.runs, preset.name, run) / LAST, record["checkpoint_sha256"]
        if not path.is_file():
            tell(f"left out: {method} on {task}, seed {seed}: {path} is missing")
            left_out.append(run_name(task, method, seed))
            continue
        if sha256_file(path) != sha256:
            raise UserError(
                f"{path} is not the network in the newest records of {method} on {task} "
                f"({sha256[:12]}): measure it first (python -m reproduce all)"
            )
        name = f"{task}-{method}-seed{seed}.safetensors"
        store_run(path, directions, part / name, sha256)
        about = {
            "kind": "run", "task": task, "method": method, "seed": seed,
            "checkpoint_sha256": sha256, "directions": directions,
        }  # fmt: skip
        files.append(_listed(part, name, about))
    return files, left_out


def _instruments(
    records: Iterable[Record], places: Places, part: Path, tell: Tell
) -> list[StoredFile]:
    """Store the networks that measured, found by the sha256 of their weights."""
    wanted: dict[str, str] = {}
    for told in (record["protocol"] for record in records):
        if "reader" in told:
            wanted[told["sha256"]] = "content-reader"
        elif "classifier" in told:
            wanted[told["sha256"]] = "mode-classifier"
        elif "extractor" in told and not told["extractor"].startswith("lpips"):
            wanted[told["sha256"]] = "classifier"
    there, files = _by_numbers(places.runs / "classifiers", set(wanted.values())), []
    for numbers, kind in wanted.items():
        if (kind, numbers) not in there:
            tell(f"left out: {kind} {numbers[:12]}: it is not in {places.runs}")
            continue
        path = there[kind, numbers]
        name = f"{MEASURING}/{path.name}"
        (part / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, part / name)
        files.append(_listed(part, name, {"kind": kind, "numbers": numbers, "code": signed(path)}))
    return files


def _by_numbers(folder: Path, kinds: Iterable[str]) -> dict[tuple[str, str], Path]:
    """Map (kind, sha256 of the weights) to each file in ``folder`` that is one of ``kinds``."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        for kind in kinds:
            try:
                found[kind, LOADERS[kind](path).sha256] = path
            except UserError:
                continue  # of another kind, or of an earlier version
    return found


def _pictures(records: Iterable[Record], places: Places) -> dict[str, dict[str, Any]]:
    """Return digests of the test pictures, after comparing them with pictures drawn singly."""
    runs = {r["task"]: (RunConfig.from_dict(r["config"]), r["data_sha256"])
            for r in records if r["method"] != REAL}  # fmt: skip
    found = {}
    for name, (run, data) in runs.items():
        task, domains = DrawnTask.of(run), open_run_task(run, places)
        if domains.fingerprint(progress=places.progress) != data:
            raise UserError(
                f"the pictures in {domains.folder} are not those of the records of {name}: restore "
                "them, or measure again"
            )
        parts = {}
        for part in task.test_parts:
            folder, alone = FolderSource(domains.folder / part), task.sources[part]
            parts[part] = [digest(folder.read(i)) for i in range(len(folder))]
            for index, expected in enumerate(parts[part]):
                if digest(alone.read(index)) != expected:
                    raise UserError(f"{folder.path(index)} differs from the picture drawn singly")
        sizes = {"size": run.size, "train": run.train, "test": run.test}
        found[name] = sizes | {"data_sha256": data, "parts": parts}
    return found


def _listed(part: Path, name: str, about: dict[str, Any]) -> StoredFile:
    path = part / name
    return StoredFile(name, sha256_file(path), path.stat().st_size, about)
