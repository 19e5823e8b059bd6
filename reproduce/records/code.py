"""The code that decides a result, as digests: of jobs, of trained runs, and of records."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.files import write_text
from models.zoo import recipe
from reproduce.records.code_digest import contents, digest_of, modules_behind, state_of_files

OUTSIDE_DIGESTS = "it only names code"
# What a training computes with, whatever the method.
_TRAINING = (
    "reproduce.training.trainer", "reproduce.training.graphed", "reproduce.training.checkpoints",
    "reproduce.tasks.batches", "models.randomness",
)  # fmt: skip


_KNOWN: dict[str, dict[str, Any]] = {}  # by the modules' names


def digests(*modules: str) -> dict[str, Any]:
    """The code behind ``modules``: its ``digest``, which decides, and by name the contents of its
    ``modules``, which only say what changed."""
    names = " ".join(modules)
    if names not in _KNOWN:
        found = modules_behind(modules)
        _KNOWN[names] = {"digest": digest_of(found), "modules": contents(found)}
    return _KNOWN[names]


def known_digests() -> dict[str, Any]:
    """All that ``digests`` has told in this process, for another one: to read a hundred files takes
    each job a second."""
    return {"files": state_of_files(), "digests": _KNOWN}


def take_digests(told: Mapping[str, Any]) -> None:
    """What ``known_digests`` told, if no file has changed since."""
    if told.get("files") == state_of_files():
        _KNOWN.update(told["digests"])


def training(method: str) -> dict[str, Any]:
    """The same of the training of a method."""
    return digests(recipe(method).method.__module__, *_TRAINING)


@cache
def training_code(method: str) -> str:
    """12 hex digits of the code that trains a method."""
    return str(training(method)["digest"])


def measuring(*modules: str) -> dict[str, Any]:
    """The same of modules that measure translations."""
    return digests(*modules, "reproduce.training.translate")


@cache
def code_of(module: str) -> str:
    """12 hex digits of the code with which ``module`` measures: what was measured with other code
    is measured again."""
    return str(measuring(module)["digest"])


def made_by(path: Path, *modules: str) -> bool:
    """Whether a network that is kept at ``path`` was trained by the code that is behind
    ``modules`` now; one that was brought here, without a note, is taken as it is."""
    note = path.with_suffix(".code")
    if not path.exists():
        return False
    return not note.exists() or note.read_text(encoding="utf-8").strip() == digest_of(
        modules_behind(modules)
    )


def sign(path: Path, *modules: str) -> None:
    """Note which code trained the network at ``path``."""
    write_text(path.with_suffix(".code"), digest_of(modules_behind(modules)) + "\n")
