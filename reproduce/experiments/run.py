"""The configuration of a training run, and its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.method import MethodConfig
from models.zoo import make_config, nearest, parse_value, recipe
from reproduce.tasks.registry import TASKS

OUTSIDE_DIGESTS = "a run's settings are named by its jobs and records"
PRECISIONS = ("float32", "bf16")
PROGRESS = "progress.json"  # in a run's folder


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the numbers of one training. Its fields are also keys of ``--set``.

    ``settings`` holds the method's complete configuration. ``resize`` 0 means: directly to
    ``size``. ``source`` is a local folder or archive with the task's pictures; their place affects
    no number, so it is excluded from comparisons, storage and hashes. Their fingerprint identifies
    the pictures.
    """

    method: str
    task: str
    seed: int = 0
    size: int = 256
    batch: int = 1
    steps: int = 1_000_000
    resize: int = 0
    crop: str = "random"
    flip: bool = True
    train: int = 4000
    test: int = 200
    precision: str = "float32"
    source: str = dataclasses.field(default="", compare=False)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def method_config(self) -> MethodConfig:
        return make_config(self.method, self.settings)

    def as_dict(self) -> dict[str, Any]:
        """All fields; ``source`` is always empty, and kept for compatible digests."""
        return dataclasses.asdict(self) | {"source": ""}

    def digest(self) -> str:
        """The sha256 (hex) of the configuration."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> RunConfig:
        """The inverse of ``as_dict``, except for ``source``; UserError for unknown or missing keys
        and invalid values."""
        known = {f.name: str(f.type) for f in dataclasses.fields(RunConfig)}
        if not isinstance(values, Mapping) or set(values) != set(known):
            raise UserError("not a run configuration: it has other keys")
        if not isinstance(values["settings"], Mapping):
            raise UserError("not a run configuration: its settings are not a mapping")
        parsed: dict[str, Any] = {
            k: parse_value(k, v, known[k]) for k, v in values.items() if k != "settings"
        }
        config = make_config(parsed["method"], values["settings"])
        run = RunConfig(**parsed, settings=dataclasses.asdict(config))
        _check(run)
        return run

    def unread(self) -> dict[str, str]:
        """Settings without effect in this run -> the reason and remedy, in words."""
        unread = self.method_config.unread()
        spec = TASKS.get(self.task)
        if spec is not None and spec.drawn and not self.source:
            if self.resize in (0, self.size):
                unread["crop"] = (
                    f"on drawn pictures, which have {self.size} px already: leave it out, or set "
                    f"resize above {self.size}"
                )
        elif (spec is not None and not self.source) or Path(self.source or self.task).exists():
            # A path that does not exist is reported when it is opened.
            why = f"on {self.source or self.task}: it counts pictures to draw; leave it out"
            unread |= {"train": why, "test": why}
        return unread

    def differences(self, other: RunConfig) -> list[str]:
        """The differences from ``other``, in words, without settings that neither of them reads."""
        ours, theirs = flat(self), flat(other)
        keys = sorted((set(ours) | set(theirs)) - (set(self.unread()) & set(other.unread())))
        first = sorted(keys, key=lambda k: k != "method")  # the cause of other differences
        return [f"{k}={ours.get(k)} (there: {theirs.get(k)})" for k in first
                if ours.get(k) != theirs.get(k)]  # fmt: skip


RUN_KEYS = {
    f.name: str(f.type)
    for f in dataclasses.fields(RunConfig)
    if f.name not in ("method", "task", "settings", "source")
}


def flat(run: RunConfig) -> dict[str, Any]:
    """The run's and the method's settings in one dictionary."""
    values = run.as_dict()
    return values.pop("settings") | values


def legal_keys(method: str) -> dict[str, str]:
    """The keys of ``--set`` for ``method`` -> their types, for ``parse_value``."""
    return {f.name: str(f.type) for f in dataclasses.fields(recipe(method).config)} | RUN_KEYS


def make_run(
    method: str,
    task: str,
    values: Mapping[str, object],
    overrides: Mapping[str, object],
    source: str = "",
) -> RunConfig:
    """A run of ``method`` on ``task``. ``values`` come from a preset, ``overrides`` from ``--set``;
    both hold run keys and settings of the method. UserError for unknown keys, invalid values, and
    overrides without effect."""
    recipe(method)
    merged = dict(values) | dict(overrides)
    run_values = {k: parse_value(k, v, RUN_KEYS[k]) for k, v in merged.items() if k in RUN_KEYS}
    settings = {k: v for k, v in merged.items() if k not in RUN_KEYS}
    for key in settings:
        if key not in legal_keys(method):
            raise UserError(f"{method} has no setting '{key}': {nearest(key, legal_keys(method))}")
    config = make_config(method, settings)
    run = RunConfig(
        method=method,
        task=task,
        source=source,
        settings=dataclasses.asdict(config),
        **run_values,  # type: ignore[arg-type]
    )
    _check(run)
    if not {config.channels_a, config.channels_b} <= {1, 3}:
        raise UserError("pictures are RGB or grey: channels_a and channels_b must be 3 or 1")
    if recipe(run.method).method.paired and run.batch % 2:
        raise UserError(f"{run.method} splits its batch in two: batch={run.batch} must be even")
    refuse_unread(overrides, run.unread())
    return run


def refuse_unread(overrides: Mapping[str, object], unread: Mapping[str, str]) -> None:
    """UserError for the first of ``overrides`` that is in ``unread`` (key -> reason)."""
    for key, value in overrides.items():
        if key in unread:
            raise UserError(f"{key}={value} has no effect {unread[key]}")


def _check(run: RunConfig) -> None:
    if run.precision not in PRECISIONS:
        raise UserError(f"unknown precision '{run.precision}': use one of {', '.join(PRECISIONS)}")
    for key in ("size", "batch", "steps", "train", "test"):
        if getattr(run, key) < 1:
            raise UserError(f"{key}={getattr(run, key)} is not a legal value: use at least 1")


def parse_settings(words: list[str]) -> dict[str, str]:
    """``["key=value", ...]`` as a dictionary."""
    settings: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserError(f"--set {word}: write key=value, e.g. --set lr=0.0002")
        if key in settings:
            raise UserError(f"--set {key} is given twice: give it once")
        settings[key] = value
    return settings


def run_folder(root: Path, preset: str, run: RunConfig) -> Path:
    """The folder of a preset's run: one per task, method and seed."""
    return root / preset / run.task / f"{run.method}-seed{run.seed}"


def progress_of(folder: Path) -> dict[str, Any]:
    """The last progress report in a run's folder: ``step``, ``seconds`` over all calls, and more;
    empty if there is none yet."""
    try:
        told = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
