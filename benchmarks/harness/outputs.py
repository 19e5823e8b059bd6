"""Outputs: translations as people have them, in folders or arrays, checked and read one by one.

Pictures are measured as they are, so nothing is resized and nothing converted: whatever does not fit is
refused by name before anything is measured.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.harness.layouts import Files, find_layout, places_of
from benchmarks.pictures import as_saved, from_bytes, pixels_of, size_to_measure
from models.errors import UserError

ARRAYS = (".npy", ".npz")
Range = tuple[float, float]


class _Source(Protocol):
    """Where pixels come from."""

    def read(self, number: int, sample: int) -> Tensor:
        """A picture (3, H, W) in [-1, 1], as its file holds it."""

    def digest(self) -> str:
        """sha256 (hex) of all of it."""


@dataclass(frozen=True)
class Outputs:
    """``samples`` translations of each input in ``names``, all of one ``size`` (height, width).

    ``numbered``: the names are places in the order of the test inputs. ``lossy``: some may have been
    compressed with loss. ``passed``: pictures beside them that are not read.
    """

    names: tuple[str, ...]
    samples: int
    size: tuple[int, int]
    words: str
    source: _Source = field(repr=False)
    rows: tuple[int, ...] = field(repr=False)  # of the source, an input each
    numbered: bool = False
    lossy: bool = False
    passed: tuple[Path, ...] = ()

    def __str__(self) -> str:
        height, width = self.size
        told = f"{len(self.names)} inputs x {self.samples} samples, {width}x{height}, {self.words}"
        if self.lossy:
            told += ", where compression with loss is allowed"
        if self.passed:
            several = f" and {len(self.passed) - 1} more" if len(self.passed) > 1 else ""
            told += f"; passed over: {self.passed[0].name}{several}"
        return told

    @property
    def sha256(self) -> str:
        """Of the names and all pictures."""
        told = "\n".join((*self.names, *map(str, self.rows), self.source.digest()))
        return hashlib.sha256(told.encode()).hexdigest()

    def stream(
        self, samples: int | range | None = None, inputs: range | None = None
    ) -> Iterator[tuple[str, int, Tensor]]:
        """(input, sample, picture (3, H, W) in [-1, 1]) of all inputs or of those numbers, input by
        input: of all samples, the first, or those numbers."""
        if samples is None or isinstance(samples, int):
            samples = range(self.samples if samples is None else samples)
        for number in range(len(self.names)) if inputs is None else inputs:
            for sample in samples:
                yield self.names[number], sample, self.source.read(self.rows[number], sample)

    def called(self, names: Sequence[str], where: object) -> Outputs:
        """The translations of the inputs called ``names``, in their order; UserError where one lacks.
        ``where``: these are, for the message."""
        places = places_of(names, self.names, self.numbered, where)
        rows = tuple(self.rows[place] for place in places)
        return replace(self, names=tuple(names), rows=rows, numbered=False)


def open_outputs(
    paths: Sequence[Path], pattern: str | None = None, value_range: Range | None = None,
    lossy: bool = False,
) -> Outputs:  # fmt: skip
    """What lies at ``paths``: a folder, several folders (one a sample), or an ``.npy`` or ``.npz``
    array (inputs, samples, H, W, 3) of uint8, or of floats in ``value_range``.

    ``pattern``: as ``find_layout`` takes it. ``lossy``: JPEGs may be measured too. Raises UserError
    naming the file that does not fit: inputs with too few samples, other sizes, grey, alpha.
    """
    array = next((path for path in paths if path.suffix in ARRAYS), None)
    if array is not None:
        if len(paths) > 1 or pattern is not None:
            raise UserError(f"{array} is an array: give it alone, without --pattern")
        return _of_array(array, value_range)
    if value_range is not None:
        raise UserError("--range is of arrays of floats: leave it out")
    layout = find_layout(paths, pattern)
    _check_counts(layout.files)
    first, size = None, (0, 0)
    for path in (path for samples in layout.files.values() for path in samples.values()):
        found = size_to_measure(path, lossy)
        if first is None:
            first, size = path, found
        if found != size:
            raise UserError(
                f"{path} is {found[0]}x{found[1]}, {first} is {size[0]}x{size[1]}: all outputs must "
                "have one size"
            )
    rows = [[*samples.values()] for samples in layout.files.values()]
    return Outputs(
        tuple(layout.files), len(rows[0]), (size[1], size[0]), layout.words, _Files(rows),
        tuple(range(len(rows))), layout.numbered, lossy, layout.passed,
    )  # fmt: skip


def check_size(outputs: Outputs, inputs: int | None, samples: int | None) -> None:
    """UserError where ``outputs`` have fewer inputs or samples than are asked for."""
    for kind, there, asked in (
        ("inputs", len(outputs.names), inputs),
        ("samples an input", outputs.samples, samples),
    ):
        if asked is not None and asked > there:
            raise UserError(f"{asked} {kind} are asked for, there are {there}: translate more")


def _check_counts(files: Files) -> None:
    """Refuse inputs without the samples that most inputs have."""
    usual = Counter(tuple(map(int, samples)) for samples in files.values()).most_common(1)[0][0]
    for name, samples in files.items():
        numbers = tuple(map(int, samples))
        if numbers == usual:
            continue
        lacking = sorted(set(usual) - set(numbers))
        example = next(iter(samples.values()))
        if lacking:
            raise UserError(
                f"input '{name}' ({example}) lacks sample {lacking[0]}, which others have: "
                f"translate it again ({len(usual)} samples an input)"
            )
        more = next(path for k, path in samples.items() if int(k) not in usual)
        raise UserError(
            f"{more}: other inputs have no such sample: remove it, or translate them again"
        )


@dataclass(frozen=True)
class _Files:
    rows: Sequence[Sequence[Path]]

    def read(self, number: int, sample: int) -> Tensor:
        pixels = torch.from_numpy(pixels_of(self.rows[number][sample]))
        return from_bytes(pixels.permute(2, 0, 1))

    def digest(self) -> str:
        digest = hashlib.sha256()
        for samples in self.rows:
            for path in samples:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _of_array(path: Path, value_range: Range | None) -> Outputs:
    if not path.is_file():
        raise UserError(f"{path}: no such file: give an array, or a folder")
    reader = _Zipped(path) if path.suffix == ".npz" else _Mapped(path)
    shape, kind = reader.shape, reader.dtype
    if len(shape) != 5 or shape[4] != 3 or 0 in shape:
        raise UserError(f"{path} has shape {shape}: save (inputs, samples, H, W, 3)")
    if kind == np.uint8:
        if value_range is not None:
            raise UserError(f"{path} holds uint8, 0 to 255: leave out --range")
    elif kind.kind != "f":
        raise UserError(f"{path} holds {kind}: save uint8, or floats and give their --range")
    elif value_range is None:
        raise UserError(
            f"{path} holds floats: give their --range, e.g. --range -1 1 or --range 0 1"
        )
    ids = reader.ids
    if ids is not None and (len(ids) != shape[0] or len(set(ids)) < len(ids)):
        raise UserError(f"{path}: input_ids must name each of the {shape[0]} inputs, each once")
    width = len(str(shape[0] - 1))
    names = tuple(ids) if ids is not None else tuple(f"{i:0{width}d}" for i in range(shape[0]))
    told = (
        str(kind) if value_range is None else f"{kind} in [{value_range[0]:g}, {value_range[1]:g}]"
    )
    return Outputs(
        names, shape[1], (shape[2], shape[3]), f"an array of {told}",
        _Array(path, reader, value_range), tuple(range(shape[0])), numbered=ids is None,
    )  # fmt: skip


@dataclass(frozen=True)
class _Array:
    path: Path
    reader: _Zipped | _Mapped
    value_range: Range | None

    def read(self, number: int, sample: int) -> Tensor:
        pixels = torch.from_numpy(self.reader.picture(number * self.reader.shape[1] + sample))
        try:
            return in_range(pixels.permute(2, 0, 1)[None], self.value_range)[0]
        except UserError as error:
            raise UserError(f"{self.path}: input {number}, sample {sample}: {error}") from None

    def digest(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def in_range(pictures: Tensor, value_range: Range | None) -> Tensor:
    """Pictures (N, 3, H, W), uint8 or floats in ``value_range``, in [-1, 1] as PNG files of them hold
    them. UserError for values out of range."""
    if pictures.dtype == torch.uint8:
        return from_bytes(pictures)
    if value_range is None or not pictures.is_floating_point():
        raise UserError(
            f"pictures are {pictures.dtype}: give uint8, or floats with their range, e.g. (-1, 1)"
        )
    low, high = value_range
    if not low < high:
        raise UserError(f"range {low:g} to {high:g}: the first must be the smaller")
    if not bool(
        ((pictures >= low - 1e-3 * (high - low)) & (pictures <= high + 1e-3 * (high - low))).all()
    ):
        least, greatest = (float(v) for v in torch.aminmax(pictures))
        raise UserError(f"values in [{least:g}, {greatest:g}] are outside [{low:g}, {high:g}]")
    # In double: the declared range must not move a grey level.
    scaled = (
        (pictures.double() - low) * (2 / (high - low)) - 1 if (low, high) != (-1, 1) else pictures
    )
    return as_saved(scaled.clamp(-1, 1).float())


class _Mapped:
    """An ``.npy`` file, of which only what is asked for is read."""

    ids: Sequence[str] | None = None

    def __init__(self, path: Path) -> None:
        try:
            self._array = np.load(path, mmap_mode="r", allow_pickle=False)
            if not isinstance(self._array, np.ndarray):
                raise ValueError("several arrays: call it .npz")
        except (OSError, ValueError, EOFError) as error:
            raise _no_array(path, error) from None
        self.shape, self.dtype = tuple(self._array.shape), self._array.dtype

    def picture(self, number: int) -> NDArray[Any]:
        return np.array(self._array[divmod(number, self.shape[1])])


class _Zipped:
    """An array in an ``.npz`` file, unpacked picture by picture from the first on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
            names = [name for name in self._archive.namelist() if name != "input_ids.npy"]
            if len(names) != 1:
                raise UserError(
                    f"{path} holds {', '.join(names) or 'nothing'}: save one array of pictures, "
                    "and at most 'input_ids' beside it"
                )
            self._member = names[0]
            with self._archive.open(self._member) as file:
                self.shape, self.dtype = self._header(file)
            with np.load(path, allow_pickle=False) as arrays:
                told = arrays.get("input_ids")
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise _no_array(path, error) from None
        self.ids = None if told is None else [str(name) for name in np.ravel(told)]
        self._file: IO[bytes] | None = None
        self._next = 0

    def _header(self, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
        if fortran or dtype.hasobject:
            raise ValueError("saved in Fortran's order, or of objects: save np.ascontiguousarray")
        return shape, dtype

    def picture(self, number: int) -> NDArray[Any]:
        shape = self.shape[2:]
        count = int(np.prod(shape)) * self.dtype.itemsize
        try:
            if self._file is None or number < self._next:
                self._file, self._next = self._archive.open(self._member), 0
                self._header(self._file)
            while True:
                content = self._file.read(count)
                self._next += 1
                if self._next > number:
                    return np.frombuffer(content, self.dtype).reshape(shape).copy()
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise _no_array(self._path, error) from None


def _no_array(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} is no array of numbers ({error}): save it by numpy.save or numpy.savez"
    )
