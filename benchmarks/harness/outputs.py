"""Outputs: translations as people have them, in folders or arrays, checked and read one by one.

Pictures are measured as they are, so nothing is resized and nothing converted: whatever does not fit is
refused by name before anything is measured.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.files import sha256_file
from benchmarks.harness.arrays import ARRAYS, ArrayFile, Range, check_range, in_memory, in_range
from benchmarks.harness.layouts import Files, find_layout, places_of
from benchmarks.pictures import from_bytes, pixels_of, size_to_measure
from models.errors import UserError


@dataclass(frozen=True)
class Outputs:
    """``samples`` translations of each input in ``names``, all of one ``size`` (height, width).

    ``source``: a picture (3, H, W) in [-1, 1] as its file holds it, by row and sample; ``digest``:
    sha256 (hex) of all of them. ``numbered``: the names are places in the order of the test inputs.
    ``lossy``: some may have been compressed with loss. ``passed``: pictures beside them that are not
    read.
    """

    names: tuple[str, ...]
    samples: int
    size: tuple[int, int]
    words: str
    source: Callable[[int, int], Tensor] = field(repr=False)
    digest: Callable[[], str] = field(repr=False)
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
        told = "\n".join((*self.names, *map(str, self.rows), self.digest()))
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
                yield self.names[number], sample, self.read(number, sample)

    def read(self, number: int, sample: int) -> Tensor:
        """A picture (3, H, W) in [-1, 1] of input ``number``."""
        return self.source(self.rows[number], sample)

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
    array = next((path for path in paths if path.suffix.lower() in ARRAYS), None)
    if array is not None:
        if len(paths) > 1 or pattern is not None:
            raise UserError(f"{array} is an array: give it alone, without --pattern")
        return _of_array(array, value_range)
    if value_range is not None:
        raise UserError("--range is of arrays of floats: leave it out")
    layout = find_layout(paths, pattern)
    _check_counts(layout.files)
    rows = [[*samples.values()] for samples in layout.files.values()]
    width, height = one_size(
        (path for samples in rows for path in samples), lambda path: size_to_measure(path, lossy)
    )

    def picture(row: int, sample: int) -> Tensor:
        return from_bytes(torch.from_numpy(pixels_of(rows[row][sample])).permute(2, 0, 1))

    def digest() -> str:
        every = (path.read_bytes() for samples in rows for path in samples)
        return hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in every)).hexdigest()

    return Outputs(
        tuple(layout.files), len(rows[0]), (height, width), layout.words, picture, digest,
        tuple(range(len(rows))), layout.numbered, lossy, layout.passed,
    )  # fmt: skip


def one_size(paths: Iterable[Path], of: Callable[[Path], tuple[int, int]]) -> tuple[int, int]:
    """Width and height of all pictures, ``of`` each; UserError naming the first of another size."""
    first, size = None, (0, 0)
    for path in paths:
        found = of(path)
        if first is None:
            first, size = path, found
        if found != size:
            raise UserError(
                f"{path} is {found[0]}x{found[1]}, {first} is {size[0]}x{size[1]}: all must have one "
                "size"
            )
    return size


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


def _of_array(path: Path, value_range: Range | None) -> Outputs:
    if not path.is_file():
        raise UserError(f"{path}: no such file: give an array, or a folder")
    file = ArrayFile(path)
    shape, kind = file.shape, file.dtype
    if len(shape) != 5 or shape[4] != 3 or min(shape) < 1:
        raise UserError(f"{path} has shape {shape}: save (inputs, samples, H, W, 3)")
    if kind == np.uint8:
        if value_range is not None:
            raise UserError(f"{path} holds uint8, 0 to 255: leave out --range")
    elif kind.kind != "f" or kind.itemsize > 8:
        raise UserError(f"{path} holds {kind}: save uint8, or float32 and give its --range")
    elif value_range is None:
        raise UserError(
            f"{path} holds floats: give their --range, e.g. --range -1 1 or --range 0 1"
        )
    told = str(kind)
    if value_range is not None:
        low, high = check_range(value_range)
        told += f" in [{low:g}, {high:g}]"
        # 0 to 1 of 0 to 255: two grey levels are no picture, and all numbers would be near 0.
        least, greatest = file.picture(0).min(), file.picture(0).max()
        if 0 < greatest - least < (high - low) / 200:
            raise UserError(
                f"{path}: values of the first picture are in [{least:g}, {greatest:g}]: mend --range "
                f"{low:g} {high:g}"
            )
    width = len(str(shape[0] - 1))
    ids = file.ids or [f"#{i:0{width}d}" for i in range(shape[0])]  # that no input is called
    if len(ids) != shape[0] or len({*ids} - {""}) < len(ids):
        raise UserError(f"{path}: input_ids must name each of the {shape[0]} inputs, each once")

    def picture(row: int, sample: int) -> Tensor:
        pixels = in_memory(file.picture(row * shape[1] + sample))
        try:
            return in_range(pixels.permute(2, 0, 1)[None], value_range)[0]
        except UserError as error:
            raise UserError(f"{path}: input {row}, sample {sample}: {error}") from None

    return Outputs(
        tuple(ids), shape[1], (shape[2], shape[3]), f"an array of {told}", picture,
        partial(sha256_file, path), tuple(range(shape[0])), numbered=file.ids is None,
    )  # fmt: skip
