"""Translate picture files and save the results, at each picture's own size if required."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from benchmarks.files import whole
from benchmarks.pictures import grid
from models.errors import UserError
from models.method import Direction, Method
from reproduce.tasks.pictures import Preparation, read_picture, to_image
from reproduce.tasks.sources import FolderSource, PictureSource
from reproduce.training.translate import Translation, as_rgb, shown_to

QUALITY = 95  # of JPEG and WebP, of 100
MOST_ADDED = 4096  # pixels added to a side at most


class OnePicture:
    """A ``PictureSource`` with a single picture."""

    part = "whole"

    def __init__(self, picture: Image.Image, name: str, path: Path) -> None:
        self._picture, self.ids, self._path = picture, [name], path

    def __len__(self) -> int:
        return 1

    def path(self, index: int) -> Path:
        return self._path

    def read(self, index: int) -> Image.Image:
        return self._picture


def open_inputs(path: Path) -> PictureSource:
    """Open a folder of pictures, or a single picture."""
    if not path.exists():
        raise UserError(f"{path} does not exist: give a picture, or a folder of pictures")
    return FolderSource(path) if path.is_dir() else OnePicture(read_picture(path), path.stem, path)


@torch.no_grad()
def guided(
    method: Method, source: PictureSource, preparation: Preparation, examples: Sequence[Tensor],
    direction: Direction,
) -> Iterator[Translation]:  # fmt: skip
    """Translate every picture in ``source`` with the style of each of ``examples`` (3, H, W)."""
    fixed, (of, to) = preparation.at_test(), direction.split("2")
    styles = [shown_to(method, example[None], to) for example in examples]
    for i in range(len(source)):
        x = shown_to(method, fixed(source.read(i))[None], of)
        for k, style in enumerate(styles):
            yield source.ids[i], k, as_rgb(method.translate_guided(x, direction, style))[0]


def legal_length(method: Method, length: int) -> int:
    """Return the shortest legal side of at least ``length`` pixels; UserError if there is none."""
    for longer in range(length, length + MOST_ADDED):
        if method.translates(longer):
            return longer
    raise UserError(f"{type(method).__name__} cannot translate sides of {length} pixels or more")


def reflected(image: Image.Image, height: int, width: int) -> tuple[Image.Image, tuple[int, int]]:
    """Pad an RGB picture by reflection to ``height`` x ``width``; return it with the (top, left)
    of the original in it."""
    room = height - image.height, width - image.width
    top, left = room[0] // 2, room[1] // 2
    edges = ((top, room[0] - top), (left, room[1] - left), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image), edges, mode="reflect")), (top, left)


def as_they_are(
    method: Method, source: PictureSource,
    translated: Callable[[PictureSource, Preparation], Iterator[Translation]],
) -> Iterator[Translation]:  # fmt: skip
    """Apply ``translated`` to each picture at its own height and width: it is padded by reflection
    to legal sides, and the translation is cropped."""
    for index in range(len(source)):
        image = source.read(index)
        shape = legal_length(method, image.height), legal_length(method, image.width)
        padded, (top, left) = reflected(image, *shape)
        one = OnePicture(padded, source.ids[index], source.path(index))
        for name, k, picture in translated(one, Preparation(shape)):
            yield name, k, picture[:, top : top + image.height, left : left + image.width]


def write_translations(
    translations: Iterator[Translation], out: Path, total: int, *, suffix: str, progress: bool
) -> list[Path]:
    """Save a stream as ``OUT/<input>_<suffix><sample>.png``, in its folder; return the files."""
    written = []
    for name, k, picture in tqdm(translations, total=total, unit="picture", disable=not progress):
        if not bool(torch.isfinite(picture).all()):
            raise UserError(
                f"the translation of {name} is not finite: the checkpoint's training diverged; "
                "use an earlier checkpoint"
            )
        # An id has no suffix but may contain a dot (a.b for a.b.png), so with_suffix is wrong here.
        written.append(out / f"{name}_{suffix}{k:02d}.png")
        _save(picture, written[-1])
    return written


def _save(picture: Tensor, path: Path) -> None:
    with whole(path) as part:
        to_image(picture).save(part, format="PNG")


def save_grid(
    source: PictureSource, preparation: Preparation, written: Sequence[Path], columns: int,
    path: Path, *, most_rows: int = 16, most_columns: int = 20,
) -> None:  # fmt: skip
    """Save a grid with one row per input: the input, then its first translations.

    ``written`` lists the translations' files, ``columns`` per input."""
    fixed, shown = preparation.at_test(), min(columns, most_columns)
    pictures = []
    for i in range(min(most_rows, len(source))):
        own = written[i * columns : i * columns + shown]
        pictures += [fixed(source.read(i)), *(fixed(read_picture(p)) for p in own)]
    _save(grid(torch.stack(pictures), columns=1 + shown, padding=2, value=1), path)


def recode(written: Iterable[Path], form: Literal["png", "jpeg", "webp"]) -> None:
    """Replace PNG files by files of the format ``form``; "png" keeps them."""
    for path in written if form != "png" else ():
        other = path.with_suffix({"jpeg": ".jpg", "webp": ".webp"}[form])
        with Image.open(path) as image, whole(other) as part:
            image.save(part, format=form.upper(), quality=QUALITY)
        path.unlink()
