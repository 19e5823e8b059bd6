"""Subjects of measurements: a trained run, or a task's real pictures, opened once for all kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.files import sha256_file
from benchmarks.pictures import as_saved
from models.errors import UserError
from models.method import Direction, Method
from reproduce.experiments.places import Places, facts_of, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.records.store import REAL
from reproduce.tasks.drawn.truth import Truth, truth_of
from reproduce.tasks.modes import Modes, open_modes
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, FolderSource, PictureSource, Subset
from reproduce.training.checkpoints import load_method
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import Translation, stream


@dataclass(eq=False)
class Pictures:
    """The pictures of a task at one size."""

    run: RunConfig  # any run on these pictures
    domains: Domains
    data: str  # their fingerprint

    @property
    def size(self) -> int:
        return self.run.size

    @cached_property
    def truth(self) -> Truth | None:
        """The truth about drawn shoes and bags; None for other pictures."""
        return truth_of(self.domains, self.size)

    @property
    def drawn(self) -> Truth:
        """The truth; UserError if it is unknown."""
        if self.truth is None:
            raise UserError(
                f"{self.domains.folder} holds no pictures that were drawn at {self.size} px, so "
                "their truth is not known: observe a drawn task"
            )
        return self.truth

    @cached_property
    def modes(self) -> Modes:
        """The pictures' modes; UserError if they are unknown."""
        return open_modes(self.domains.folder)

    @cached_property
    def masks(self) -> FolderSource | None:
        """True silhouettes of the test inputs, for drawn pictures; None for others."""
        folder = self.domains.folder / "testMask"
        return FolderSource(folder) if folder.is_dir() else None

    def silhouettes(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the silhouettes (H, W) in [0, 1] of the test inputs ``names``."""
        masks = self.masks
        if masks is None:
            raise UserError(f"{self.domains.folder} has no testMask: draw the task again")
        index = {name: i for i, name in enumerate(masks.ids)}
        return {name: self.read(masks, index[name]).mean(0) * 0.5 + 0.5 for name in names}

    def of_domain(self, domain: str) -> dict[str, PictureSource]:
        """Return the training and test pictures of domain "a" or "b", by split."""
        splits = self.domains.splits()
        return {split: splits[f"{split}_{domain}"] for split in ("train", "test")}

    def source(self, direction: Direction) -> PictureSource:
        """Return the test inputs of a direction."""
        return self.of_domain(direction[0])["test"]

    def read(self, source: PictureSource, index: int) -> Tensor:
        """Read a picture (3, size, size) in [-1, 1], as networks see it at test time."""
        return Preparation(self.size).at_test()(source.read(index))

    def shown(self, source: PictureSource) -> Iterator[Translation]:
        """Yield all pictures of a source, each as the only translation of itself."""
        for index, name in enumerate(source.ids):
            yield name, 0, self.read(source, index)


def open_pictures(run: RunConfig, places: Places) -> Pictures:
    """Open the pictures that ``run`` is trained and measured on."""
    domains = open_run_task(run, places)
    return Pictures(run, domains, domains.fingerprint(progress=places.progress))


@dataclass(frozen=True)
class Subject:
    """A finished ``run``, or with ``real`` the real pictures that it is measured on, which stand
    for a perfect translator."""

    preset: Preset
    run: RunConfig
    places: Places
    pictures: Pictures = field(repr=False)
    real: bool = False

    @property
    def name(self) -> str:
        """The method's name in records."""
        return REAL if self.real else self.run.method

    @property
    def trained(self) -> bool:
        """Whether it has a trained network."""
        return not self.real

    @cached_property
    def checkpoint(self) -> Path:
        """The path of the trained weights."""
        return checkpoint_of(self.preset, self.run, self.places)

    @cached_property
    def sha256(self) -> str:
        """The sha256 of the weights; for real pictures their fingerprint."""
        if self.real:
            return self.pictures.data
        if not self.checkpoint.is_file():
            raise UserError(f"no checkpoint {self.checkpoint}: train first")
        return sha256_file(self.checkpoint)

    @cached_property
    def method(self) -> Method:
        """The trained networks; UserError if the training is unfinished or used other pictures."""
        method, read = load_method(self.checkpoint, self.places.device)
        if read.step < self.run.steps:
            raise UserError(
                f"{self.checkpoint} is at step {read.step} of {self.run.steps}: finish its training"
            )
        if read.data != self.pictures.data:
            raise UserError(
                f"the pictures of {self.pictures.domains.folder} are not those that "
                f"{self.checkpoint} was trained on: restore them, or train again"
            )
        return method

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The fields that all its records have."""
        facts = facts_of(self.preset, self.run, self.places, real=self.real)
        facts["data_sha256"] = self.pictures.data
        return (
            facts
            if self.real
            else facts
            | {
                "steps": self.run.steps,
                "checkpoint_sha256": self.sha256,
                "config_sha256": self.run.digest(),
                "config": self.run.as_dict(),
            }
        )

    @property
    def same(self) -> Mapping[str, Any]:
        """The fields that identify its records."""
        if not self.real:
            return {"checkpoint_sha256": self.sha256}
        return {
            "method": REAL, "task": self.run.task, "size": self.run.size,
            "data_sha256": self.pictures.data,
        }  # fmt: skip

    def translations(
        self, samples: int | range, inputs: range | None = None, direction: Direction = "a2b",
        batch_size: int = 32,
    ) -> Iterator[Translation]:  # fmt: skip
        """Translate these test inputs, or all; pictures are rounded to 8 bits as in PNG files."""
        source = self.pictures.source(direction)
        if inputs is not None:
            source = Subset(source, range(inputs.start, len(source)))
        made = stream(
            self.method, source, Preparation(self.run.size), samples=samples,
            inputs=None if inputs is None else len(inputs),
            direction=direction, seed=self.run.seed, batch_size=batch_size,
        )  # fmt: skip
        for name, k, picture in made:
            if not bool(torch.isfinite(picture).all()):
                raise UserError(
                    f"the translation of {name} is not finite: the checkpoint's training diverged; "
                    "train it again, with a lower lr"
                )
            yield name, k, as_saved(picture[None])[0]
