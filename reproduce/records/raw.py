"""Raw values behind records: a ``.npz`` each as they are measured; once packed, one a task and seed, in
which arrays that several tell alike, such as inputs' names and the distances of the method that
others are set against, are there once.

A pack, ``packed-TASK-seedN.npz``, holds for each dtype the bytes of all its arrays, one behind the
other, as uint8 (itemsize, elements): first bytes first, which compresses floats by an eighth more.
``index.json`` tells of each ``files`` that was packed its sha256, which records go on naming, and its
arrays, and of each of the ``arrays`` its dtype, shape and first element.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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
Array = NDArray[Any]
Arrays = dict[str, Array]


class Packed(NamedTuple):
    """A file as it was before it was packed."""

    sha256: str
    arrays: Arrays


def keep(folder: Path, name: str, save: Callable[[Path], object]) -> tuple[Path, str]:
    """Write raw values by ``save`` to a file called ``name`` in ``folder``, or one like it where that
    holds others, which another record tells of; returns its path and sha256."""
    path = folder / name
    scratch = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(scratch)
        sha256 = sha256_file(scratch)
        if held(path) not in (None, sha256):
            path = path.with_stem(f"{path.stem}-{sha256[:8]}")
        os.replace(scratch, path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        scratch.unlink(missing_ok=True)
    return path, sha256


def held(path: Path) -> str | None:
    """The sha256 of a file of raw values, packed or not; None where it is in neither form whole."""
    if path.is_file():
        return sha256_file(path)
    found = _in_pack(path)
    return None if found is None else found.sha256


def raw_of(results: Path, record: Mapping[str, Any]) -> Arrays | None:
    """All arrays of a record's raw values, if it has any, as they were measured; ``meta`` is JSON.

    Raises:
        UserError: they lie outside ``results``, are missing, or are others.
    """
    if "raw" not in record:
        return None
    path = results / str(record["raw"])
    if not path.resolve().is_relative_to(results.resolve()):
        raise UserError(f"{record['raw']} lies outside {results}: mend the record")
    about = f"{record['metric']} of {record['method']} on {record['task']}, seed {record['seed']}"
    if (sha256 := held(path)) is None:
        raise UserError(f"{path}, raw values of {about}, is missing: {REMEDY}")
    if sha256 != record["raw_sha256"]:
        raise UserError(
            f"{path} is not the file that {about} was computed from (its sha256 differs): {REMEDY}"
        )
    return None if (found := _found(path)) is None else dict(found.arrays)


def pack(results: Path, folder: Path, records: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Of the raw values in ``folder`` pack those that ``records`` tell of and drop the others; returns
    how many files were packed and how many dropped. Killed in between it leaves values twice,
    never too few."""
    told = dict[Path, dict[Path, None]]()
    for record in records:
        if "raw" in record:
            of = folder / f"{PREFIX}{record['task']}-seed{record['seed']}.npz"
            told.setdefault(of, {})[results / str(record["raw"])] = None
    known = {path for of in told.values() for path in of}
    loose = [path for path in folder.glob("*.npz") if not path.name.startswith(PREFIX)]
    damaged = {path for path in loose if path in known and _damaged(path)}
    for target, paths in told.items():
        if left := [path for path in paths if path not in damaged]:
            _write_pack(target, left)
    for path in folder.glob(f"{PREFIX}*.npz"):
        if path not in told:
            path.unlink()
    for path in loose:
        if path not in damaged:
            path.unlink()
    packed = len(known & set(loose) - damaged)
    return packed, len(loose) - packed - len(damaged)


def _damaged(path: Path) -> bool:
    try:
        _arrays(path)
    except UserError:
        return True
    return False


def _found(path: Path) -> Packed | None:
    return Packed(sha256_file(path), _arrays(path)) if path.is_file() else _in_pack(path)


def _in_pack(path: Path) -> Packed | None:
    for pack in sorted(path.parent.glob(f"{PREFIX}*.npz")):
        with suppress(UserError):
            if found := _packed(pack).get(path.name):
                return found
    return None


def _packed(pack: Path) -> dict[str, Packed]:
    """What a pack holds, by the names of the files; UserError where it is not what it was."""
    about = pack.stat()
    return _read(pack, about.st_size, about.st_mtime_ns)


@cache
def _read(pack: Path, *_: int) -> dict[str, Packed]:
    with foreign(f"{pack} is damaged", REMEDY), np.load(pack, allow_pickle=False) as file:
        index, arrays = json.loads(file[INDEX]), Arrays()
        bytes_of = {
            kind: np.ascontiguousarray(file[kind].T) for kind in file.files if kind != INDEX
        }
        for name, (kind, shape, first) in index["arrays"].items():
            flat = bytes_of[kind][first : first + int(np.prod(shape, dtype=int))]
            array = flat.reshape(-1).view(kind).reshape(shape)
            array.setflags(write=False)
            if _name(array) != name:
                raise ValueError(f"array {name} is another")
            arrays[name] = array
        return {
            name: Packed(
                of["sha256"], {key: arrays[stored] for key, stored in of["arrays"].items()}
            )
            for name, of in index["files"].items()
        }


def _write_pack(target: Path, paths: Sequence[Path]) -> None:
    """Nothing is written where it is as it was: another zlib would write other bytes."""
    files = {path.name: found for path in paths if (found := _found(path)) is not None}
    nothing_new = len(files) < len(paths) or not any(path.is_file() for path in paths)
    # A damaged pack is told of, not lost.
    if target.is_file() and nothing_new and _packed(target).keys() == files.keys():
        return
    told = dict[str, tuple[str, tuple[int, ...], int]]()
    bytes_of, counts = defaultdict[str, list[Array]](list), defaultdict[str, int](int)
    index: dict[str, Any] = {"files": {}, "arrays": told}
    for name, found in sorted(files.items()):
        index["files"][name] = {"sha256": found.sha256, "arrays": (names := {})}
        for key, array in found.arrays.items():
            names[key] = _name(array)
            if names[key] not in told:
                kind = array.dtype.str.lstrip("<|")
                told[names[key]] = kind, array.shape, counts[kind]
                counts[kind] += array.size
                flat = np.ascontiguousarray(array).reshape(-1, 1)
                bytes_of[kind].append(flat.view(np.uint8).reshape(array.size, array.itemsize))
    with whole(target) as part, zipfile.ZipFile(part, "w") as made:
        made.writestr(zipfile.ZipInfo(INDEX), json.dumps(index), zipfile.ZIP_LZMA)
        for kind, parts in sorted(bytes_of.items()):
            file = io.BytesIO()
            np.save(file, np.ascontiguousarray(np.concatenate(parts).T))
            made.writestr(zipfile.ZipInfo(f"{kind}.npy"), file.getvalue(), zipfile.ZIP_LZMA)


def _name(array: Array) -> str:
    told = f"{array.dtype.str.lstrip('<|')} {list(array.shape)} ".encode() + array.tobytes()
    return hashlib.sha256(told).hexdigest()[:16]


def _arrays(path: Path) -> Arrays:
    with foreign(f"{path} holds no raw values", REMEDY), np.load(path, allow_pickle=False) as file:
        return dict(file)
