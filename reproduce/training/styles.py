"""Draw, save and load styles that are shared by all inputs, and interpolate between two of them."""

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
MILLISECONDS = 80  # duration of a frame of an interpolation
Styles = Mapping[str, Tensor]  # role of noise -> (S, ...), one row per style


def has_styles(method: Method, size: tuple[int, int]) -> bool:
    """Return whether the method has style vectors; spatial noise does not count."""
    return any(len(spec.shape) == 1 for spec in method.sampling_noise(*size).values())


def drawn_styles(
    method: Method, count: int, size: tuple[int, int], direction: Direction, seed: int
) -> dict[str, Tensor]:
    """Draw ``count`` random styles, shared by all inputs; UserError for a method without styles."""
    if not has_styles(method, size):
        raise UserError(
            f"{type(method).__name__} has no styles: leave out --styles and --interpolate"
        )
    draws = [
        method.draw_noise(1, *size, generator(seed, "styles", direction, k)) for k in range(count)
    ]
    return {role: torch.cat([d[role] for d in draws]) for role in draws[0]}


def save_styles(path: Path, styles: Styles, **more: list[str]) -> None:
    """Write styles atomically to ``.npz``: one array per role, and lists of names (``more``)."""
    arrays = {role: values.numpy() for role, values in styles.items()}
    save_arrays(path, {}, arrays | {name: np.array(told) for name, told in more.items()})


def load_styles(path: Path, method: Method, size: tuple[int, int]) -> dict[str, Tensor]:
    """Load styles that ``save_styles`` wrote for such a method; UserError if they do not fit."""
    specs = method.sampling_noise(*size)
    with (
        foreign(f"{path} holds no styles of this method", "draw new ones"),
        np.load(path, allow_pickle=False) as file,
    ):
        found = {role: torch.from_numpy(file[role]) for role in specs}
    for role, spec in specs.items():
        like = spec.draw(1, generator(0, "like"))
        if found[role].dtype != like.dtype or found[role].shape[1:] != like.shape[1:]:
            shape = tuple(found[role].shape)
            raise UserError(
                f"{path}: {role} has shape {shape}, the network takes (styles, "
                f"{', '.join(map(str, spec.shape))}): give one row per style, shared by all inputs"
            )
        if not torch.isfinite(found[role]).all():
            raise UserError(f"{path}: {role} has non-finite values: draw new ones")
    counts = {len(values) for values in found.values()}
    if len(counts) != 1 or 0 in counts:
        raise UserError(f"{path} holds no styles of this method: draw new ones")
    return found


def styles_of_inputs(
    method: Method, names: list[str], samples: int, size: tuple[int, int], direction: Direction,
    seed: int,
) -> dict[str, Tensor]:  # fmt: skip
    """Return the noise that ``stream`` draws, by role: (inputs, samples, ...)."""
    draws = [
        [noise_of(method, size, seed, direction, name, k) for k in range(samples)] for name in names
    ]
    return {
        role: torch.stack([torch.cat([d[role] for d in of_input]) for of_input in draws])
        for role in draws[0][0]
    }


def walk(styles: Styles, first: int, last: int, steps: int) -> dict[str, Tensor]:
    """Interpolate ``steps`` styles on the arc from style ``first`` to ``last``, both included. The
    dropout seed, an integer, is that of ``first`` throughout."""
    count = len(next(iter(styles.values())))
    for number in (first, last):
        if not 0 <= number < count:
            raise UserError(f"--interpolate {number}: choose from styles 0 to {count - 1}")
    shares = [station / (steps - 1) for station in range(steps)]
    return {
        role: torch.cat([slerp(v[first : first + 1], v[last : last + 1], s) for s in shares])
        if v.is_floating_point() else v[first : first + 1].repeat(steps, *[1] * (v.ndim - 1))
        for role, v in styles.items()
    }  # fmt: skip


def with_gifs(frames: Iterator[Translation], out: Path) -> Iterator[Translation]:
    """Yield ``frames`` unchanged; after an input's last one, write them as ``OUT/<input>.gif``,
    forwards and backwards."""
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
    """Interpolate spherically between ``first`` and ``second`` (..., d); ``share`` is in [0, 1].

    Draws from N(0, I) lie near a sphere, and so does the arc between two of them; a straight line
    would pass through very unlikely styles. The angle is between the whole vectors. Parallel
    vectors and zero vectors are interpolated linearly.
    """
    unit = (v / v.norm(dim=-1, keepdim=True) for v in (first, second))
    cosine = torch.linalg.vecdot(*unit)[..., None].clamp(-1, 1)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    straight = ~(sine >= 1e-3)  # rounding dominates smaller angles; a zero vector gives NaN
    sine = torch.where(straight, torch.ones_like(sine), sine)
    near, far = torch.sin((1 - share) * angle) / sine, torch.sin(share * angle) / sine
    near = torch.where(straight, torch.full_like(near, 1 - share), near)
    far = torch.where(straight, torch.full_like(far, share), far)
    return near * first + far * second
