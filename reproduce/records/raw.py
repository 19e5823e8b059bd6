"""Raw values behind records: one ``.npz`` per measurement, later packed into one per task and seed, in
which arrays common to several measurements, such as the inputs' names and the distances of the
reference method, are stored once.

A pack, ``packed-TASK-seedN.npz``, holds for each dtype the bytes of all its arrays, concatenated, as
uint8 (itemsize, elements): first bytes first, which compresses floats by an eighth more.
``index.json`` has ``files``: the names and arrays of each packed file, by the sha256 in its records;
and ``arrays``: the dtype, shape and first element of each array. The arrays of a pack are verified
whenever it is read; which file (sha256) they came from is the pack's own statement.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.files import cannot_write, foreign, sha256_file, whole
from models.errors import UserError

OUTSIDE_DIGESTS = "how raw values are kept changes no number"
FOLDER, PREFIX, INDEX = "raw", "packed-", "index.json"
REMEDY = "restore it from version control, or measure again"
YOUNG = 3600  # seconds for which values without a record are kept: their record may follow
Array = NDArray[Any]
Arrays = dict[str, Array]


class Packed(NamedTuple):
    """The contents of a packed file."""

    names: tuple[str, ...]
    arrays: Arrays


def keep(folder: Path, name: str, save: Callable[[Path], object]) -> tuple[Path, str]:
    """Write raw values with ``save`` to a file called ``name`` in ``folder``, or to a similar name if
    that file holds the values of another record. Returns its path and sha256."""
    path = folder / name
    scratch = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(scratch)
        sha256 = sha256_file(scratch)
        if sha256_of(path) not in (None, sha256):
            path = path.with_stem(f"{path.stem}-{sha256[:8]}")
        if not holds(path, sha256):
            os.replace(scratch, path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        scratch.unlink(missing_ok=True)
    return path, sha256


def sha256_of(path: Path) -> str | None:
    """The sha256 of a file of raw values, packed or not; None if it is missing or damaged."""
    with suppress(OSError):
        return sha256_file(path)
    packs = _packs(path.parent)
    return next((s for pack in packs for s, of in pack.items() if path.name in of.names), None)


def holds(path: Path, sha256: str | None) -> bool:
    """Whether the raw values with this ``sha256`` are at ``path``, or in a pack next to it."""
    with suppress(OSError):
        if sha256_file(path) == sha256:
            return True
    return any(sha256 in pack for pack in _packs(path.parent))


def raw_of(results: Path, record: Mapping[str, Any]) -> Arrays | None:
    """All arrays of a record's raw values, as measured (``meta`` is JSON); None if it has none.
    UserError if they lie outside ``results``, are missing, or differ from the record's sha256."""
    if "raw" not in record:
        return None
    path, sha256 = _place(results, record), record["raw_sha256"]
    if (found := _arrays_of(sha256, path)) is not None:
        return found
    about = f"{record['metric']} of {record['method']} on {record['task']}, seed {record['seed']}"
    for packed in _pack_files(path.parent):
        try:
            _packed(packed)
        except UserError as error:
            raise UserError(f"{path}, raw values of {about}, is missing, and {error}") from None
    if sha256_of(path) is None:
        raise UserError(f"{path}, raw values of {about}, is missing: {REMEDY}")
    raise UserError(
        f"{path} is not the file that {about} was computed from (its sha256 differs): {REMEDY}"
    )


def pack(results: Path, folder: Path, records: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Pack the raw values in ``folder`` that ``records`` refer to, and delete the others, except
    recent ones, whose record may follow. Returns the numbers of files packed and deleted. If killed
    in between, it leaves values twice, never too few.

    Raises UserError if a pack is damaged and its contents are not available elsewhere.
    """
    told = defaultdict[Path, dict[str, set[Path]]](lambda: defaultdict(set))
    for record in records:
        if "raw" in record:
            task = re.sub(r"[^\w.+-]", "_", record["task"])[:100]
            target = folder / f"{PREFIX}{task}-seed{record['seed']}.npz"
            told[target][record["raw_sha256"]].add(_place(results, record))
    loose = {path: sha256_file(path) for path in sorted(folder.glob("*.npz"))
             if path.is_file() and not path.name.startswith(PREFIX)}  # fmt: skip
    done, awaited = set[str](), set[Path]()
    for target, wanted in told.items():
        entries = dict[str, Packed]()
        for sha256, paths in wanted.items():
            if (arrays := _arrays_of(sha256, *sorted(paths))) is None:
                awaited |= paths
            else:
                entries[sha256] = Packed(tuple(sorted(path.name for path in paths)), arrays)
        _write_pack(target, entries, complete=len(entries) == len(wanted))
        done |= entries.keys()
    for path in _pack_files(folder):
        if path not in told:
            path.unlink(missing_ok=True)
    old = [path for path in loose if _age(path) > YOUNG and path not in awaited]
    # A name that begins with a dot is of a file being written, or left by a process that died.
    packed = [p for p, sha256 in loose.items() if sha256 in done and not p.name.startswith(".")]
    dropped = [path for path in old if path not in packed]
    for path in packed + dropped:
        path.unlink(missing_ok=True)
    return len(packed), len(dropped)


def _place(results: Path, record: Mapping[str, Any]) -> Path:
    path = results / str(record["raw"])
    if not path.resolve().is_relative_to(results.resolve()):
        raise UserError(f"{record['raw']} lies outside {results}: correct the record")
    if path.name.startswith(PREFIX):
        raise UserError(f"{record['raw']} is a pack, not a measurement's file: correct the record")
    return path


def _age(path: Path) -> float:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime
    return 0


def _pack_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*.npz"))


def _packs(folder: Path) -> Iterator[dict[str, Packed]]:
    """The contents of the packs of a folder, by sha256; damaged packs are skipped."""
    for pack in _pack_files(folder):
        with suppress(UserError):
            yield _packed(pack)


def _arrays_of(sha256: str, *paths: Path) -> Arrays | None:
    """The arrays of a file with this ``sha256`` at one of the paths, or in a pack next to them."""
    with suppress(OSError, UserError):
        for path in paths:
            if path.exists() and sha256_file(path) == sha256:
                return _arrays(path)
    packs = _packs(paths[0].parent)
    return next((dict(pack[sha256].arrays) for pack in packs if sha256 in pack), None)


def _packed(pack: Path) -> dict[str, Packed]:
    """The contents of a pack, by sha256; UserError if it is damaged."""
    about: tuple[int, ...] = ()
    with suppress(OSError):
        about = (status := pack.stat()).st_size, status.st_mtime_ns
    return _read(pack, *about)


@cache
def _read(pack: Path, *_: int) -> dict[str, Packed]:
    with foreign(f"{pack} is damaged", REMEDY), np.load(pack, allow_pickle=False) as file:
        return _unpacked(dict(file))


def _unpacked(members: dict[str, Any]) -> dict[str, Packed]:
    index, arrays = json.loads(members.pop(INDEX)), Arrays()
    bytes_of = {kind: np.ascontiguousarray(planes.T) for kind, planes in members.items()}
    for name, (dtype, shape, first) in index["arrays"].items():
        flat = bytes_of[_kind(dtype)][first : first + int(np.prod(shape, dtype=int))]
        array = flat.reshape(-1).view(dtype).reshape(shape)
        array.setflags(write=False)
        if _name(array) != name:
            raise ValueError(f"array {name} does not match its hash")
        arrays[name] = array
    return {
        sha256: Packed(tuple(of["names"]), {key: arrays[n] for key, n in of["arrays"].items()})
        for sha256, of in index["files"].items()
    }


def _write_pack(target: Path, entries: Mapping[str, Packed], *, complete: bool) -> None:
    """Write a pack, unless its contents are unchanged: another lzma version gives other bytes."""
    there = dict[str, Packed]()
    try:
        there = _packed(target) if target.exists() else {}
    except UserError:
        if not complete:
            raise
    same = {(k, of.names) for k, of in there.items()} == {
        (k, of.names) for k, of in entries.items()
    }
    if not entries or same:
        return
    told = dict[str, tuple[str, tuple[int, ...], int]]()
    bytes_of, counts = defaultdict[str, list[Array]](list), defaultdict[str, int](int)
    index: dict[str, Any] = {"files": {}, "arrays": told}
    for sha256, entry in sorted(entries.items(), key=lambda item: item[1].names):
        names = {key: _name(array) for key, array in entry.arrays.items()}
        index["files"][sha256] = {"names": entry.names, "arrays": names}
        for key, array in entry.arrays.items():
            if names[key] not in told:
                dtype = array.dtype.str
                kind = _kind(dtype)
                told[names[key]] = dtype, array.shape, counts[kind]
                counts[kind] += array.size
                flat = np.ascontiguousarray(array).reshape(-1, 1)
                bytes_of[kind].append(flat.view(np.uint8).reshape(array.size, array.itemsize))
    with whole(target) as part, part.open("wb") as written:
        with zipfile.ZipFile(written, "w") as made:
            made.writestr(zipfile.ZipInfo(INDEX), json.dumps(index), zipfile.ZIP_LZMA)
            for kind, parts in sorted(bytes_of.items()):
                file = io.BytesIO()
                np.save(file, np.ascontiguousarray(np.concatenate(parts).T))
                made.writestr(zipfile.ZipInfo(f"{kind}.npy"), file.getvalue(), zipfile.ZIP_LZMA)
        written.flush()
        os.fsync(written.fileno())  # because the packed files are removed next
    _packed(target)  # raises if it was not written whole


def _kind(dtype: str) -> str:
    """The name of a pack's member for a dtype: "f4" for "<f4", ">f4" for ">f4"."""
    return dtype.lstrip("<|")


def _name(array: Array) -> str:
    told = f"{_kind(array.dtype.str)} {list(array.shape)} ".encode() + array.tobytes()
    return hashlib.sha256(told).hexdigest()[:16]


def _arrays(path: Path) -> Arrays:
    with foreign(f"{path} holds no raw values", REMEDY), np.load(path, allow_pickle=False) as file:
        found = dict(file)
        if strange := [
            k for k, a in found.items() if not isinstance(a, np.ndarray) or a.dtype.names
        ]:
            raise ValueError(f"{strange[0]} is not an array of numbers or words")
        return found
