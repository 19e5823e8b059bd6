"""Translations of a few inputs, laid out as people lay them out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (inputs, samples, H, W, 3)


def pixels_of(
    inputs: int = 4, samples: int = 6, size: tuple[int, int] = (16, 24), seed: int = 0
) -> Pixels:
    """Blotches, so that samples differ by more than noise."""
    coarse = np.random.default_rng(seed).integers(
        0, 256, (inputs, samples, 4, 4, 3), dtype=np.uint8
    )
    flat = coarse.reshape(-1, 4, 4, 3)
    large = [
        np.asarray(Image.fromarray(c).resize(size[::-1], Image.Resampling.BICUBIC)) for c in flat
    ]
    return np.stack(large).reshape(inputs, samples, *size, 3)


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def each(name: Callable[[int, int], str]) -> Callable[[Path, Pixels], list[Path]]:
    """What writes sample ``k`` of input ``i`` as the file ``name(i, k)`` of a folder."""

    def write(folder: Path, pixels: Pixels) -> list[Path]:
        for i, of_input in enumerate(pixels):
            for k, picture in enumerate(of_input):
                save(folder / name(i, k), picture)
        return [folder]

    return write


def _munit(folder: Path, pixels: Pixels) -> list[Path]:
    for i, of_input in enumerate(pixels):
        save(folder / f"in{i}" / "input.png", of_input[0])
    return each(lambda i, k: f"in{i}/output{k:03d}.png")(folder, pixels)


def _munit_batch(folder: Path, pixels: Pixels) -> list[Path]:
    """--output_folder, which has inputs alone; samples lie in numbered folders beside it."""
    for i, of_input in enumerate(pixels):
        save(folder / f"input{i:03d}.jpg", of_input[0])
        for k, picture in enumerate(of_input):
            save(folder.with_name(f"{folder.name}_{k:02d}") / f"in{i}.png", picture)
    return [folder]


def _several(folder: Path, pixels: Pixels) -> list[Path]:
    _munit_batch(folder, pixels)
    return sorted(folder.parent.glob(f"{folder.name}_*"))


def _bicyclegan(folder: Path, pixels: Pixels) -> list[Path]:
    for i, of_input in enumerate(pixels):
        for label in ("input", "ground truth", "encoded"):
            save(folder / "images" / f"input_{i:03d}_{label}.png", of_input[0])
    return each(lambda i, k: f"images/input_{i:03d}_random_sample{k + 1:02d}.png")(folder, pixels)


def _npy(folder: Path, pixels: Pixels) -> list[Path]:
    np.save(folder.with_suffix(".npy"), pixels)
    return [folder.with_suffix(".npy")]


def _npz(folder: Path, pixels: Pixels) -> list[Path]:
    ids = [f"in{i}" for i in range(len(pixels))]
    np.savez_compressed(folder.with_suffix(".npz"), samples=pixels, input_ids=ids)
    return [folder.with_suffix(".npz")]


LAYOUTS: dict[str, Callable[[Path, Pixels], list[Path]]] = {
    "translate": each(lambda i, k: f"in{i}_sample{k:02d}.png"),
    "a folder an input": each(lambda i, k: f"in{i}/{k}.png"),
    "flat": each(lambda i, k: f"in{i}_{k}.png"),
    "StarGAN v2": each(lambda i, k: f"{i + 1:04d}_{k + 1:02d}.png"),
    "MUNIT's test.py": _munit,
    "MUNIT's test_batch.py": _munit_batch,
    "a folder a sample": _several,
    "BicycleGAN": _bicyclegan,
    ".npy": _npy,
    ".npz": _npz,
}  # fmt: skip
