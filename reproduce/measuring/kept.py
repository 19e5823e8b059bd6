"""Networks that measure: found in the runs folder, or trained there once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

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


@dataclass(frozen=True)
class Kept(Generic[Network]):
    """A network at ``path``, which ``train`` makes."""

    path: Path
    load: Callable[[Path], Network]
    train: Callable[[], Network]
    trained_by: str  # the module whose code decides what ``train`` makes

    def open(self) -> Network:
        """Trained now unless this very code trained it before."""
        no_tf32()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            if made_by(self.path, self.trained_by):
                return self.load(self.path)
            network = self.train()
            network.save(self.path)
            sign(self.path, self.trained_by)
        return network


def kept_path(runs: Path, name: str, about: object) -> Path:
    """Where a network called ``name`` is kept: ``about`` are the JSON values that decide it."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return runs / "classifiers" / f"{name.replace(' ', '-')}-{digest}.safetensors"


def as_bytes(source: PictureSource, size: int, count: int | None = None) -> Tensor:
    """The first ``count`` pictures of a source, or all, uint8 (N, 3, size, size), to learn from."""
    fixed = Preparation(size).at_test()
    rows = range(len(source) if count is None else count)
    return torch.cat([to_bytes(fixed(source.read(i))[None]) for i in rows])
