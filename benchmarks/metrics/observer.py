"""Quality as the distance to right pictures: the better translation is nearer to one of them.

The distance of a translation is that to the nearest of several right pictures of its input (LPIPS
0.1 with the packaged weights, pictures under 64 px enlarged to 64 px). Of two translations of one
input, the one with the smaller distance is preferred. Nothing is trained and all pairs are
compared, so the result for one network never depends on another.

An **observer** knows the truth: if the content of an input is known (drawn pictures), its true
pictures can be drawn in any style. If it is unknown, a **judge** uses the photos of the training
inputs that are most similar to the input instead.

Both detect blur, noise, blotches, and missing or misplaced parts. They do not measure variety,
treat a style that no right picture has as an error, and do not know what people find realistic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.files import save_arrays
from benchmarks.intervals import bootstrap_mean
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.diversity_protocols import ENLARGED
from models.errors import UserError

TRUTH_DISTANCE = Metric(
    name="truth-distance",
    unit="LPIPS",
    direction="lower",
    protocol="distance (LPIPS 0.1) of a translation to the nearest of 64 true pictures of its input, "
    "drawn in random styles; mean over translations, then over inputs",
    limits=(0.0, None),
)
QUALITY_OBSERVED = Metric(
    name="quality-observed",
    unit="%",
    direction="higher",
    protocol="share of pairs of translations of one input, by the method and by the reference, in "
    "which the method's is nearer (LPIPS 0.1) to the nearest of 64 true pictures of that "
    "input, ties half; mean over inputs; blind to variety and to what people find realistic",
    limits=(0.0, 100.0),
    title="Quality, observed",
    digits=1,
)
PHOTO_DISTANCE = Metric(
    name="photo-distance",
    unit="LPIPS",
    direction="lower",
    protocol="distance (LPIPS 0.1) of a translation to the nearest of the photos of the 64 training "
    "inputs (without pairs: of the 64 photos) that are nearest to its input; mean over "
    "translations, then over inputs",
    limits=(0.0, None),
)
QUALITY_JUDGED = Metric(
    name="quality-judged",
    unit="%",
    direction="higher",
    protocol="share of pairs of translations of one input, by the method and by the reference, in "
    "which the method's is nearer (LPIPS 0.1) to the nearest of the photos of the 64 "
    "training inputs (without pairs: of the 64 photos) that are nearest to that input, ties "
    "half; mean over inputs; blind to variety and to what people find realistic",
    limits=(0.0, 100.0),
    title="Quality, judged",
    digits=1,
)
RIGHT = 64  # right pictures per input
CANDIDATES = 4000  # training inputs among which a judge searches for similar ones


class Distance(Protocol):
    """Interface of distances; ``LpipsDistance`` implements it."""

    def features(self, pictures: Tensor) -> Tensor: ...

    def distance(self, first: Tensor, second: Tensor) -> Tensor: ...


@torch.inference_mode()
def right_distances(pictures: Tensor, right: Tensor, distance: Distance) -> NDArray[np.float32]:
    """Return distances (P, R) from ``pictures`` (P, 3, H, W), float32 in [-1, 1], of one input to
    its right pictures, given by their features ``right`` (R, D)."""
    shown = distance.features(pictures)
    found = [distance.distance(shown, one.expand_as(shown)) for one in right]
    return torch.stack(found, dim=1).float().cpu().numpy()


def look(
    right: Iterable[Tensor], shown: Mapping[str, Iterator[Tensor]], distances: Sequence[Distance]
) -> list[dict[str, NDArray[np.float32]]]:
    """Return, for each of ``distances`` and each key of ``shown``, the distances (I, K, R) of
    translations to right pictures. ``right`` yields (R, 3, H, W) and each value of ``shown`` (K, 3,
    H, W) per input, in the same order."""
    found: list[dict[str, list[NDArray[np.float32]]]] = [
        {key: [] for key in shown} for _ in distances
    ]
    for these in right:
        pictures = {key: next(of) for key, of in shown.items()}
        for distance, rows in zip(distances, found, strict=True):
            features = distance.features(these)
            # One at a time, so that no bit depends on the other keys.
            for key, some in pictures.items():
                rows[key].append(right_distances(some, features, distance))
    return [{key: np.stack(rows) for key, rows in of.items()} for of in found]


def by_input(translations: Iterable[tuple[str, int, Tensor]]) -> Iterator[Tensor]:
    """Yield the translations (K, 3, H, W) of each input from a stream that is grouped by input."""
    for _, of_input in groupby(translations, key=lambda translation: translation[0]):
        yield torch.stack([picture for *_, picture in of_input])


def preferred(distances: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return, for each input, the share of pairs, 0 to 1, in which the method's picture is nearer.
    ``distances`` (I, K): of K translations by the method; ``reference`` (I, L): of L by the
    reference. All K x L pairs are compared; ties count half."""
    behind = distances[:, :, None] - reference[:, None, :]
    return ((behind < 0) + 0.5 * (behind == 0)).mean(axis=(1, 2))


@dataclass(frozen=True)
class Observation:
    """Distances (I, K), float32, of K translations of each input to the nearest right picture, with
    the inputs' ``names`` (I,) and the ``protocol`` of the comparison."""

    distances: NDArray[np.float32]
    names: tuple[str, ...]
    protocol: Mapping[str, Any]

    def mean(self, metric: Metric, seed: int = 0) -> Measurement:
        """Return the mean distance as ``metric``; ``seed`` seeds the bootstrap over inputs."""
        means = self.distances.mean(axis=1, dtype=np.float64)
        interval = bootstrap_mean(means, seed)
        return Measurement(metric.name, float(means.mean()), interval, self._told())

    def quality(
        self, metric: Metric, reference: Observation, about: Mapping[str, Any], seed: int = 0
    ) -> Measurement:
        """Return the preference over ``reference``, in percent, as ``metric``; ``about`` is added
        to the protocol."""
        if reference.names != self.names:
            raise UserError("the reference was observed on other inputs: observe both on the same")
        shares = 100 * preferred(self.distances, reference.distances)
        told = self._told() | {"pairs": self.distances.shape[1] * reference.distances.shape[1]}
        interval = bootstrap_mean(shares, seed)
        return Measurement(metric.name, float(shares.mean()), interval, told | dict(about))

    def save(self, path: Path, **more: NDArray[np.float32]) -> None:
        """Write the distances and ``more`` arrays to an ``.npz`` file, atomically."""
        arrays = {"distances": self.distances, **more}
        save_arrays(path, {"protocol": dict(self.protocol)}, arrays, self.names)

    def _told(self) -> dict[str, Any]:
        inputs, samples = self.distances.shape
        name = f"{inputs}x{samples}-vs-{self.protocol['right']}{ENLARGED}"
        return {"protocol": name, "inputs": inputs, "K": samples} | dict(self.protocol)


def most_like(
    inputs: Callable[[int], Tensor], count: int, candidates: Callable[[int], Tensor], known: int,
    nearest: int, distance: Distance,
) -> list[list[int]]:  # fmt: skip
    """Return, for each of ``count`` inputs, the indices of its ``nearest`` of ``known`` candidates,
    nearest first. Both are read by index, (3, H, W) in [-1, 1], of equal size; 64 px suffice."""

    def features(read: Callable[[int], Tensor], rows: range) -> Tensor:
        parts = [rows[i : i + 64] for i in range(0, len(rows), 64)]
        return torch.cat([distance.features(torch.stack([*map(read, part)])) for part in parts])

    asked = features(inputs, range(count))
    found = torch.empty(count, 0)
    for begin in range(0, known, 512):
        of = features(candidates, range(begin, min(begin + 512, known)))
        found = torch.cat([found, torch.cdist(asked, of).cpu()], dim=1)
    return found.argsort(dim=1, stable=True)[:, :nearest].tolist()
