"""Draw single pictures of a drawn task, identical to those in its folders.

Every picture has its own address in the random numbers, so measuring a few test pictures does not
require drawing thousands of training pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import UserError
from reproduce.experiments.run import RunConfig
from reproduce.tasks.animals.animal import DOMAINS, Animal, draw_animal, modes_of
from reproduce.tasks.animals.dataset import shuffled_modes
from reproduce.tasks.animals.render import render_animal
from reproduce.tasks.drawn.dataset import draw
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo
from reproduce.tasks.modes import DOMAIN_OF, Modes
from reproduce.tasks.registry import TASKS
from reproduce.tasks.sources import Domains

SEED = 0  # of every task's pictures, independent of a run's seed
DIGITS = 12  # of a picture's digest
Pixels = NDArray[np.uint8]
Row = dict[str, str]


class LazySource:
    """A ``PictureSource`` that draws each picture on first access."""

    part = "whole"

    def __init__(self, where: Path, total: int, draw_one: Callable[[int], Pixels]) -> None:
        self.ids = [f"{index:05d}" for index in range(total)]
        self._where, self._draw = where, draw_one
        self._known: dict[int, Image.Image] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, index: int) -> Path:
        """Return the picture's nominal path; there is no file."""
        return self._where / f"{self.ids[index]}.png"

    def read(self, index: int) -> Image.Image:
        """Return picture ``index`` in RGB."""
        if index not in self._known:
            self._known[index] = Image.fromarray(self._draw(index)).convert("RGB")
        return self._known[index]


def digest(picture: Image.Image) -> str:
    """Return the first ``DIGITS`` hex digits of the sha256 of a picture's shape and RGB values."""
    pixels = np.asarray(picture.convert("RGB"))
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class DrawnTask:
    """The pictures of a drawn task, by folder name, and their factors and modes.

    ``train`` and ``test`` are the numbers of pictures per domain, which determine animals' modes.
    """

    name: str
    size: int
    train: int
    test: int

    @staticmethod
    def of(run: RunConfig) -> DrawnTask:
        """Return the drawn task of a run; UserError if its pictures are not drawn."""
        if run.task not in TASKS or not TASKS[run.task].drawn or run.source:
            raise UserError(f"{run.source or run.task} is not a drawn task: get its pictures first")
        return DrawnTask(run.task, run.size, run.train, run.test)

    @property
    def animals(self) -> bool:
        """Whether the domains are animals, which have modes."""
        return TASKS[self.name].kind == "animals"

    @property
    def test_parts(self) -> tuple[str, ...]:
        """The folders of test pictures."""
        return ("testA", "testB") if self.animals else ("testA", "testB", "testMask")

    @cached_property
    def sources(self) -> dict[str, LazySource]:
        """The pictures of every folder, except training pairs."""
        drawer = self._animal_drawer if self.animals else self._object_drawer
        return {
            part: LazySource(Path(self.name) / part, self._total(part), drawer(part))
            for part in ("trainA", "trainB", *self.test_parts)
        }

    @cached_property
    def domains(self) -> Domains:
        """The same domains that ``open_task`` returns, but without a folder."""
        of = self.sources
        return Domains(
            self.name, Path(self.name), of["trainA"], of["trainB"], of["testA"], of["testB"]
        )

    @cached_property
    def rows(self) -> Mapping[tuple[str, str], Row]:
        """Factors of shoes and bags by (split, id), computed on access."""
        return _Rows(self)

    def factors(self, split: str, index: int) -> Row:
        """Return a shoe's or bag's factors as in ``factors.csv``; ``split``: "trainB" or "test"."""
        content, style = draw(TASKS[self.name].subject, SEED, split, index)
        told = {"split": split, "file": f"{index:05d}.png"} | content.as_dict() | style.as_dict()
        return {key: str(value) for key, value in told.items()}

    def modes(self, parts: Mapping[str, int]) -> Modes:
        """Return modes and factors of the first animals; ``parts`` maps folders to their counts."""
        sides = dict(zip("ab", TASKS[self.name].domains, strict=True))
        rows = {}
        for part, count in parts.items():
            for index in range(count):
                animal = self._animal(part, index)
                told = {"folder": part, "file": f"{index:05d}.png", "mode": animal.mode}
                factors = {key: str(value) for key, value in animal.factors.items()}
                rows[part, f"{index:05d}"] = told | factors
        return Modes(
            Path(self.name),
            {letter: DOMAINS[side].title for letter, side in sides.items()},
            {letter: self._some_modes(letter) for letter in sides},
            rows,
        )

    def _total(self, part: str) -> int:
        return self.train if part.startswith("train") else self.test

    def _object_drawer(self, part: str) -> Callable[[int], Pixels]:
        split = "test" if part.startswith("test") else part
        subject = TASKS[self.name].subject

        def drawn(index: int) -> Pixels:
            content, style = draw(subject, SEED, split, index)
            if part in ("trainA", "testA"):
                return render_edges(content, self.size)
            if part == "testMask":
                return render_mask(content, self.size)
            return render_photo(content, style, self.size)

        return drawn

    def _animal_drawer(self, part: str) -> Callable[[int], Pixels]:
        return lambda index: render_animal(self._animal(part, index), self.size)

    def _animal(self, part: str, index: int) -> Animal:
        letter = DOMAIN_OF[part]
        domain = TASKS[self.name].domains["ab".index(letter)]
        mode = self._shuffled[part][index]
        return draw_animal(domain, mode, SEED, part, index)

    @cached_property
    def _shuffled(self) -> dict[str, tuple[str, ...]]:
        return {
            part: shuffled_modes(self._some_modes(letter), SEED, part, self._total(part))
            for part, letter in DOMAIN_OF.items()
        }

    def _some_modes(self, letter: str) -> tuple[str, ...]:
        place, spec = "ab".index(letter), TASKS[self.name]
        return spec.modes[place] if spec.modes else modes_of(spec.domains[place])


class _Rows(dict[tuple[str, str], Row]):
    def __init__(self, task: DrawnTask) -> None:
        super().__init__()
        self._task = task

    def __missing__(self, key: tuple[str, str]) -> Row:
        self[key] = self._task.factors(key[0], int(key[1]))
        return self[key]
