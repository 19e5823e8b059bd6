"""Styles as numbers: drawn, kept in files, the same for every input, and walks between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.files import foreign, save_arrays, whole
from models.errors import UserError
from models.method import Direction, Method
from models.randomness import generator
from reproduce.tasks.pictures import to_image
from reproduce.training.translate import Translation, noise_of

FILE = "styles.npz"
MILLISECONDS = 80  # that a frame of a walk is shown
Styles = Mapping[str, Tensor]  # role of noise -> (S, ...), a row a style


def has_styles(method: Method, size: tuple[int, int]) -> bool:
    """Whether a vector decides its style: noise of a picture's or a feature map's size is none."""
    return any(len(spec.shape) == 1 for spec in method.sampling_noise(*size).values())


def drawn_styles(
    method: Method, count: int, size: tuple[int, int], direction: Direction, seed: int
) -> dict[str, Tensor]:
    """``count`` random styles for every input alike. UserError for a method without any."""
    if not has_styles(method, size):
        raise UserError(
            f"{type(method).__name__} has no styles: leave out --styles and --interpolate"
        )
    draws = [
        method.draw_noise(1, *size, generator(seed, "styles", direction, k)) for k in range(count)
    ]
    return {role: torch.cat([d[role] for d in draws]) for role in draws[0]}


def save_styles(path: Path, styles: Styles, **more: list[str]) -> None:
    """Write styles as ``.npz``, an array a role, and ``more`` names: whole or not at all."""
    arrays = {role: values.numpy() for role, values in styles.items()}
    save_arrays(path, {}, arrays | {name: np.array(told) for name, told in more.items()})


def load_styles(path: Path, method: Method, size: tuple[int, int]) -> dict[str, Tensor]:
    """The styles that ``save_styles`` wrote for a method like this one; UserError for others."""
    specs = method.sampling_noise(*size)
    with (
        foreign(f"{path} holds no styles of this method", "draw others"),
        np.load(path, allow_pickle=False) as file,
    ):
        found = {role: torch.from_numpy(file[role]) for role in specs}
    for role, spec in specs.items():
        like = spec.draw(1, generator(0, "like"))
        if found[role].dtype != like.dtype or found[role].shape[1:] != like.shape[1:]:
            shape = tuple(found[role].shape)
            raise UserError(
                f"{path}: {role} has shape {shape}, the network takes (styles, "
                f"{', '.join(map(str, spec.shape))}): give one row a style, the same for all inputs"
            )
        if not torch.isfinite(found[role]).all():
            raise UserError(f"{path}: {role} has values that are not finite: draw others")
    counts = {len(values) for values in found.values()}
    if len(counts) != 1 or 0 in counts:
        raise UserError(f"{path} holds no styles of this method: draw others")
    return found


def styles_of_inputs(
    method: Method, names: list[str], samples: int, size: tuple[int, int], direction: Direction,
    seed: int,
) -> dict[str, Tensor]:  # fmt: skip
    """What ``stream`` draws: a role's (inputs, samples, ...)."""
    draws = [
        [noise_of(method, size, seed, direction, name, k) for k in range(samples)] for name in names
    ]
    return {
        role: torch.stack([torch.cat([d[role] for d in of_input]) for of_input in draws])
        for role in draws[0][0]
    }


def walk(styles: Styles, first: int, last: int, steps: int) -> dict[str, Tensor]:
    """``steps`` styles on the arc from style number ``first`` to ``last``, both among them; what is no
    point in space, the seed of dropout, stays the first's."""
    count = len(next(iter(styles.values())))
    for number in (first, last):
        if not 0 <= number < count:
            raise UserError(f"--interpolate {number}: there are styles 0 to {count - 1}")
    shares = [station / (steps - 1) for station in range(steps)]
    return {
        role: torch.cat([slerp(v[first : first + 1], v[last : last + 1], s) for s in shares])
        if v.is_floating_point() else v[first : first + 1].repeat(steps, *[1] * (v.ndim - 1))
        for role, v in styles.items()
    }  # fmt: skip


def with_gifs(frames: Iterator[Translation], out: Path) -> Iterator[Translation]:
    """The stream as it is; once an input's frames are through, ``OUT/<input>.gif`` of them, there and
    back."""
    for name, of_input in groupby(frames, key=lambda frame: frame[0]):
        pictures = list[Image.Image]()
        for frame in of_input:
            yield frame
            pictures.append(to_image(frame[2]))
        with whole(out / f"{name}.gif") as part:
            pictures[0].save(
                part, format="GIF", save_all=True, append_images=[*pictures[1:], *pictures[-2:0:-1]],
                duration=MILLISECONDS, loop=0,
            )  # fmt: skip


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """The point at ``share`` of the way from ``first`` to ``second`` on the arc between them.

    Both (..., d). N(0, I) lies near a sphere, and the arc stays as near to it as its ends; a
    straight line would pass through styles that are hardly ever drawn. The angle is that of the
    whole vectors; parallel ones, and zero and another, are joined by a straight line.
    """
    unit = (v / v.norm(dim=-1, keepdim=True) for v in (first, second))
    cosine = torch.linalg.vecdot(*unit)[..., None].clamp(-1, 1)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    straight = ~(sine >= 1e-3)  # below which rounding decides the angle; zero has none (NaN)
    sine = torch.where(straight, torch.ones_like(sine), sine)
    near, far = torch.sin((1 - share) * angle) / sine, torch.sin(share * angle) / sine
    near = torch.where(straight, torch.full_like(near, 1 - share), near)
    far = torch.where(straight, torch.full_like(far, share), far)
    return near * first + far * second
