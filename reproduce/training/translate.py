"""Translate pictures with a trained method, as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.errors import UserError
from models.method import Direction, Method
from models.randomness import generator
from reproduce.tasks.pictures import Preparation, of_channels
from reproduce.tasks.sources import PictureSource

Translation = tuple[str, int, Tensor]  # input id, sample number, picture (3, H, W) in [-1, 1]


def shown_to(method: Method, pictures: Tensor, domain: str) -> Tensor:
    """Convert pictures (N, 3, H, W) of ``domain`` ("a" or "b") to the channels and device of
    ``method``."""
    config = method.config
    channels = config.channels_a if domain == "a" else config.channels_b
    return of_channels(pictures.to(next(method.parameters()).device), channels)


def as_rgb(pictures: Tensor) -> Tensor:
    """Convert translations (N, C, H, W) to float32 (N, 3, H, W) on the CPU; grey is repeated."""
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
    """Translate each of the first ``inputs`` pictures of ``source`` ``samples`` times.

    ``samples`` is a number, or the range of sample numbers. ``styles`` replaces random noise: by
    role, row k is used for sample k of every input. Noise is seeded by (seed, input id, sample), so
    a translation does not depend on the batch size or on other pictures, except for rounding.
    Translations are grouped by input.
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


def noise_of(
    method: Method, size: tuple[int, int], seed: int, direction: str, name: str, sample: int
) -> dict[str, Tensor]:
    """Return the noise of one translation of the input ``name``, at ``size`` (height, width)."""
    return method.draw_noise(1, *size, generator(seed, "translate", direction, name, sample))
