"""LPIPS diversity: how much the translations of one input differ.

Source: MUNIT, section 5.2 (after BicycleGAN): the mean LPIPS between pairs of translations of one
input, over 19 pairs for each of 100 inputs. It is exactly 0 for a deterministic translator.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.files import load_arrays, save_arrays
from benchmarks.intervals import Interval, bootstrap_mean, dyadic_mean
from benchmarks.metric import Measurement
from benchmarks.metrics.diversity_protocols import METRIC_OF, Protocol, real_name
from benchmarks.metrics.lpips_features import check_pictures, measured_size
from benchmarks.networks.streams import Stream, consume
from benchmarks.networks.weights import LpipsWeights
from models.errors import UserError

NUMBERS = 2**20  # of features in the pairs of one step, at most


@dataclass(frozen=True)
class DiversityResult:
    """The diversity of a set of translations. ``distances``: (inputs, pairs), rows in the order of
    ``input_ids`` (sorted). For real data each row is one pair of pictures, named in ``pair_ids``
    (pairs, 2), and ``input_ids`` is empty. ``value``: mean over pairs, then over rows."""

    distances: NDArray[np.float32]
    input_ids: tuple[str, ...]
    pair_ids: NDArray[np.str_]
    protocol: dict[str, Any]
    seed: int

    @property
    def value(self) -> float:
        return float(self.distances.mean(axis=1, dtype=np.float64).mean())

    @property
    def per_input(self) -> dict[str, float]:
        means = self.distances.mean(axis=1, dtype=np.float64)
        return dict(zip(self.input_ids, means.tolist(), strict=True)) if self.input_ids else {}

    @cached_property
    def interval(self) -> Interval:
        """The 95 % interval: bootstrap over inputs; for real data, robust to shared pictures."""
        if self.input_ids:
            return bootstrap_mean(list(self.per_input.values()), self.seed)
        return dyadic_mean(self.distances[:, 0], self.pair_ids)

    def measurement(self) -> Measurement:
        metric = METRIC_OF[self.protocol["extractor"]]
        return Measurement(metric.name, self.value, self.interval, self.protocol)

    def as_dict(self) -> dict[str, Any]:
        return self.measurement().as_dict()

    def save(self, path: Path) -> None:
        """Write the raw values to an ``.npz`` file, atomically."""
        arrays = {"distances": self.distances, "pair_ids": self.pair_ids}
        save_arrays(path, {"protocol": self.protocol, "seed": self.seed}, arrays, self.input_ids)

    @classmethod
    def load(cls, path: Path) -> DiversityResult:
        """Read a file that ``save`` wrote; raises UserError for others."""
        meta, of = load_arrays(path)
        ids = tuple(of["input_ids"].tolist())
        return cls(of["distances"], ids, of["pair_ids"], meta["protocol"], meta["seed"])


def describe(weights: LpipsWeights) -> dict[str, Any]:
    """Return the facts about the LPIPS network that a record states."""
    return {
        "extractor": weights.name,
        "network": "alexnet",
        "version": weights.version,
        "sha256": weights.sha256,
        "source": weights.source,
        "lpips_package": version("lpips"),
    }


class Distance(Interface):
    """Interface of distances; ``LpipsDistance`` implements it."""

    weights: LpipsWeights

    def features(self, pictures: torch.Tensor) -> torch.Tensor: ...

    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor: ...


class _Seen:
    """The size and value range of the pictures seen so far; all must have the same size."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.low, self.high = math.inf, -math.inf

    def check(self, name: str, picture: torch.Tensor) -> None:
        if picture.ndim != 3:
            raise UserError(f"{name}: a picture is (3, H, W), got {tuple(picture.shape)}")
        try:
            check_pictures(picture[None])
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
        height, width = picture.shape[1:]
        self.size = self.size or (height, width)
        if (height, width) != self.size:
            raise UserError(
                f"{name} is {height}x{width}, others are {self.size[0]}x{self.size[1]}: "
                "resize all pictures to one size"
            )
        low, high = torch.aminmax(picture)
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))

    def describe(self) -> dict[str, object]:
        if self.low >= 0:
            warnings.warn(
                "no picture has a value below 0: they look scaled to [0, 1], LPIPS needs [-1, 1]",
                stacklevel=3,
            )
        assert self.size is not None  # at least two pictures were seen
        return {
            "resolution": list(self.size),
            "measured_at": list(measured_size(*self.size)),
            "range": [self.low, self.high],
        }


@dataclass
class _Input:
    """An input waiting for features: ``index`` maps its samples to ``distinct`` pictures."""

    name: str
    index: list[int]
    distinct: int
    rows: list[torch.Tensor] = field(default_factory=list)


class Diversity:
    """Diversity of streamed translations.

    Sample numbers are 0 to ``protocol.samples - 1``; inputs and samples may come in any order.
    Pictures are held until their input is complete, then reduced to features and distances: if
    pictures come grouped by input, memory is that of one input and one batch, otherwise that of all
    pictures. Batches span inputs, because a few pictures cost nearly as much as a full batch. The
    order and ``batch_size`` do not change the values (to 1e-7). ``seed`` seeds the bootstrap.
    """

    def __init__(
        self, distance: Distance, protocol: Protocol, batch_size: int = 16, seed: int = 0
    ) -> None:
        self._distance, self._protocol, self._seed = distance, protocol, seed
        self._batch_size, self._pairs = batch_size, protocol.pairs().tolist()
        self._incomplete: dict[str, dict[int, torch.Tensor]] = {}
        self._complete: set[str] = set()
        self._pictures: deque[torch.Tensor] = deque()
        self._inputs: deque[_Input] = deque()
        self._found: dict[str, NDArray[np.float32]] = {}
        self._seen = _Seen()

    def update(self, input_id: str, sample: int, picture: torch.Tensor) -> None:
        """Add a picture (3, H, W) in [-1, 1]. Raises UserError for repeated or surplus samples and
        inputs, another size, and values out of range."""
        protocol, waiting = self._protocol, self._incomplete
        where = f"sample {sample} of input {input_id!r}"
        if not 0 <= sample < protocol.samples:
            raise UserError(
                f"{where} is outside 0..{protocol.samples - 1} of protocol {protocol.name}: pass "
                "only the samples it needs"
            )
        if input_id in self._complete or sample in waiting.get(input_id, {}):
            raise UserError(f"{where} came twice: pass it once")
        if input_id not in waiting and len(waiting) + len(self._complete) == protocol.inputs:
            raise UserError(
                f"input {input_id!r} is one more than the {protocol.inputs} of protocol "
                f"{protocol.name}: pass fewer, or scale the protocol"
            )
        self._seen.check(where, picture)
        samples = waiting.setdefault(input_id, {})
        # A copy, because a stream may yield views of a buffer that it reuses.
        samples[sample] = picture.detach().clone()
        if len(samples) == protocol.samples:
            del waiting[input_id]
            self._add(input_id, samples)

    def finish(self) -> DiversityResult:
        """Return the result; raises UserError for missing samples and inputs."""
        protocol = self._protocol
        if self._incomplete:
            name, samples = min(self._incomplete.items())
            absent = next(k for k in range(protocol.samples) if k not in samples)
            raise UserError(
                f"input {name!r} has {len(samples)} of {protocol.samples} samples ({absent} is "
                f"missing; {len(self._incomplete)} inputs are incomplete): translate it again"
            )
        if len(self._complete) < protocol.inputs:
            raise UserError(
                f"protocol {protocol.name} needs {protocol.inputs} inputs, got "
                f"{len(self._complete)}: translate more, or scale the protocol"
            )
        while self._pictures:
            self._step()
        ids = tuple(sorted(self._found))
        facts = {
            "protocol": protocol.name, "rule": protocol.rule, "N": len(ids), "K": protocol.samples,
            "pairs_per_input": len(self._pairs),
        }  # fmt: skip
        return DiversityResult(
            distances=np.stack([self._found[name] for name in ids]),
            input_ids=ids,
            pair_ids=np.array([[str(i), str(j)] for i, j in self._pairs]),
            protocol=facts | describe(self._distance.weights) | self._seen.describe(),
            seed=self._seed,
        )

    def _add(self, name: str, samples: Mapping[int, torch.Tensor]) -> None:
        """Queue all pictures of an input. Equal pictures share one feature vector, so that their
        distance is 0 on every device: last bits of convolutions may depend on the batch."""
        self._complete.add(name)
        row: dict[bytes, int] = {}
        index = []
        for _, picture in sorted(samples.items()):
            content = hashlib.sha256(picture.cpu().numpy().tobytes()).digest()
            if content not in row:
                row[content] = len(row)
                self._pictures.append(picture)
            index.append(row[content])
        self._inputs.append(_Input(name, index, len(row)))
        while len(self._pictures) >= self._batch_size:
            self._step()

    def _step(self) -> None:
        count = min(self._batch_size, len(self._pictures))
        batch = torch.stack([self._pictures.popleft() for _ in range(count)])
        for row in self._distance.features(batch):
            waiting = self._inputs[0]
            waiting.rows.append(row)
            if len(waiting.rows) == waiting.distinct:
                self._found[waiting.name] = self._distances(self._inputs.popleft())

    def _distances(self, of: _Input) -> NDArray[np.float32]:
        features = torch.stack(of.rows)
        rows = torch.tensor([[of.index[i], of.index[j]] for i, j in self._pairs])
        # In parts, which avoids a second copy of all features.
        parts = torch.split(rows.to(features.device), max(1, NUMBERS // features.shape[1]))
        found = [self._distance.distance(features[p[:, 0]], features[p[:, 1]]) for p in parts]
        return torch.cat(found).float().cpu().numpy()


def diversity(
    stream: Stream, distance: Distance, protocol: Protocol, batch_size: int = 16, seed: int = 0
) -> DiversityResult:
    """Return the ``Diversity`` of a whole ``stream``."""
    return consume(Diversity(distance, protocol, batch_size, seed), stream)


def real_diversity(
    pictures: Mapping[str, torch.Tensor],
    distance: Distance,
    n_pairs: int = 1900,
    seed: int = 0,
    batch_size: int = 16,
) -> DiversityResult:
    """Measure ``n_pairs`` random pairs of distinct real pictures: Table 1's last row.

    ``pictures`` maps ids to (3, H, W) in [-1, 1]; each picture in a pair is read once, others
    never. Pairs of the sorted ids are drawn without repetition by ``seed``. Features are held from
    a picture's first pair to its last: for 1,900 pairs, at most about 760 of them (100 MB up to
    64x64, 2 GB at 256x256). UserError for too few pictures or unfit ones.
    """
    names = sorted(pictures)
    possible = len(names) * (len(names) - 1) // 2
    if n_pairs < 2 or n_pairs > possible:
        raise UserError(
            f"{n_pairs} pairs of {len(names)} pictures cannot be drawn: "
            f"use 2 to {possible} pairs, or more pictures"
        )
    drawn = _draw_pairs(len(names), n_pairs, seed)
    last_use = {item: k for k, pair in enumerate(drawn) for item in pair}
    held: dict[int, torch.Tensor] = {}
    found = []
    seen = _Seen()
    used = list(dict.fromkeys(item for pair in drawn for item in pair))
    ahead = iter(used)
    for k, (i, j) in enumerate(drawn):
        while i not in held or j not in held:
            batch = list(islice(ahead, batch_size))
            loaded = [pictures[names[item]] for item in batch]
            for item, picture in zip(batch, loaded, strict=True):
                seen.check(f"picture {names[item]!r}", picture)
            features = distance.features(torch.stack(loaded))
            # Copies: a view of one row would keep the whole batch in memory.
            held |= {item: features[row].clone()[None] for row, item in enumerate(batch)}
        found.append(distance.distance(held[i], held[j]))
        for item in (i, j):
            if last_use[item] == k:
                del held[item]
    facts = {"protocol": real_name(n_pairs), "rule": "random", "N": len(used), "pairs": n_pairs}
    return DiversityResult(
        distances=torch.cat(found).float().cpu().numpy()[:, None],
        input_ids=(),
        pair_ids=np.array([[names[i], names[j]] for i, j in drawn]),
        protocol=facts | {"pair_seed": seed} | describe(distance.weights) | seen.describe(),
        seed=seed,
    )


def _draw_pairs(items: int, n_pairs: int, seed: int) -> list[tuple[int, int]]:
    """Draw ``n_pairs`` different pairs i < j of ``items`` items, uniformly."""
    generator = np.random.default_rng([0xD1CE, seed & (2**64 - 1)])
    chosen = generator.choice(items * (items - 1) // 2, size=n_pairs, replace=False)
    drawn = []
    for code in chosen.tolist():
        # Pairs are numbered (0,1), (0,2), (1,2), (0,3), ...: j (j - 1) / 2 + i.
        j = (1 + math.isqrt(1 + 8 * code)) // 2
        drawn.append((code - j * (j - 1) // 2, j))
    return drawn
