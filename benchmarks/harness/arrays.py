"""Arrays of pictures, in files (read one picture at a time) and in memory."""

from __future__ import annotations

import math
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from benchmarks.files import foreign
from benchmarks.pictures import as_saved, from_bytes
from models.errors import UserError

ARRAYS = (".npy", ".npz")
Range = tuple[float, float]
_IDS = "input_ids.npy"


class ArrayFile:
    """An ``.npy`` file, or the only array of an ``.npz`` file; ``ids`` are the file's names of
    inputs.

    An ``.npz`` is decompressed from the start: read its pictures in order. Raises UserError for a
    broken file or other content.
    """

    ids: list[str] | None

    def __init__(self, path: Path) -> None:
        self._path, self.ids = path, None
        with self._reading():
            if zipfile.is_zipfile(path):
                self._file, size = self._member(zipfile.ZipFile(path))
            else:
                self._file, size = path.open("rb"), path.stat().st_size
            self.shape, self.dtype = _header(self._file)
            self._start = self._file.tell()
            if size != self._start + math.prod(self.shape) * self.dtype.itemsize:
                raise ValueError(f"incomplete for shape {self.shape}")

    def picture(self, number: int) -> NDArray[Any]:
        """Return picture ``number`` (H, W, 3), counted over all leading dimensions."""
        shape = self.shape[-3:]
        count = math.prod(shape) * self.dtype.itemsize
        with self._reading():
            self._file.seek(self._start + number * count)
            return np.frombuffer(self._file.read(count), self.dtype).reshape(shape)

    def _reading(self) -> AbstractContextManager[None]:
        return foreign(
            f"{self._path} is not a numeric array", "save it with numpy.save or numpy.savez"
        )

    def _member(self, archive: zipfile.ZipFile) -> tuple[IO[bytes], int]:
        """Read the inputs' names, if any, and open the array of pictures; returns its size, too."""
        names = [name for name in archive.namelist() if name != _IDS]
        if len(names) != 1:
            raise UserError(
                f"{self._path} holds {', '.join(names) or 'nothing'}: save one array of pictures and, "
                "optionally, 'input_ids'"
            )
        if len(archive.namelist()) > 1:
            told = np.lib.format.read_array(archive.open(_IDS), allow_pickle=False).ravel()
            if told.dtype.kind not in "USiu":
                raise ValueError(f"its input_ids have type {told.dtype}, not strings or integers")
            self.ids = [name.decode() if isinstance(name, bytes) else str(name) for name in told]
        return archive.open(names[0]), archive.getinfo(names[0]).file_size


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if fortran or dtype.hasobject:
        raise ValueError("Fortran order or objects: save np.ascontiguousarray of it")
    return shape, dtype


def in_memory(pixels: ArrayLike | Tensor) -> Tensor:
    """Return any framework's array as a CPU tensor. Raises UserError for types PyTorch lacks."""
    with foreign("pictures cannot be converted to a tensor", "give uint8 or float32"):
        if isinstance(pixels, Tensor):
            return pixels.detach().cpu()
        array = np.asarray(pixels)
        return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))


def in_range(pictures: Tensor, value_range: Range | None) -> Tensor:
    """Convert pictures (N, 3, H, W), uint8 or floats in ``value_range``, to [-1, 1], quantised as
    in PNG files. Raises UserError for values out of range."""
    if pictures.dtype == torch.uint8:
        return from_bytes(pictures)
    if value_range is None or not pictures.is_floating_point():
        raise UserError(
            f"pictures are {pictures.dtype}: give uint8, or floats with their range, e.g. (-1, 1)"
        )
    low, high = check_range(value_range)
    slack = 1e-3 * (high - low)
    if not bool(((pictures >= low - slack) & (pictures <= high + slack)).all()):
        least, greatest = (float(v) for v in torch.aminmax(pictures))
        raise UserError(f"values in [{least:g}, {greatest:g}] are outside [{low:g}, {high:g}]")
    # In double precision: rescaling must not move a grey level.
    scaled = (
        (pictures.double() - low) * (2 / (high - low)) - 1 if (low, high) != (-1, 1) else pictures
    )
    return as_saved(scaled.clamp(-1, 1).float())


def check_range(value_range: Range) -> Range:
    """Return the values of black and white; raises UserError unless finite and increasing."""
    low, high = value_range
    if not (math.isfinite(high - low) and low < high):
        raise UserError(
            f"range {low:g} to {high:g}: give two finite numbers, the smaller one first"
        )
    return value_range
