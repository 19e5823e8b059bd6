"""The manifest of stored weights: the files, and digests of the pictures they were measured on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import foreign, sha256_file
from models.errors import UserError
from models.method import DIRECTIONS
from reproduce.experiments.preset import TABLES, Preset
from reproduce.records.current import newest
from reproduce.records.store import REAL

OUTSIDE_DIGESTS = "records name the network that measured"
WEIGHTS, MANIFEST = "weights", "manifest.json"
MEASURING = "measuring"  # subfolder of the networks that measure, under their usual names
# The directions that a table measures: None is a2b, in records without a "translation" field.
MEASURED: dict[int, tuple[str | None, ...]] = {1: (None,), 2: DIRECTIONS}
RESTORE = "restore it from version control"

Record = Mapping[str, Any]
Row = tuple[str, str, str | None]  # task, method, translation


@dataclass(frozen=True)
class StoredFile:
    """A file of weights, with its path in the folder.

    ``about``: for a method's weights task, method, seed, checkpoint_sha256 and directions; for a
    network that measures its kind (classifier, mode-classifier, content-reader), ``numbers`` (its
    sha256 in records) and ``code`` (the digest of the code that trained it).
    """

    file: str
    sha256: str
    bytes: int
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """All stored files of a preset.

    ``pictures``: by task, size, train, test, data_sha256 (as in records) and the digests of the
    test pictures, by folder. ``left_out``: runs behind the tables that were missing or not
    requested, as task/method/seed.
    """

    folder: Path
    preset: str
    rule: str
    files: Sequence[StoredFile]
    pictures: Mapping[str, Mapping[str, Any]]
    left_out: Sequence[str] = ()

    @property
    def bytes(self) -> int:
        """The total size of all files."""
        return sum(file.bytes for file in self.files)

    def as_text(self) -> str:
        """Return the manifest as JSON, with one line per file."""
        lines = ",\n  ".join(json.dumps(asdict(file), sort_keys=True) for file in self.files)
        pictures = ",\n  ".join(
            f"{json.dumps(task)}: {json.dumps(dict(about), sort_keys=True)}"
            for task, about in sorted(self.pictures.items())
        )
        head = {"preset": self.preset, "rule": self.rule, "bytes": self.bytes}
        head |= {"left_out": list(self.left_out)}
        first = json.dumps(head, indent=1)[1:-2]
        return f'{{{first},\n "files": [\n  {lines}\n ],\n "pictures": {{\n  {pictures}\n }}\n}}\n'

    def find(self, **about: object) -> StoredFile | None:
        """Return the first file whose ``about`` includes these values; None if there is none."""
        return next((f for f in self.files if about.items() <= f.about.items()), None)

    def leaves_out(self, task: str, method: str, seed: int) -> bool:
        """Return whether a run is listed as left out; for real pictures, whether all runs of the
        task are."""
        if method != REAL:
            return run_name(task, method, seed) in self.left_out
        named = any(name.startswith(f"{task}/") for name in self.left_out)
        return named and task not in self.pictures

    def wrong(self, file: StoredFile) -> str | None:
        """Describe how a stored file differs from the manifest; None if it does not."""
        path = self.folder / file.file
        if not path.is_file():
            return f"{path} is missing: {RESTORE}"
        found = sha256_file(path)
        if found == file.sha256 and path.stat().st_size == file.bytes:
            return None
        return (
            f"{path} has sha256 {found[:12]} and {path.stat().st_size} bytes, the manifest says "
            f"{file.sha256[:12]} and {file.bytes}: {RESTORE}"
        )


def run_name(task: str, method: str, seed: int) -> str:
    """Return a run's name in ``left_out``."""
    return f"{task}/{method}/{seed}"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest in ``folder``; UserError if it is missing or invalid."""
    path = folder / MANIFEST
    with foreign(f"{path} is no list of stored weights", RESTORE):
        told = json.loads(path.read_text(encoding="utf-8"))
        files = [StoredFile(**entry) for entry in told["files"]]
        for file in files:
            if Path(file.file).is_absolute() or ".." in Path(file.file).parts:
                raise ValueError(f"{file.file} leads out of the folder")
        more = told["pictures"], told["left_out"]
        return Manifest(folder, told["preset"], told["rule"], files, *more)


def stored_network(results: Path, name: str, code: str) -> Path | None:
    """Return the stored network ``name`` that ``code`` trained, or None. Measuring with it keeps
    scores comparable with the stored ones, since training on another machine gives other weights.

    Raises UserError if its file differs from the manifest.
    """
    for path in sorted(results.glob(f"*/{WEIGHTS}/{MANIFEST}")):
        manifest = read_manifest(path.parent)
        for file in manifest.files:
            if file.file == f"{MEASURING}/{name}" and file.about.get("code") == code:
                if words := manifest.wrong(file):
                    raise UserError(words)
                return manifest.folder / file.file
    return None


def table_rows(
    records: Iterable[dict[str, Any]], preset: Preset, seed: int
) -> dict[Row, dict[str, dict[str, Any]]]:
    """Return the newest records behind a preset's tables, by row and metric. Real pictures only
    include metrics that methods have too, since others come from earlier protocols."""
    every, found = list(records), dict[Row, dict[str, dict[str, Any]]]()
    for number, tasks in sorted(preset.tables.items()):
        for translation in MEASURED[number]:
            rows = newest(every, seed, translation)
            for task in tasks:
                shown = {m: rows[task, m] for m in TABLES[number] if (task, m) in rows}
                known = {metric for by_metric in shown.values() for metric in by_metric}
                real = rows.get((task, REAL), {})
                shown[REAL] = {name: record for name, record in real.items() if name in known}
                found |= {(task, m, translation): by for m, by in shown.items() if by}
    return found
