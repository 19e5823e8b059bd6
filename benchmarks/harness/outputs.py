"""Outputs: translations by any method, in folders or arrays, checked and read one at a time.

Pictures are measured unchanged: nothing is resized or converted. A file that does not fit is named
in an error before anything is measured.
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

    ``source(row, sample)`` reads a picture (3, H, W) in [-1, 1]; ``digest()`` returns the sha256
    (hex) of all of them. ``words`` describes the layout or array. ``numbered``: the names are
    positions in the sorted test inputs. ``lossy``: lossy compression is accepted. ``passed``:
    skipped pictures.
    """

    names: tuple[str, ...]
    samples: int
    size: tuple[int, int]
    words: str
    source: Callable[[int, int], Tensor] = field(repr=False)
    digest: Callable[[], str] = field(repr=False)
    rows: tuple[int, ...] = field(repr=False)  # of the source, one per input
    numbered: bool = False
    lossy: bool = False
    passed: tuple[Path, ...] = ()

    def __str__(self) -> str:
        height, width = self.size
        told = f"{len(self.names)} inputs x {self.samples} samples, {width}x{height}, {self.words}"
        if self.lossy:
            told += ", lossy compression allowed"
        if self.passed:
            several = f" and {len(self.passed) - 1} more" if len(self.passed) > 1 else ""
            told += f"; skipped: {self.passed[0].name}{several}"
        return told

    @property
    def sha256(self) -> str:
        """The sha256 (hex) of the names and all pictures."""
        told = "\n".join((*self.names, *map(str, self.rows), self.digest()))
        return hashlib.sha256(told.encode()).hexdigest()

    def stream(
        self, samples: int | range | None = None, inputs: range | None = None
    ) -> Iterator[tuple[str, int, Tensor]]:
        """Yield (input, sample, picture (3, H, W) in [-1, 1]), input by input: all inputs or those
        in the range ``inputs``; all samples, the first ``samples``, or those in a range."""
        if samples is None or isinstance(samples, int):
            samples = range(self.samples if samples is None else samples)
        for number in range(len(self.names)) if inputs is None else inputs:
            for sample in samples:
                yield self.names[number], sample, self.read(number, sample)

    def read(self, number: int, sample: int) -> Tensor:
        """Read a picture (3, H, W) in [-1, 1] of input ``number``."""
        return self.source(self.rows[number], sample)

    def called(self, names: Sequence[str], where: object) -> Outputs:
        """Return the translations of the inputs ``names``, in that order. Raises UserError, which
        names ``where`` the outputs are, if one is missing."""
        places = places_of(names, self.names, self.numbered, where)
        rows = tuple(self.rows[place] for place in places)
        return replace(self, names=tuple(names), rows=rows, numbered=False)


def open_outputs(
    paths: Sequence[Path], pattern: str | None = None, value_range: Range | None = None,
    lossy: bool = False,
) -> Outputs:  # fmt: skip
    """Open the outputs at ``paths``: a folder, several folders (one per sample), or an ``.npy`` or
    ``.npz`` array (inputs, samples, H, W, 3) of uint8, or of floats in ``value_range``.

    ``pattern``: see ``find_layout``. ``lossy``: accept JPEG and the like. Raises UserError naming
    the file that does not fit: a missing sample, another size, greyscale, an alpha channel.
    """
    array = next((path for path in paths if path.suffix.lower() in ARRAYS), None)
    if array is not None:
        if len(paths) > 1 or pattern is not None:
            raise UserError(f"{array} is an array: give only that file, without --pattern")
        return _of_array(array, value_range)
    if value_range is not None:
        raise UserError("--range applies only to arrays of floats: omit it")
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
    """Return the width and height that ``of`` gives for all pictures. Raises UserError naming the
    first picture of another size."""
    first, size = None, (0, 0)
    for path in paths:
        found = of(path)
        if first is None:
            first, size = path, found
        if found != size:
            raise UserError(
                f"{path} is {found[0]}x{found[1]}, {first} is {size[0]}x{size[1]}: all must have the "
                "same size"
            )
    return size


def check_size(outputs: Outputs, inputs: int | None, samples: int | None) -> None:
    """Raise UserError if ``outputs`` have fewer inputs or samples than requested."""
    for kind, there, asked in (
        ("inputs", len(outputs.names), inputs),
        ("samples per input", outputs.samples, samples),
    ):
        if asked is not None and asked > there:
            raise UserError(f"{asked} {kind} requested, but there are {there}: translate more")


def _check_counts(files: Files) -> None:
    """Raise UserError for an input whose samples differ from those of most inputs."""
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
                f"translate it again ({len(usual)} samples per input)"
            )
        more = next(path for k, path in samples.items() if int(k) not in usual)
        raise UserError(
            f"{more}: other inputs lack this sample: remove it, or translate them again"
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
        # Values in [0, 1] with --range 0 255 span one grey level: all results would be near 0.
        least, greatest = file.picture(0).min(), file.picture(0).max()
        if 0 < greatest - least < (high - low) / 200:
            raise UserError(
                f"{path}: values of the first picture are in [{least:g}, {greatest:g}]: correct "
                f"--range {low:g} {high:g}"
            )
    width = len(str(shape[0] - 1))
    ids = file.ids or [f"#{i:0{width}d}" for i in range(shape[0])]  # names that no input has
    if len(ids) != shape[0] or len({*ids} - {""}) < len(ids):
        raise UserError(f"{path}: input_ids must hold {shape[0]} different, non-empty names")

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
