"""A Snakemake profile: where the graph's jobs run, and whether they could from here."""

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
# Those that come with Snakemake.
BUILT_IN = ("local", "dryrun", "touch")
MINUTES = {"": 1, "s": 1 / 60, "m": 1, "h": 60, "d": 1440, "w": 10080}  # of a unit's first letter


def profile_path(profile: str) -> Path:
    """The suite's profile of that name, or one of the user's own: a folder, or a file.

    Raises:
        UserError: there is none, or it cannot be read.
    """
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
    """What the profile's ``jobs.yaml``, if it has one, asks for besides: of jobs with a GPU
    (``gpu``) and of those without (``cpu``).

    Raises:
        UserError: it says something else.
    """
    path = profile_path(profile) / "jobs.yaml"
    if not path.is_file():
        return {}
    told = _read(path)
    for kind, resources in told.items():
        if kind not in ("gpu", "cpu") or not isinstance(resources or {}, dict):
            raise UserError(f"{path}: '{kind}' is none of gpu and cpu, each with `resource: value`")
    return {kind: dict(resources or {}) for kind, resources in told.items()}


def usual_runtime(profile: str) -> object:
    """The ``runtime`` that the profile gives jobs of whom nothing is known; None where it gives none."""
    for file in _files(profile_path(profile)):
        told = _read(file).get("default-resources") or {}
        pairs = told if isinstance(told, dict) else dict(str(x).partition("=")[::2] for x in told)
        if "runtime" in pairs:
            return pairs["runtime"]
    return None


def in_minutes(runtime: object) -> float:
    """What Snakemake reads as minutes, or with a unit (``1d``); infinity for anything else, such as an
    expression."""
    told = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)[a-z]*", str(runtime).strip("'\""))
    return float(told[1]) * MINUTES[told[2]] if told else math.inf


def _read(file: Path) -> dict[str, Any]:
    told = read_yaml(file, "write lines of `option: value`")
    if not isinstance(told, dict):
        raise UserError(f"{file}: not a profile: it has to be lines of `option: value`")
    return told


def check_executor(profile: str) -> None:
    """Refuse, before anything is begun, a profile whose jobs could not be given to anyone.

    Raises:
        UserError: there is no such profile, or what its executor needs is not installed here.
    """
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
                f"{file}: no sbatch on this machine's PATH: call it where SLURM's commands are, "
                "e.g. on a login node"
            )


def _files(path: Path) -> list[Path]:
    """The files of a profile; several are for several versions of Snakemake."""
    if path.is_file():
        return [path]
    return sorted({*path.glob("config*.yaml"), *path.glob("profile*.yaml")})
