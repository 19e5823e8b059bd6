"""LPIPS diversity: how different the translations of one input are.

Source: MUNIT, section 5.2 (after BicycleGAN): the mean LPIPS between pairs of translations of one
input, over 100 inputs of 19 pairs. A deterministic translator has exactly 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import torch

from benchmarks.metric import consume
from benchmarks.metrics.diversity_protocols import Protocol, real_name
from benchmarks.metrics.diversity_result import DiversityResult, describe
from benchmarks.metrics.lpips_features import check_pictures, measured_size
from benchmarks.metrics.pair_distances import Distance, PairDistances
from models.errors import UserError


class _Seen:
    """The size and range of all pictures: one size, and the record's observed range."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.low, self.high = float("inf"), float("-inf")

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


class Diversity:
    """Diversity of translations that come one by one.

    Sample numbers are 0 to ``protocol.samples - 1``; inputs and samples come in any order. Pictures
    are held until their input is complete, then reduced to distances: memory is that of one
    input and one batch when pictures come grouped by inputs, of all of them when they do not. Neither
    the order nor ``batch_size`` changes the values (to 1e-7). ``seed`` is the bootstrap's.

    Raises UserError for weights of another LPIPS version than the protocol's.
    """

    def __init__(
        self, distance: Distance, protocol: Protocol, batch_size: int = 16, seed: int = 0
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch size must be at least 1, got {batch_size}")
        if distance.weights.version != protocol.version:
            raise UserError(
                f"protocol {protocol.name} is measured with LPIPS {protocol.version}, the weights "
                f"are {distance.weights.version}: load weights of version {protocol.version}"
            )
        self._weights, self._protocol, self._seed = distance.weights, protocol, seed
        self._pairs = protocol.pairs()
        self._distances = PairDistances(self._pairs, distance, batch_size)
        self._waiting: dict[str, dict[int, torch.Tensor]] = {}
        self._complete: set[str] = set()
        self._seen = _Seen()

    def update(self, input_id: str, sample: int, picture: torch.Tensor) -> None:
        """Take a picture (3, H, W) in [-1, 1]; UserError for repeated or surplus samples and inputs,
        another size and values out of range."""
        self._check_address(input_id, sample)
        self._seen.check(f"sample {sample} of input {input_id!r}", picture)
        samples = self._waiting.setdefault(input_id, {})
        # A copy: streams may hand out views of a buffer that they fill again.
        samples[sample] = picture.detach().clone()
        if len(samples) == self._protocol.samples:
            del self._waiting[input_id]
            self._complete.add(input_id)
            self._distances.add(input_id, [samples[k] for k in range(len(samples))])

    def finish(self) -> DiversityResult:
        """The result; UserError for missing samples and inputs."""
        protocol = self._protocol
        if self._waiting:
            name, samples = min(self._waiting.items())
            absent = next(k for k in range(protocol.samples) if k not in samples)
            raise UserError(
                f"input {name!r} has {len(samples)} of {protocol.samples} samples ({absent} is "
                f"missing; {len(self._waiting)} inputs are incomplete): translate it again"
            )
        if len(self._complete) < protocol.inputs:
            raise UserError(
                f"protocol {protocol.name} needs {protocol.inputs} inputs, got "
                f"{len(self._complete)}: translate more, or scale the protocol"
            )
        found = self._distances.finish()
        ids = tuple(sorted(found))
        facts = {
            "protocol": protocol.name,
            "rule": protocol.rule,
            "N": len(ids),
            "K": protocol.samples,
            "pairs_per_input": len(self._pairs),
        }
        return DiversityResult(
            distances=np.stack([found[name] for name in ids]),
            input_ids=ids,
            pair_ids=np.array([[str(i), str(j)] for i, j in self._pairs.tolist()]),
            protocol=facts | describe(self._weights) | self._seen.describe(),
            seed=self._seed,
        )

    def _check_address(self, input_id: str, sample: int) -> None:
        protocol, waiting = self._protocol, self._waiting
        if not 0 <= sample < protocol.samples:
            raise UserError(
                f"sample {sample} of input {input_id!r} is outside 0..{protocol.samples - 1} of "
                f"protocol {protocol.name}: pass only the samples it needs"
            )
        if input_id in self._complete or sample in waiting.get(input_id, {}):
            raise UserError(f"sample {sample} of input {input_id!r} came twice: pass it once")
        if input_id not in waiting and len(waiting) + len(self._complete) == protocol.inputs:
            raise UserError(
                f"input {input_id!r} is one more than the {protocol.inputs} of protocol "
                f"{protocol.name}: pass fewer, or scale the protocol"
            )


def diversity(
    stream: Iterable[tuple[str, int, torch.Tensor]], distance: Distance, protocol: Protocol,
    batch_size: int = 16, seed: int = 0,
) -> DiversityResult:  # fmt: skip
    """``Diversity`` of a stream of (input id, sample number, picture (3, H, W) in [-1, 1])."""
    return consume(Diversity(distance, protocol, batch_size, seed), stream)


def real_diversity(
    pictures: Mapping[str, torch.Tensor],
    distance: Distance,
    n_pairs: int = 1900,
    seed: int = 0,
    batch_size: int = 16,
) -> DiversityResult:
    """Mean distance of ``n_pairs`` random pairs of distinct real pictures: Table 1's last row.

    ``pictures`` maps ids to (3, H, W) in [-1, 1]; a mapping that reads a file when asked will
    do, and only pictures in a pair are asked for, once each. Pairs are drawn without
    repetition by ``seed`` over the sorted ids, so no order of files matters. Features are held
    from a picture's first pair to its last: for 1,900 pairs at most about 760 of them, whatever
    the number of pictures (100 MB up to 64x64, 2 GB at 256x256).

    Raises UserError when there are too few pictures for so many pairs, or one is unfit.
    """
    names = sorted(pictures)
    possible = len(names) * (len(names) - 1) // 2
    if n_pairs < 2 or n_pairs > possible:
        raise UserError(
            f"{n_pairs} pairs of {len(names)} pictures cannot be drawn: "
            f"use 2 to {possible} pairs, or more pictures"
        )
    if batch_size < 1:
        raise UserError(f"batch size must be at least 1, got {batch_size}")
    drawn = _draw_pairs(len(names), n_pairs, seed)
    last_use = {item: k for k, pair in enumerate(drawn) for item in pair}
    held: dict[int, torch.Tensor] = {}
    found = []
    seen = _Seen()
    used = list(dict.fromkeys(item for pair in drawn for item in pair))
    ahead = iter(used)
    for k, (i, j) in enumerate(drawn):
        while i not in held or j not in held:
            batch = [item for _, item in zip(range(batch_size), ahead, strict=False)]
            loaded = [pictures[names[item]] for item in batch]
            for item, picture in zip(batch, loaded, strict=True):
                seen.check(f"picture {names[item]!r}", picture)
            features = distance.features(torch.stack(loaded))
            # Rows are copied, or one held row would keep the whole batch in memory.
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
    """``n_pairs`` different unordered pairs i < j of ``items``, every one equally likely."""
    generator = np.random.default_rng([0xD1CE, seed & (2**64 - 1)])
    chosen = generator.choice(items * (items - 1) // 2, size=n_pairs, replace=False)
    drawn = []
    for code in chosen.tolist():
        # Pairs are numbered (0,1), (0,2), (1,2), (0,3), ...: j (j - 1) / 2 + i.
        j = int((1 + (1 + 8 * code) ** 0.5) / 2)
        while j * (j - 1) // 2 > code:
            j -= 1
        while (j + 1) * j // 2 <= code:
            j += 1
        drawn.append((code - j * (j - 1) // 2, j))
    return drawn
