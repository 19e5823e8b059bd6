"""Quality of outputs by a judge, which compares them with photos of similar training inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.harness.layouts import pictures_under
from benchmarks.harness.outputs import Outputs
from benchmarks.metric import Measurement
from benchmarks.metrics.diversity import describe
from benchmarks.metrics.lpips_features import MEASURED_SIDE, LpipsDistance
from benchmarks.metrics.observer import (
    CANDIDATES,
    PHOTO_DISTANCE,
    QUALITY_JUDGED,
    RIGHT,
    Observation,
    by_input,
    look,
    most_like,
)
from benchmarks.networks.weights import trained
from benchmarks.pictures import fitted, read, tensor_of
from models.errors import UserError

SAMPLES = 10  # translations per input, at most


def judged(
    own: Outputs, against: Outputs, inputs: Sequence[Path], train_inputs: Path | None,
    train_photos: Path, *, samples: int | None = None, device: str = "cpu", seed: int = 0,
    progress: bool = True,
) -> tuple[list[Measurement], Callable[[Path], None]]:  # fmt: skip
    """Measure the preference for ``own`` over ``against`` and the photo distance of ``own``.

    Both translate the pictures ``inputs``, in that order. ``train_inputs`` have the names of their
    photos in ``train_photos``; without them, inputs are compared with the photos themselves.
    Returns the measurements and a function that saves the raw distances.
    """
    photos = pictures_under(train_photos)
    like = photos if train_inputs is None else pictures_under(train_inputs)
    for name in like:
        if name not in photos:
            raise UserError(f"{train_photos} has no photo of training input '{name}': add it")
    candidates = min(CANDIDATES, len(like))
    known = [(path, photos[name]) for name, path in list(like.items())[:candidates]]
    height, width = own.size
    scale = min(1.0, MEASURED_SIDE / min(own.size))
    small = round(height * scale), round(width * scale)
    distance = LpipsDistance(trained("0.1"), device)
    found = most_like(
        lambda i: _prepared(inputs[i], small), len(inputs),
        lambda i: _prepared(known[i][0], small), candidates, RIGHT, distance,
    )  # fmt: skip
    right = (torch.stack([_prepared(known[i][1], own.size) for i in rows]) for rows in found)
    counts = [samples or min(SAMPLES, outputs.samples) for outputs in (own, against)]
    (seen,) = look(
        tqdm(right, total=len(inputs), unit="input", disable=not progress),
        {
            key: by_input(outputs.stream(count))
            for key, outputs, count in zip(("own", "against"), (own, against), counts, strict=True)
        },
        [distance],
    )
    about = {
        "right": min(RIGHT, candidates), "candidates": candidates,
        "pairs_known": train_inputs is not None, "resolution": [height, width],
    } | describe(distance.weights)  # fmt: skip
    views = {key: Observation(rows.min(axis=2), own.names, about) for key, rows in seen.items()}
    measured = [
        views["own"].quality(QUALITY_JUDGED, views["against"], {}, seed),
        views["own"].mean(PHOTO_DISTANCE, seed),
    ]
    return measured, lambda path: views["own"].save(path, reference=views["against"].distances)


def _prepared(path: Path, size: tuple[int, int]) -> Tensor:
    """Read a picture (3, H, W) in [-1, 1], fitted and cropped to ``size`` (height, width)."""
    return tensor_of(fitted(read(path), (size[1], size[0])))
