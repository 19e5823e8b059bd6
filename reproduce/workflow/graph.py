"""Jobs, the digests of their inputs, and the stamps of finished jobs (``jobs`` defines a preset's).

A job's digest covers its settings, its code (``records.code``) and the digests of the jobs it needs.
A job is done if its stamp, a small file named by that digest, exists and its outputs are unchanged.
So a changed option, picture or line of code makes exactly the dependent jobs stale. A job has only
one stamp: going back to earlier settings makes it again, since tables show the newest result.
Snakemake runs stale jobs (``Snakefile``); this module starts no processes.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.files import files_under, write_text
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.records.raw import holds, sha256_of
from reproduce.records.store import record_ids


@dataclass(frozen=True)
class Job:
    """One node of the graph.

    ``preset``: the preset that its results belong to. ``name``: e.g. ``train/drawn-shoes/munit/seed0``.
    ``about``: JSON values that determine the result, together with the digests of the jobs in
    ``needs``. ``runs``: the runs that it trains, measures or shows.
    """

    preset: Preset = field(compare=False, repr=False)
    name: str
    about: Mapping[str, Any]
    needs: tuple[Job, ...] = ()
    runs: tuple[RunConfig, ...] = field(default=(), compare=False)

    @property
    def kind(self) -> str:
        """The first part of the name."""
        return self.name.split("/")[0]

    def called(self, preset: Preset) -> str:
        """Its name in a graph of ``preset``; names of an ablation's variants include their changes."""
        if self.preset.name == preset.name:
            return self.name
        differ = self.preset.changes.items() - preset.changes.items()
        changes = ",".join(f"{key}={value}" for key, value in sorted(differ))
        return f"{self.name}@{changes or self.preset.name}"

    @cached_property
    def digest(self) -> str:
        """16 hex digits of everything that determines the result."""
        parts = self.parts()
        if "code" in self.about:  # the names of its modules do not matter
            parts["about"]["code"] = self.about["code"]["digest"]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def parts(self) -> dict[str, Any]:
        """What the digest covers, and the names of the modules in its code."""
        names = Counter(job.name for job in self.needs)
        needs = {
            job.name if names[job.name] == 1 else job.called(self.preset): job.digest
            for job in self.needs
        }
        return {"name": self.name, "about": dict(self.about), "needs": needs}

    def stamp(self, runs: Path) -> Path:
        """Path of its stamp, beside the runs of its preset."""
        name = f"{self.name.replace('/', '.')}.{self.digest}.json"
        return stamps_folder(runs, self.preset) / name


def stamps_folder(runs: Path, preset: Preset) -> Path:
    """The folder of a preset's stamps."""
    return runs / preset.name / "stamps"


def behind(targets: Iterable[Job]) -> set[int]:
    """The ids of ``targets`` and of all jobs that they need, directly or not."""
    waiting, found = list(targets), set[int]()
    while waiting:
        job = waiting.pop()
        if id(job) not in found:
            found.add(id(job))
            waiting += job.needs
    return found


def listing(source: Path, *, times: bool, without: str = "") -> str:
    """A digest of the names and sizes (with ``times``, also modification times) of the files at
    ``source``: a quick test whether pictures changed.

    ``without``: name of a file to ignore. A missing folder has a digest too.
    """
    files = sorted(files_under(source, hidden=True)) if source.is_dir() else [source]
    told = [
        (p.relative_to(source).as_posix(), s.st_size, *([s.st_mtime_ns] if times else []))
        for p in files if p.name != without and p.exists() and (s := p.stat())
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Made:
    """The outputs of a job: ``files``; ``folders`` of pictures, compared only by names and sizes;
    ``records``, for each records file the ids of its measurements."""

    files: Sequence[Path] = ()
    folders: Sequence[Path] = ()
    records: Mapping[Path, Sequence[str]] = field(default_factory=dict)

    def told(self, folder: Path) -> dict[str, Any]:
        """The entries of a stamp in ``folder``."""
        return {
            "made": {os.path.relpath(p, folder): _sha256(p) for p in self.files},
            "folders": {os.path.relpath(p, folder): listing(p, times=False) for p in self.folders},
            "records": {os.path.relpath(p, folder): sorted(i) for p, i in self.records.items()},
        }


def _sha256(path: Path) -> str:
    if (found := sha256_of(path)) is None:
        raise FileNotFoundError(path)
    return found


def write_stamp(job: Job, runs: Path, seconds: float, made: Made) -> Path:
    """Write the stamp of a finished ``job``: how long it took, and what it ``made``."""
    path = job.stamp(runs)
    others = [p for p in _stamps(job, runs) if p != path]
    about = job.parts() | {"seconds": round(seconds, 1)} | made.told(path.parent)
    for other in others:
        other.unlink(missing_ok=True)
    write_text(path, json.dumps(about, indent=1, sort_keys=True) + "\n")
    return path


def read_stamp(path: Path) -> dict[str, Any] | None:
    """Read what ``write_stamp`` wrote; None for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(found, dict) and {"about", "needs", "seconds", "made"} <= set(found)
    return found if known else None


def seconds_of(job: Job, runs: Path) -> float | None:
    """Estimate a job's seconds from stamps: its last time, else that with another seed, else (for a
    training) that on other pictures; scaled to a training's number of steps. None without a stamp."""
    stem, about = job.name.partition("/seed")[0], job.about.get("config", {})
    like = stamps_folder(runs, job.preset).glob(f"{glob.escape(stem.replace('/', '.'))}*.json")
    same = [s for s in _by_time(like) if str(s.get("name")).partition("/seed")[0] == stem]
    same = [s for s in same if s["name"] == job.name] or same
    if not same and job.kind == "train":
        like = runs.glob(f"*/stamps/train.*.{job.runs[0].method}.seed*.json")
        same = [s for s in _by_time(like) if _pace(s["about"].get("config", {})) == _pace(about)]
    if not same:
        return None
    steps, seconds = same[-1]["about"].get("config", {}).get("steps"), float(same[-1]["seconds"])
    return seconds * job.runs[0].steps / steps if job.kind == "train" and steps else seconds


def _by_time(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The stamps at ``paths``, newest last."""
    paths = sorted(paths, key=lambda path: path.stat().st_mtime_ns)
    return [stamp for path in paths if (stamp := read_stamp(path))]


def _pace(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that determine how long a training step takes."""
    aside = ("task", "seed", "steps", "train", "test")
    return {key: value for key, value in config.items() if key not in aside}


def is_done(job: Job, runs: Path) -> bool:
    """Whether the job's stamp exists, its files are unchanged, and its measurements are on record."""
    path = job.stamp(runs)
    stamp, folder = read_stamp(path), path.parent
    if stamp is None:
        return False
    return (
        all(holds(folder / name, sha256) for name, sha256 in stamp["made"].items())
        and all(
            listing(folder / name, times=False) == found
            for name, found in stamp.get("folders", {}).items()
        )
        and all(
            set(ids) <= record_ids(folder / name) for name, ids in stamp.get("records", {}).items()
        )
    )


def stale_jobs(jobs: Mapping[str, Job], runs: Path) -> dict[str, str]:
    """The names of stale jobs, each with the reason in words, in the order of ``jobs``."""
    names = {id(job): name for name, job in jobs.items()}
    why: dict[str, str] = {}
    for name, job in jobs.items():
        renewed = [names[id(need)] for need in job.needs if names[id(need)] in why]
        if not is_done(job, runs):
            why[name] = _reason(job, runs)
        elif renewed:
            why[name] = f"{renewed[0]} is made again"
    return why


def _reason(job: Job, runs: Path) -> str:
    if job.stamp(runs).exists():
        return "its output is gone or changed"
    older = [stamp for path in _stamps(job, runs) if (stamp := read_stamp(path)) is not None]
    if not older:
        return "not made yet"
    nearest = min((_changes(stamp, job.parts()) for stamp in older), key=len)
    return f"{', '.join(nearest[:3])}{' and more' if len(nearest) > 3 else ''} changed"


def _stamps(job: Job, runs: Path) -> list[Path]:
    """The job's stamps with any digest, but not those of jobs whose names only begin alike."""
    stem = job.name.replace("/", ".")
    return sorted(
        path for path in stamps_folder(runs, job.preset).glob(f"{glob.escape(stem)}.*.json")
        if len(path.name) == len(stem) + len(job.digest) + len("..json")
    )  # fmt: skip


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of what differs; for code, of modules whose content changed (not of moved ones)."""
    before, after = _flat(old["about"]) | old["needs"], _flat(new["about"]) | new["needs"]
    code, now = before.pop("code", {}), after.pop("code", {})
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    if code != now:
        was, is_ = code.get("modules", {}), now.get("modules", {})
        moved = {*was.values()} & {*is_.values()}
        changed = {n for n, d in (*was.items(), *is_.items()) if d not in moved}
        names |= changed or ({"code"} if code.get("digest") != now.get("digest") else set())
    return sorted(names)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "code":
            found |= _flat(value, "" if key in ("config", "settings") else f"{key}.")
        else:
            found[prefix + key] = value
    return found
