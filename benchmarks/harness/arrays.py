"""Arrays of pictures: in files, of which only what is asked for is read, and in memory."""

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
    """An ``.npy`` file, or the one array of an ``.npz`` file, and what this calls the inputs.

    Pictures of an ``.npz`` are unpacked from the first on: ask for them in order. UserError for a file
    that is broken or holds anything else.
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
                raise ValueError(f"it is no whole array of shape {self.shape}")

    def picture(self, number: int) -> NDArray[Any]:
        """Picture ``number`` of all of (..., H, W, 3)."""
        shape = self.shape[-3:]
        count = math.prod(shape) * self.dtype.itemsize
        with self._reading():
            self._file.seek(self._start + number * count)
            return np.frombuffer(self._file.read(count), self.dtype).reshape(shape)

    def _reading(self) -> AbstractContextManager[None]:
        return foreign(
            f"{self._path} is no array of numbers", "save it by numpy.save or numpy.savez"
        )

    def _member(self, archive: zipfile.ZipFile) -> tuple[IO[bytes], int]:
        """The array of pictures and its size, once the inputs' names are read."""
        names = [name for name in archive.namelist() if name != _IDS]
        if len(names) != 1:
            raise UserError(
                f"{self._path} holds {', '.join(names) or 'nothing'}: save one array of pictures, and "
                "at most 'input_ids' beside it"
            )
        if len(archive.namelist()) > 1:
            told = np.lib.format.read_array(archive.open(_IDS), allow_pickle=False).ravel()
            if told.dtype.kind not in "USiu":
                raise ValueError(f"its input_ids are {told.dtype}, no names")
            self.ids = [name.decode() if isinstance(name, bytes) else str(name) for name in told]
        return archive.open(names[0]), archive.getinfo(names[0]).file_size


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if fortran or dtype.hasobject:
        raise ValueError("in Fortran's order, or of objects: save np.ascontiguousarray of it")
    return shape, dtype


def in_memory(pixels: ArrayLike | Tensor) -> Tensor:
    """Any framework's array as a tensor on the CPU. UserError for what PyTorch has no numbers for."""
    with foreign("pictures are no array that PyTorch has", "give uint8 or float32"):
        if isinstance(pixels, Tensor):
            return pixels.detach().cpu()
        array = np.asarray(pixels)
        return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))


def in_range(pictures: Tensor, value_range: Range | None) -> Tensor:
    """Pictures (N, 3, H, W), uint8 or floats in ``value_range``, in [-1, 1] as PNG files of them hold
    them. UserError for values out of range."""
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
    # In double: the declared range must not move a grey level.
    scaled = (
        (pictures.double() - low) * (2 / (high - low)) - 1 if (low, high) != (-1, 1) else pictures
    )
    return as_saved(scaled.clamp(-1, 1).float())


def check_range(value_range: Range) -> Range:
    """What black and white are; UserError for what are no two numbers in order."""
    low, high = value_range
    if not (math.isfinite(high - low) and low < high):
        raise UserError(
            f"range {low:g} to {high:g}: give two numbers, the first must be the smaller"
        )
    return value_range
