"""The networks that the page offers: of stored weights, and of any checkpoint."""

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

SHOWN = 12  # pictures of a domain to choose from


@dataclass(frozen=True)
class Network:
    """A trained run in one direction; its weights are loaded when they are first asked for.

    ``title``: the method as the paper's rows call it, and the file where another has the same one.
    """

    path: Path
    run: RunConfig
    direction: Direction
    device: str
    title: str

    @property
    def task(self) -> str:
        """What it translates, and at how many pixels, in words."""
        spec = TASKS.get(self.run.task)
        what = spec.directions[self.direction] if spec else f"{self.run.task}, {self.direction}"
        return f"{what.replace('->', '→')}, {self.run.size} px"

    @property
    def of_edges(self) -> bool:
        """Whether it may be given drawn lines; of a task that nothing is known of, too."""
        spec = TASKS.get(self.run.task)
        return self.direction == "a2b" and (spec is None or spec.kind in ("drawn", "pix2pix"))

    @cached_property
    def method(self) -> Method:
        return load_method(self.path, self.device)[0].eval()

    @property
    def roles(self) -> dict[str, NoiseSpec]:
        """The noise that it takes."""
        return self.method.sampling_noise(self.run.size, self.run.size)

    @property
    def code(self) -> str:
        """The role of noise that is a style code of a few numbers; empty: it has none."""
        codes = (r for r, s in self.roles.items() if s.kind == "normal" and len(s.shape) == 1)
        return next(codes, "")

    @property
    def numbers(self) -> int:
        """Of a style code."""
        return math.prod(self.roles[self.code].shape) if self.code else 0

    @property
    def unguided(self) -> str:
        """Why it cannot tell an example's style; empty: it can."""
        if self.method.style_role:
            return ""
        return f"{self.title} has no encoder of styles: it cannot take an example's"

    def prepared(self, picture: Image.Image, domain: str) -> Tensor:
        """(1, C, size, size) in [-1, 1], as it sees pictures of a domain at test time."""
        x = Preparation(self.run.size).at_test()(picture)[None]
        return shown_to(self.method, x, domain)

    @torch.no_grad()
    def translations(
        self, picture: Image.Image, seeds: Sequence[int], styles: Sequence[Sequence[float]] = ()
    ) -> tuple[Tensor, list[list[float]]]:
        """(N, 3, size, size) in [-1, 1] of a picture, and their style codes: one for each seed of
        random noise, in ``styles`` instead where there are any; one for all where nothing is random."""
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
        """The style code of an example; UserError for a network without an encoder of styles."""
        example = self.prepared(picture, self.direction[2])
        code: list[float] = self.method.style_of(example, self.direction)[0].tolist()
        return code

    @cached_property
    def domains(self) -> tuple[PictureSource, PictureSource] | None:
        """Test pictures of the domain it translates from, and of that to; None where the task's
        pictures are not drawn."""
        try:
            of = DrawnTask.of(self.run).sources
        except UserError:
            return None
        both = of["testA"], of["testB"]
        return both if self.direction == "a2b" else (both[1], both[0])


def stored_networks(results: Path, preset: str, device: str) -> list[Network]:
    """Those of a preset's stored weights; UserError where there are none."""
    folder = results / preset / WEIGHTS
    if not (folder / MANIFEST).is_file():
        raise UserError(
            f"{folder} holds no stored weights: name a checkpoint (demo runs/mine/last.safetensors), "
            "or a preset that has some (--preset cpu)"
        )
    files = read_manifest(folder).files
    return networks_of([folder / of.file for of in files if of.about["kind"] == "run"], device)


def networks_of(paths: Sequence[Path], device: str) -> list[Network]:
    """Those of checkpoints, each once, one for each direction that it translates in; UserError for
    none of RGB."""
    found, once = [], dict[Path, Path]()
    for path in paths:
        once.setdefault(path.resolve(), path)
    for path in once.values():
        read = read_checkpoint(path, weights_only=True)
        config = read.run.method_config
        if not {config.channels_a, config.channels_b} <= {1, 3}:
            raise UserError(f"{path} is of a network for neither RGB nor grey pictures")
        method = METHODS[read.run.method]
        directions = read.stored.directions if read.stored else method.method.directions
        found += [Network(path, read.run, d, device, method.title) for d in directions]
    shared = Counter((network.task, network.title) for network in found)
    return [
        replace(of, title=f"{of.title} ({of.path})") if shared[of.task, of.title] > 1 else of
        for of in found
    ]
