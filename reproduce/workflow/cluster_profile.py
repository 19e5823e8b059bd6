"""Snakemake profiles: where the graph's jobs run, and whether they can be submitted from here."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.zoo import nearest
from reproduce.records.yaml_file import read_yaml

PROFILES = Path(__file__).with_name("profiles")
# Executors that come with Snakemake.
BUILT_IN = ("local", "dryrun", "touch")
MINUTES = {"": 1, "s": 1 / 60, "m": 1, "h": 60, "d": 1440, "w": 10080}  # by a unit's first letter


def profile_path(profile: str) -> Path:
    """Path of the built-in profile of that name, or of the user's own (a folder or a file);
    UserError if there is none."""
    path = PROFILES / profile
    if not path.is_dir():
        path = Path(profile).absolute()
    if not _files(path):
        ours = sorted(p.name for p in PROFILES.iterdir())
        raise UserError(
            f"unknown --profile '{profile}': {nearest(profile, ours)}, or a folder with a config.yaml"
        )
    return path


def asked_for(profile: str) -> dict[str, dict[str, Any]]:
    """Read the additional resources in the profile's ``jobs.yaml``, if it has one: for jobs with a
    GPU (``gpu``) and for those without (``cpu``). UserError if the file has other contents."""
    path = profile_path(profile) / "jobs.yaml"
    if not path.is_file():
        return {}
    told = _read(path)
    for kind, resources in told.items():
        if kind not in ("gpu", "cpu") or not isinstance(resources or {}, dict):
            raise UserError(f"{path}: '{kind}': write gpu and cpu, each with `resource: value`")
    return {kind: dict(resources or {}) for kind, resources in told.items()}


def usual_runtime(profile: str) -> object:
    """The profile's default ``runtime``, for jobs of unknown duration; None if it has none."""
    for file in _files(profile_path(profile)):
        told = _read(file).get("default-resources") or {}
        pairs = told if isinstance(told, dict) else dict(str(x).partition("=")[::2] for x in told)
        if "runtime" in pairs:
            return pairs["runtime"]
    return None


def in_minutes(runtime: object) -> float:
    """Convert a ``runtime`` of Snakemake (minutes, or with a unit, such as ``1d``) to minutes; infinity
    for anything else, such as an expression."""
    told = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)[a-z]*", str(runtime).strip("'\""))
    return float(told[1]) * MINUTES[told[2]] if told else math.inf


def _read(file: Path) -> dict[str, Any]:
    told = read_yaml(file, "write lines of `option: value`")
    if not isinstance(told, dict):
        raise UserError(f"{file}: not a profile: write lines of `option: value`")
    return told


def check_executor(profile: str) -> None:
    """Check, before any job starts, that the profile's executor can submit jobs from here; UserError
    if there is no such profile, or its executor's plugin or commands are not installed."""
    for file in _files(profile_path(profile)):
        told = _read(file)
        executor = told.get("executor", "local")
        if executor in BUILT_IN:
            continue
        package = f"snakemake-executor-plugin-{executor}"
        if importlib.util.find_spec(package.replace("-", "_")) is None:
            raise UserError(
                f"{file}: executor '{executor}' is not installed: pip install {package}"
            )
        if executor == "slurm" and shutil.which("sbatch") is None:
            raise UserError(
                f"{file}: no sbatch on this machine's PATH: run this where SLURM's commands are, "
                "e.g. on a login node"
            )


def _files(path: Path) -> list[Path]:
    """The files of a profile; there may be one per version of Snakemake."""
    if path.is_file():
        return [path]
    return sorted({*path.glob("config*.yaml"), *path.glob("profile*.yaml")})
