"""Append-only records: one JSON line per measurement, never changed, never typed by hand.

A long value that several records share, such as the settings of a training, is stored once, on a line
``{"shared": NAME, "value": {...}}`` before the first of them. NAME is the first 12 hex digits of the
value's sha256, and replaces the value in the records; under ``of`` it replaces all facts about what
was measured. This module resolves the names, so its callers never see them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.files import cannot_write, locked, write_text
from models.errors import UserError
from reproduce.records import raw

OUTSIDE_DIGESTS = "how records are kept changes no number"
ID_DIGITS = 12
REFERENCE = "munit"  # the method that Quality compares others with
REAL = "real"  # the "method" of real pictures
# Sources of preferences, best first: people; an observer, which knows the ground truth of drawn
# pictures; a judge, which compares with photos of similar inputs.
QUALITY = ("quality-human", "quality-observed", "quality-judged")

REQUIRED = ("metric", "value", "protocol", "preset", "task", "method", "seed")
_NUMBER, _NAME, _NESTED = (int, float), (str, type(None)), (Mapping, type(None))
_KINDS: dict[str, tuple[type, ...]] = {
    "value": _NUMBER, "seed": (int,), "protocol": (Mapping,),
    **dict.fromkeys(("metric", "preset", "task", "method"), (str,)),
    **dict.fromkeys(("translation", "unit", "raw", "raw_sha256"), _NAME),
    **dict.fromkeys(("interval", "environment", "config", "measure", "changes", "training",
                     "pictures", "submission"), _NESTED),
}  # fmt: skip
_SHARED = ("config", "environment", "measure", "protocol", "training")
_OF = "of"  # the key that names the shared value of these fields
_FACTS = ("changes", "checkpoint_sha256", "config", "config_sha256", "data_sha256", "environment",
          "method", "preset", "seed", "size", "steps", "task", "training")  # fmt: skip
_LONG = 100  # characters; values of at least this length are shared
_WORDS = {
    (int,): "a whole number", _NUMBER: "a number", (str,): "a name", _NAME: "a name",
    (Mapping,): "an object", _NESTED: "an object",
}  # fmt: skip
SHOWN = 40  # characters of an invalid value that its error shows


class Pruned(NamedTuple):
    """The result of ``Records.prune``: records dropped and kept (``left``), raw-value files dropped
    and packed, bytes freed."""

    records: int
    left: int
    files: int
    packed: int
    freed: int


class Records:
    """The records of one preset: ``<results>/<preset>/records.jsonl``.

    ``code``: a digest of the measuring code. New records contain it, and ``find`` ignores records of
    other code.
    """

    def __init__(self, results: Path, preset: str, code: str | None = None) -> None:
        self.folder = results / preset
        self._code = {} if code is None else {"code": code}
        self.path = self.folder / "records.jsonl"
        self._lock = self.path.with_name(".records.lock")

    def all(self) -> list[dict[str, Any]]:
        """Every record, oldest first. A last line truncated by a crash is ignored; UserError if
        another one is not a record, or is not complete."""
        try:
            about = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return []
        return list(_read(self.path, about.st_size, about.st_mtime_ns))

    def find(self, **wanted: object) -> dict[str, Any] | None:
        """The newest record whose fields equal ``wanted`` (``a__b`` is the nested field b of a), or
        None. Records with missing or changed raw values are skipped."""
        for record in reversed(self.all()):
            same = all(told(record, *key.split("__")) == v for key, v in wanted.items())
            if same and (
                "raw" not in record
                or raw.holds(self.folder.parent / str(record["raw"]), record["raw_sha256"])
            ):
                # Tables show the newest record: if it is of other code, an older one does not count.
                return record if self._code.items() <= record.items() else None
        return None

    def keep_raw(self, name: str, save: Callable[[Path], object]) -> dict[str, str]:
        """Write raw values with ``save`` to a file called ``name``, or to a similar name if that file
        holds other values. Returns the record's fields ``raw`` and ``raw_sha256``."""
        path, sha256 = raw.keep(self.folder / raw.FOLDER, name, save)
        return {"raw": path.relative_to(self.folder.parent).as_posix(), "raw_sha256": sha256}

    def append(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Append a record, with the time, and flush it to disk. Returns the record as stored."""
        now = {"time": datetime.now(UTC).isoformat(timespec="seconds")}
        stamped = dict(record) | self._code | now
        if problem := problem_of(stamped, self.folder.name):  # it would make the file unreadable
            raise ValueError(f"a record that {problem}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self._lock), self.path.open("a+b", buffering=0) as file:
                before = _drop_torn_line(file)
                end = len(before)
                rest = _text_of([stamped], before).encode()
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise cannot_write(self.path, error) from None
        return stamped

    def prune(self, kept: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Pruned:
        """Keep only the records that ``kept`` selects; delete raw values without a record, and pack
        the others. If killed in between, it leaves too many raw values, never too few."""
        with locked(self._lock):
            every, size = self.all(), self._size()
            names = {record_id(record) for record in kept(every)}
            left = [record for record in every if record_id(record) in names]
            text = _text_of(left)
            if every and text != self.path.read_text(encoding="utf-8"):
                write_text(self.path, text)
            packed, dropped = raw.pack(self.folder.parent, self.folder / raw.FOLDER, left)
            return Pruned(len(every) - len(left), len(left), dropped, packed, size - self._size())

    def _size(self) -> int:
        files = [self.path, *(self.folder / raw.FOLDER).glob("*.npz")]
        return sum(path.stat().st_size for path in files if path.exists())


def line_of(record: Mapping[str, Any]) -> str:
    """A record as one JSON line without shared values or line break; ValueError for values that are
    not JSON, such as NaN."""
    return json.dumps(record, sort_keys=True, allow_nan=False)


def _text_of(records: Iterable[Mapping[str, Any]], before: bytes = b"") -> str:
    """The stored lines of ``records``, which may refer to shared values in ``before``."""
    lines, names = list[str](), set[str]()

    def shared(value: Mapping[str, Any]) -> str:
        name = record_id(value)
        line = line_of({"shared": name, "value": value})
        if name not in names and line.encode() + b"\n" not in before:
            lines.append(line)
        names.add(name)
        return name

    for record in records:
        long = {k: v for k in _SHARED if len(line_of(v := record.get(k) or {})) >= _LONG}
        stored = dict(record) | {key: shared(value) for key, value in long.items()}
        facts = {key: stored[key] for key in _FACTS if key in stored}
        if len(line_of(facts)) >= _LONG:
            stored = {k: v for k, v in stored.items() if k not in facts} | {_OF: shared(facts)}
        lines.append(line_of(stored))
    return "".join(f"{line}\n" for line in lines)


def record_id(record: Mapping[str, Any]) -> str:
    """A record's ID: the first 12 hex digits of the sha256 of its line without shared values."""
    line = json.dumps(record, sort_keys=True)
    return hashlib.sha256(line.encode()).hexdigest()[:ID_DIGITS]


def record_ids(path: Path) -> frozenset[str]:
    """The IDs of all records in a file; empty if there is no file."""
    try:
        about = path.stat()
    except OSError:
        return frozenset()
    return _ids(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4)
def _ids(path: Path, *about: int) -> frozenset[str]:
    return frozenset(map(record_id, _read(path, *about)))


@lru_cache(maxsize=32)
def _read(path: Path, *_: int) -> tuple[dict[str, Any], ...]:
    """The records of a file in its current state, parsed once per process."""
    records, shared = list[dict[str, Any]](), dict[str, Any]()
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        problem = "is not a record"
        if isinstance(record, dict) and record.keys() == {"shared", "value"}:
            name, value = record["shared"], record["value"]
            shared[str(name)] = value
            problem = "" if record_id(value) == name else "does not match its hash"
            problem = problem or (
                "" if isinstance(value, dict) else "shares a value, not an object"
            )
        elif isinstance(record, dict):
            problem = ""
            for key in (_OF, *_SHARED):
                if not isinstance(name := record.get(key), str):
                    continue
                if name not in shared:
                    problem = problem or f"refers in {key} to a value that no earlier line holds"
                elif key == _OF:
                    record = shared[record.pop(_OF)] | record
                else:
                    record[key] = shared[name]
            records.append(record)
            problem = problem or problem_of(record, path.parent.name)
        elif number == len(lines):
            break
        if problem:
            raise UserError(
                f"{path} line {number} {problem}: restore the file from version control"
            )
    return tuple(records)


def problem_of(record: Mapping[str, Any], preset: str) -> str:
    """What is wrong with a record of ``preset``, as words for an error; "" if it is valid."""
    if missing := [key for key in REQUIRED if key not in record]:
        return f"lacks {', '.join(missing)}"
    for key, kinds in _KINDS.items():
        if not _is(record.get(key), kinds):
            shown = json.dumps(record.get(key))[:SHOWN]
            return f"has {key} {shown}, which is not {_WORDS[kinds]}"
    interval = record.get("interval") or {"low": 0, "high": 0}
    if not all(_is(interval.get(end), _NUMBER) for end in ("low", "high")):
        return "has an interval without ends"
    if _OF in record:
        return f"has a field {_OF}, which is reserved for shared values"
    if ("raw" in record) != ("raw_sha256" in record):
        return "has only one of raw and raw_sha256"
    if record["preset"] != preset:
        return f"is of preset {record['preset']}, not of {preset}"
    try:
        line_of(record)
    except ValueError:
        return "holds NaN or infinity"
    return ""


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    # In Python, bool is a subclass of int.
    return isinstance(value, kinds) and not isinstance(value, bool)


def _drop_torn_line(file: io.FileIO) -> bytes:
    """Remove a partial last line, left by a crash, which would make the next one unreadable; complete
    a line that lacks only its line break. Returns the lines left."""
    file.seek(0)
    found = file.readall()
    whole, newline, rest = found.rpartition(b"\n")
    if not rest:
        return found
    try:
        json.loads(rest)
    except ValueError:
        file.truncate(len(whole + newline))
        return whole + newline
    file.write(b"\n")
    return found + b"\n"


def told(record: Mapping[str, Any], *path: str) -> Any:
    """A record's value under a ``path`` of keys; None if there is none."""
    value: Any = record
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
