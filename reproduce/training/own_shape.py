"""Translations at each picture's own shape, and in other formats than PNG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.files import whole
from models.errors import UserError
from models.method import Direction, Method
from reproduce.tasks.pictures import Preparation, to_tensor
from reproduce.tasks.sources import PictureSource
from reproduce.training.translate import Translation, as_rgb, shown_to, stream

Format = Literal["png", "jpeg", "webp"]
QUALITY = 95  # of JPEG and WebP, of 100
MOST_ADDED = 4096  # pixels to a side
BATCH = 32  # pictures translated at once, of the size that was trained at


def legal_length(method: Method, length: int) -> int:
    """The shortest legal length of a side of ``length`` pixels or more; UserError if there is none."""
    for longer in range(length, length + MOST_ADDED):
        if method.translates(longer):
            return longer
    raise UserError(f"no side of {length} pixels or more is legal for {type(method).__name__}")


def reflected(image: Image.Image, height: int, width: int) -> tuple[Image.Image, tuple[int, int]]:
    """An RGB picture with as much of its mirror image on both sides as makes it ``height`` x
    ``width``, and where (top, left) it lies in that."""
    room = height - image.height, width - image.width
    top, left = room[0] // 2, room[1] // 2
    edges = ((top, room[0] - top), (left, room[1] - left), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image), edges, mode="reflect")), (top, left)


class _Reflected:
    """One picture of a source, at a legal size."""

    part = "whole"

    def __init__(self, method: Method, source: PictureSource, index: int) -> None:
        image = source.read(index)
        self.ids, self._path = [source.ids[index]], source.path(index)
        self.shape = legal_length(method, image.height), legal_length(method, image.width)
        self._image, (top, left) = reflected(image, *self.shape)
        self._kept = slice(top, top + image.height), slice(left, left + image.width)

    def __len__(self) -> int:
        return 1

    def path(self, index: int) -> Path:
        return self._path

    def read(self, index: int) -> Image.Image:
        return self._image

    def cropped(self, translations: Iterable[Translation]) -> Iterator[Translation]:
        """Translations (3, H, W) without what was added."""
        for name, k, picture in translations:
            yield name, k, picture[:, *self._kept]


def stream_as_they_are(
    method: Method, source: PictureSource, size: int, *, samples: int, direction: Direction,
    seed: int = 0, styles: Mapping[str, Tensor] | None = None,
) -> Iterator[Translation]:  # fmt: skip
    """As ``stream``, each picture at its own height and width: what makes a side legal is its
    reflection, cropped off again. ``size``: pixels that the network was trained at."""
    for index in range(len(source)):
        one = _Reflected(method, source, index)
        batch = max(1, BATCH * size * size // (one.shape[0] * one.shape[1]))
        yield from one.cropped(
            stream(
                method, one, Preparation(one.shape), samples=samples, direction=direction, seed=seed,
                batch_size=batch, styles=styles,
            )
        )  # fmt: skip


@torch.no_grad()
def guided_as_they_are(
    method: Method, source: PictureSource, examples: PictureSource, size: int, direction: Direction
) -> Iterator[Translation]:
    """As ``guided``, each picture at its own height and width, examples at ``size``."""
    fixed, (of, to) = Preparation(size).at_test(), direction.split("2")
    styles = [shown_to(method, fixed(examples.read(k))[None], to) for k in range(len(examples))]
    for index in range(len(source)):
        one = _Reflected(method, source, index)
        x = shown_to(method, to_tensor(one.read(0))[None], of)
        for k, example in enumerate(styles):
            made = as_rgb(method.translate_guided(x, direction, example))[0]
            yield from one.cropped([(one.ids[0], k, made)])


def recoded(written: Iterable[Path], form: Format) -> list[Path]:
    """PNGs as files of another format in their place; PNGs stay as they are."""
    found = []
    for path in written:
        other = path.with_suffix({"png": ".png", "jpeg": ".jpg", "webp": ".webp"}[form])
        if other != path:
            with Image.open(path) as image, whole(other) as part:
                image.save(part, format=form.upper(), quality=QUALITY)
            path.unlink()
        found.append(other)
    return found
