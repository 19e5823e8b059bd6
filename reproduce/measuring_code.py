"""The code that decides a result, as digests: of jobs, of trained runs, and of records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from models.zoo import recipe
from reproduce.code_digest import code_digests, modules_behind
from reproduce.files import write_text

# What changes no number.
NO_NUMBERS = (
    "models.zoo", "models.errors", "reproduce.runs", "reproduce.environment", "reproduce.signals",
    "reproduce.files", "reproduce.tasks.registry", "reproduce.tasks.specs",
)  # fmt: skip
# What a training computes with, whatever the method. How it is saved, stopped by a signal or shown
# changes no number; its pictures count by their fingerprint.
_TRAINING = (
    "reproduce.trainer", "reproduce.graphed_trainer", "reproduce.checkpoints",
    "reproduce.tasks.batches", "reproduce.randomness",
)  # fmt: skip
_BESIDE_TRAINING = (*NO_NUMBERS, "reproduce.stored_weights", "reproduce.processes")
# What measuring leaves to others: networks and pictures, which are told by their own digests.
ELSEWHERE = (
    *NO_NUMBERS, "reproduce.checkpoints", "reproduce.tasks.animals", "reproduce.tasks.drawn",
    "reproduce.pipeline", "reproduce.experiments",
)  # fmt: skip


def digests(*modules: str, without: Iterable[str] = ELSEWHERE) -> dict[str, str]:
    """By module, digests of the code behind ``modules``."""
    return code_digests(modules_behind(modules, without))


def training(method: str) -> dict[str, str]:
    """The same of the training of a method."""
    module = recipe(method).method.__module__
    return digests(module, *_TRAINING, without=_BESIDE_TRAINING)


@cache
def training_code(method: str) -> str:
    """12 hex digits of the code that trains a method."""
    return _short(training(method))


def measuring(module: str) -> dict[str, str]:
    """The same of a module that measures translations."""
    return digests(module, "reproduce.translate")


@cache
def code_of(module: str) -> str:
    """12 hex digits of the code with which ``module`` measures: what was measured with other code
    is measured again."""
    return _short(measuring(module))


def _short(found: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]


def made_by(path: Path, *modules: str) -> bool:
    """Whether a network that is kept at ``path`` was trained by the code that is behind
    ``modules`` now; one that was brought here, without a note, is taken as it is."""
    note = path.with_suffix(".code")
    if not path.exists():
        return False
    return not note.exists() or note.read_text(encoding="utf-8").strip() == _short(
        digests(*modules)
    )


def sign(path: Path, *modules: str) -> None:
    """Note which code trained the network at ``path``."""
    write_text(path.with_suffix(".code"), _short(digests(*modules)) + "\n")
