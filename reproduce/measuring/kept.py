"""Networks that measure: found in the runs folder, or trained there once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from filelock import FileLock
from torch import Tensor

from benchmarks.networks.precision import no_tf32
from benchmarks.pictures import to_bytes
from reproduce.records.code import made_by, sign
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource


class _Saves(Protocol):
    def save(self, path: Path) -> None: ...


Network = TypeVar("Network", bound=_Saves)


def kept_path(runs: Path, name: str, about: object) -> Path:
    """Where a network called ``name`` is kept: ``about`` are the JSON values that decide it."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return runs / "classifiers" / f"{name}-{digest}.safetensors"


def kept(
    path: Path, trained_by: str, load: Callable[[Path], Network], train: Callable[[], Network]
) -> Network:
    """The network at ``path``, trained now unless the code behind the module ``trained_by``, as it
    is, trained it before."""
    no_tf32()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if made_by(path, trained_by):
            return load(path)
        network = train()
        network.save(path)
        sign(path, trained_by)
    return network


def as_bytes(source: PictureSource, size: int, count: int | None = None) -> Tensor:
    """The first ``count`` pictures of a source, or all, uint8 (N, 3, size, size), to learn from."""
    fixed = Preparation(size).at_test()
    rows = range(len(source) if count is None else count)
    return torch.cat([to_bytes(fixed(source.read(i))[None]) for i in rows])
