"""A checkpoint's translations: as a stream for measurement, as files for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from benchmarks.pictures import grid
from models.errors import UserError
from models.method import DIRECTIONS, Direction, Method
from models.randomness import generator
from reproduce.tasks.pictures import Preparation, of_channels, read_picture, save_png
from reproduce.tasks.sources import FolderSource, PictureSource

Translation = tuple[str, int, Tensor]  # input id, sample number, picture (3, H, W) in [-1, 1]


def parse_direction(words: str) -> Direction:
    """``words`` as a direction; UserError if it is none."""
    for direction in DIRECTIONS:
        if words == direction:
            return direction
    raise UserError(f"unknown direction '{words}': use a2b or b2a")


def shown_to(method: Method, pictures: Tensor, domain: str) -> Tensor:
    """Pictures (N, 3, H, W) of ``domain`` ("a" or "b") as ``method`` sees them: in its channels and
    on its device."""
    config = method.config
    channels = config.channels_a if domain == "a" else config.channels_b
    return of_channels(pictures.to(next(method.parameters()).device), channels)


def as_rgb(pictures: Tensor) -> Tensor:
    """Translations (N, C, H, W) as float32 (N, 3, H, W) on the CPU: one of grey three times."""
    return pictures.float().cpu().expand(-1, 3, -1, -1)


@torch.no_grad()
def stream(
    method: Method,
    source: PictureSource,
    preparation: Preparation,
    *,
    samples: int | range,
    direction: Direction = "a2b",
    seed: int = 0,
    inputs: int | None = None,
    batch_size: int = 32,
    styles: Mapping[str, Tensor] | None = None,
) -> Iterator[Translation]:
    """``samples`` translations (a range: those numbers) of each of the first ``inputs`` pictures of
    ``source``.

    ``styles``: by role of noise, row k for sample k of every input, instead of random ones. Noise is
    addressed by (seed, input id, sample), so neither the batch size nor the other
    pictures change a translation, beyond rounding. Pictures come grouped by input.
    """
    device = next(method.parameters()).device
    fixed, size = preparation.at_test(), preparation.shape
    count = len(source) if inputs is None else inputs
    if count > len(source):
        raise UserError(
            f"{count} test inputs are asked for, {len(source)} exist: ask for fewer inputs, or "
            "set test=... higher where the pictures are drawn"
        )
    waiting: list[tuple[str, int, Tensor]] = []

    def translated() -> Iterator[Translation]:
        own = {name: picture for name, _, picture in waiting}  # each input once
        places = {name: place for place, name in enumerate(own)}
        which = torch.tensor([places[name] for name, _, _ in waiting], device=device)
        x = shown_to(method, torch.stack(list(own.values())), direction[0])
        if styles is None:
            noise = [noise_of(method, size, seed, direction, name, k) for name, k, _ in waiting]
        else:
            noise = [{role: v[k : k + 1] for role, v in styles.items()} for _, k, _ in waiting]
        joined = {role: torch.cat([n[role] for n in noise]).to(device) for role in noise[0]}
        pictures = as_rgb(method.translate_each(x, which, direction, joined or None))
        for (name, k, _), picture in zip(waiting, pictures, strict=True):
            yield name, k, picture

    for i in range(count):
        picture = fixed(source.read(i))
        for k in range(samples) if isinstance(samples, int) else samples:
            waiting.append((source.ids[i], k, picture))
            if len(waiting) == batch_size:
                yield from translated()
                waiting.clear()
    if waiting:
        yield from translated()


def keeping_first(
    translations: Iterable[Translation], first: dict[str, Tensor]
) -> Iterator[Translation]:
    """The stream as it is; each input's translation number 0 is put into ``first``."""
    for name, k, picture in translations:
        if k == 0:
            # A copy: a row of a batch would keep the whole batch in memory.
            first[name] = picture.clone()
        yield name, k, picture


def noise_of(
    method: Method, size: tuple[int, int], seed: int, direction: str, name: str, sample: int
) -> dict[str, Tensor]:
    """The noise of one translation of the input ``name``, at ``size`` (height, width)."""
    return method.draw_noise(1, *size, generator(seed, "translate", direction, name, sample))


@torch.no_grad()
def guided(
    method: Method, source: PictureSource, examples: PictureSource, preparation: Preparation,
    direction: Direction,
) -> Iterator[Translation]:  # fmt: skip
    """Every picture of ``source`` in the style of every picture of ``examples``."""
    fixed, (of, to) = preparation.at_test(), direction.split("2")
    styles = [shown_to(method, fixed(examples.read(k))[None], to) for k in range(len(examples))]
    for i in range(len(source)):
        x = shown_to(method, fixed(source.read(i))[None], of)
        for k, example in enumerate(styles):
            yield source.ids[i], k, as_rgb(method.translate_guided(x, direction, example))[0]


def open_inputs(path: Path) -> PictureSource:
    """A folder of pictures, or a single picture."""
    if not path.exists():
        raise UserError(f"{path} does not exist: give a picture, or a folder of pictures")
    return FolderSource(path) if path.is_dir() else _One(path)


class _One:
    """One picture as a source."""

    part = "whole"

    def __init__(self, path: Path) -> None:
        self._path, self.ids = path, [path.stem]

    def __len__(self) -> int:
        return 1

    def path(self, index: int) -> Path:
        return self._path

    def read(self, index: int) -> Image.Image:
        return read_picture(self._path)


def write_translations(
    translations: Iterator[Translation], out: Path, total: int, *, suffix: str, progress: bool
) -> list[Path]:
    """Save a stream as ``OUT/<input>_<suffix><sample>.png``; nested inputs keep their folders."""
    written = []
    for name, k, picture in tqdm(translations, total=total, unit="picture", disable=not progress):
        if not bool(torch.isfinite(picture).all()):
            raise UserError(
                f"the translation of {name} is not finite: the checkpoint's training diverged; "
                "use an earlier one"
            )
        # An id names no suffix, but may have a dot: a.b.png is a.b, and a_b.png another picture.
        path = out / f"{name}_{suffix}{k:02d}.png"
        _save(picture, path)
        written.append(path)
    return written


def _save(picture: Tensor, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_png(picture, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}): check the space and the "
            "permissions, or choose another --out"
        ) from None


def save_grid(
    source: PictureSource, preparation: Preparation, written: Sequence[Path], columns: int,
    path: Path, *, most_rows: int = 16, most_columns: int = 20,
) -> None:  # fmt: skip
    """A picture with a row per input: the input, then its translations; the first ones of each.

    ``written`` holds the translations' files, ``columns`` an input."""
    fixed, shown = preparation.at_test(), min(columns, most_columns)
    pictures = []
    for i in range(min(most_rows, len(source))):
        own = written[i * columns : i * columns + shown]
        pictures += [fixed(source.read(i)), *(fixed(read_picture(p)) for p in own)]
    _save(grid(torch.stack(pictures), columns=1 + shown, padding=2, value=1), path)
