"""Copies of stored results, and ways to damage them."""

import copy
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from regression_world import Record, World
from safetensors import safe_open
from safetensors.torch import save_file

from benchmarks.files import sha256_file
from reproduce.measuring.stored_manifest import MANIFEST, WEIGHTS, Row, StoredFile
from reproduce.records.store import Records, line_of


def copied(world: World, row: Row, folder: Path) -> World:
    """The results of one row in a folder of their own: its records, raw values and weights; other
    weights are links."""
    results, name = folder / "results", world.preset.name
    (results / name).mkdir(parents=True)
    lines = list[str]()
    for record in world.rows[row].values():
        raw = {}
        if "raw" in record:
            (results / record["raw"]).parent.mkdir(parents=True, exist_ok=True)
            path = shutil.copy(world.raw(record), results / record["raw"])
            raw = {"raw_sha256": sha256_file(path)}  # that of a file that this zlib writes
        lines.append(line_of(record | raw))
    (results / name / "records.jsonl").write_text("".join(f"{line}\n" for line in lines))
    weights = results / name / WEIGHTS
    for file in world.manifest.files:
        (weights / file.file).parent.mkdir(parents=True, exist_ok=True)
        os.symlink((world.manifest.folder / file.file).resolve(), weights / file.file)
    shutil.copyfile(world.manifest.folder / MANIFEST, weights / MANIFEST)
    return World(results, world.preset)


def file_of(world: World, row: Row) -> StoredFile:
    """The stored weights of a row."""
    file = world.manifest.find(kind="run", task=row[0], method=row[1])
    assert file is not None
    return file


def overwrite(world: World, file: StoredFile, content: bytes) -> World:
    """Other bytes in the place of a stored file, which the manifest says are the right ones."""
    path = world.manifest.folder / file.file
    path.unlink()
    path.write_bytes(content)
    new = replace(file, sha256=sha256_file(path), bytes=path.stat().st_size)
    files = [new if other == file else other for other in world.manifest.files]
    (world.manifest.folder / MANIFEST).write_text(replace(world.manifest, files=files).as_text())
    return World(world.results, world.preset)


def noisy(world: World, row: Row, share: float) -> bytes:
    """A row's file with normal noise on every weight, in shares of its tensor's standard deviation."""
    path = world.manifest.folder / file_of(world, row).file
    with safe_open(path, framework="pt") as opened:
        metadata = opened.metadata()
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    draws = torch.Generator().manual_seed(1)
    for key, tensor in sorted(tensors.items()):
        if tensor.is_floating_point() and tensor.numel() > 1:
            noise = torch.randn(tensor.shape, generator=draws) * share
            tensors[key] = (tensor.float() + noise * tensor.float().std()).to(tensor.dtype)
    scratch = world.results / "scratch.safetensors"
    save_file(tensors, scratch, metadata)
    return scratch.read_bytes()


def with_record(world: World, metric: str, change: Callable[[Record], None]) -> World:
    """A record edited by hand."""
    path = world.results / world.preset.name / "records.jsonl"
    records = copy.deepcopy(Records(world.results, world.preset.name).all())
    for record in records:
        if record["metric"] == metric:
            change(record)
    path.write_text("".join(f"{line_of(record)}\n" for record in records))
    return World(world.results, world.preset)


def measuring(world: World, **changes: Any) -> World:
    """This code, if its preset measured otherwise."""
    measure = replace(world.preset.measure, **changes)
    return World(world.results, replace(world.preset, measure=measure))
