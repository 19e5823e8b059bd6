"""The networks that the demo page offers, from stored weights or from any checkpoint."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from models.errors import UserError
from models.method import Direction, Method, NoiseSpec
from models.randomness import generator
from models.zoo import METHODS
from reproduce.experiments.run import RunConfig
from reproduce.measuring.stored_manifest import MANIFEST, WEIGHTS, read_manifest
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.tasks.sources import PictureSource
from reproduce.training.checkpoints import load_method, read_checkpoint
from reproduce.training.single_pictures import DrawnTask
from reproduce.training.translate import as_rgb, shown_to

SHOWN = 12  # test pictures per domain to choose from


@dataclass(frozen=True)
class Network:
    """A trained run in one direction, with lazily loaded weights.

    ``title``: the method's row title in the paper, and the file if another network has the same title.
    """

    path: Path
    run: RunConfig
    direction: Direction
    device: str
    title: str

    @property
    def task(self) -> str:
        """The direction of translation and the picture size, in words."""
        spec = TASKS.get(self.run.task)
        what = spec.directions[self.direction] if spec else f"{self.run.task}, {self.direction}"
        return f"{what.replace('->', '→')}, {self.run.size} px"

    @property
    def of_edges(self) -> bool:
        """Whether its inputs may be drawn lines; also true for unknown tasks."""
        spec = TASKS.get(self.run.task)
        return self.direction == "a2b" and (spec is None or spec.kind in ("drawn", "pix2pix"))

    @cached_property
    def method(self) -> Method:
        return load_method(self.path, self.device)[0].eval()

    @property
    def roles(self) -> dict[str, NoiseSpec]:
        """The noise inputs, by role."""
        return self.method.sampling_noise(self.run.size, self.run.size)

    @property
    def code(self) -> str:
        """The role of noise that is a style code (a vector); empty if there is none."""
        codes = (r for r, s in self.roles.items() if s.kind == "normal" and len(s.shape) == 1)
        return next(codes, "")

    @property
    def numbers(self) -> int:
        """The length of a style code; 0 if there is none."""
        return math.prod(self.roles[self.code].shape) if self.code else 0

    @property
    def unguided(self) -> str:
        """Why it cannot use an example's style; empty if it can."""
        if self.method.style_role:
            return ""
        return f"{self.title} has no style encoder, so it cannot use the style of an example"

    def prepared(self, picture: Image.Image, domain: str) -> Tensor:
        """A picture of a domain, preprocessed as at test time: (1, C, size, size) in [-1, 1]."""
        x = Preparation(self.run.size).at_test()(picture)[None]
        return shown_to(self.method, x, domain)

    @torch.no_grad()
    def translations(
        self, picture: Image.Image, seeds: Sequence[int], styles: Sequence[Sequence[float]] = ()
    ) -> tuple[Tensor, list[list[float]]]:
        """Translations (N, 3, size, size) of a picture, in [-1, 1], and their style codes: one per
        style in ``styles``, else one per seed, or a single one if the method has no noise."""
        x, size = self.prepared(picture, self.direction[0]), self.run.size
        if styles or not self.roles:
            seeds = [seeds[0]] * max(1, len(styles))
        drawn = [self.method.draw_noise(1, size, size, generator(s, "demo")) for s in seeds]
        noise = {role: torch.cat([one[role] for one in drawn]) for role in self.roles}
        if styles and self.code:
            noise[self.code] = torch.tensor(styles, dtype=torch.float32)
        codes = noise[self.code].tolist() if self.code else []
        on_device = {role: values.to(self.device) for role, values in noise.items()}
        which = torch.zeros(len(seeds), dtype=torch.long, device=self.device)
        pictures = self.method.translate_each(x, which, self.direction, on_device or None)
        return as_rgb(pictures), codes

    @torch.no_grad()
    def style_of(self, picture: Image.Image) -> list[float]:
        """The style code of an example; UserError for a network without a style encoder."""
        example = self.prepared(picture, self.direction[2])
        code: list[float] = self.method.style_of(example, self.direction)[0].tolist()
        return code

    @cached_property
    def domains(self) -> tuple[PictureSource, PictureSource] | None:
        """Test pictures of the source and the target domain; None if the task's pictures are not
        drawn."""
        try:
            of = DrawnTask.of(self.run).sources
        except UserError:
            return None
        both = of["testA"], of["testB"]
        return both if self.direction == "a2b" else (both[1], both[0])


def stored_networks(results: Path, preset: str, device: str) -> list[Network]:
    """The networks of a preset's stored weights; UserError if there are none."""
    folder = results / preset / WEIGHTS
    if not (folder / MANIFEST).is_file():
        raise UserError(
            f"{folder} holds no stored weights: give a checkpoint (demo runs/mine/last.safetensors), "
            "or a preset with stored weights (--preset cpu)"
        )
    files = read_manifest(folder).files
    return networks_of([folder / of.file for of in files if of.about["kind"] == "run"], device)


def networks_of(paths: Sequence[Path], device: str) -> list[Network]:
    """The networks of the distinct checkpoints, one per direction of translation; UserError for
    pictures that are neither RGB nor grey."""
    found, once = [], dict[Path, Path]()
    for path in paths:
        once.setdefault(path.resolve(), path)
    for path in once.values():
        read = read_checkpoint(path, weights_only=True)
        config = read.run.method_config
        if not {config.channels_a, config.channels_b} <= {1, 3}:
            raise UserError(f"{path} holds a network for neither RGB nor grey pictures")
        method = METHODS[read.run.method]
        directions = read.stored.directions if read.stored else method.method.directions
        found += [Network(path, read.run, d, device, method.title) for d in directions]
    shared = Counter((network.task, network.title) for network in found)
    return [
        replace(of, title=f"{of.title} ({of.path})") if shared[of.task, of.title] > 1 else of
        for of in found
    ]
