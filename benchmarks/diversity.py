"""LPIPS diversity: how different the translations of one input are.

Source: MUNIT, section 5.2 (after BicycleGAN): the mean LPIPS between pairs of translations of one
input, over 100 inputs of 19 pairs. A deterministic translator has exactly 0.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.diversity_protocols import Protocol
from benchmarks.diversity_result import DiversityResult, describe
from benchmarks.lpips_features import check_pictures
from benchmarks.weights import LpipsWeights
from models.errors import UserError


class Distance(Interface):
    """What diversity asks of a distance; ``LpipsDistance`` is one."""

    weights: LpipsWeights

    def features(self, pictures: torch.Tensor) -> torch.Tensor: ...

    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor: ...


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
        return {"resolution": list(self.size or ()), "range": [self.low, self.high]}


def _features(
    pictures: list[torch.Tensor], distance: Distance, batch_size: int
) -> tuple[torch.Tensor, list[int]]:
    """Features (M, D) of the M distinct pictures, and which of them each picture is.

    The last bits of a convolution may depend on the batch around a picture. Equal pictures
    share one feature vector, so their distance is 0 on every device, not nearly 0.
    """
    row: dict[bytes, int] = {}
    distinct: list[torch.Tensor] = []
    index = []
    for picture in pictures:
        content = hashlib.sha256(picture.cpu().contiguous().numpy().tobytes()).digest()
        if content not in row:
            row[content] = len(distinct)
            distinct.append(picture)
        index.append(row[content])
    chunks = [
        distance.features(torch.stack(distinct[start : start + batch_size]))
        for start in range(0, len(distinct), batch_size)
    ]
    return torch.cat(chunks), index


def _input_distances(
    pictures: list[torch.Tensor], pairs: torch.Tensor, distance: Distance, batch_size: int
) -> NDArray[np.float32]:
    """Distances (P,) of the ``pairs`` (P, 2) of translations of one input."""
    features, index = _features(pictures, distance, batch_size)
    rows = [(index[i], index[j]) for i, j in pairs.tolist()]
    # A pair at a time: all pairs of 20 pictures at once would hold their features 19 times over.
    found = [distance.distance(features[i : i + 1], features[j : j + 1]) for i, j in rows]
    return torch.cat(found).float().cpu().numpy()


def diversity(
    stream: Iterable[tuple[str, int, torch.Tensor]],
    distance: Distance,
    protocol: Protocol,
    batch_size: int = 16,
    seed: int = 0,
) -> DiversityResult:
    """Diversity of a stream of (input id, sample number, picture (3, H, W) in [-1, 1]).

    Sample numbers are 0 to ``protocol.samples - 1``; inputs and samples come in any order. Pictures
    are held until their input is complete, then reduced to distances: memory is that of one
    input when the stream is grouped by inputs, of all of them when it is not. Neither the order nor
    ``batch_size`` changes the values (to 1e-7). ``seed`` is the bootstrap's.

    Raises UserError for missing, repeated or surplus samples and inputs, pictures of several
    sizes or out of range, and weights of another LPIPS version than the protocol's.
    """
    if batch_size < 1:
        raise UserError(f"batch size must be at least 1, got {batch_size}")
    if distance.weights.version != protocol.version:
        raise UserError(
            f"protocol {protocol.name} is measured with LPIPS {protocol.version}, the weights are "
            f"{distance.weights.version}: load weights of version {protocol.version}"
        )
    pairs = protocol.pairs()
    waiting: dict[str, dict[int, torch.Tensor]] = {}
    done: dict[str, NDArray[np.float32]] = {}
    seen = _Seen()
    for input_id, sample, picture in stream:
        _check_address(input_id, sample, protocol, waiting, done)
        seen.check(f"sample {sample} of input {input_id!r}", picture)
        samples = waiting.setdefault(input_id, {})
        # A copy: streams may hand out views of a buffer that they fill again.
        samples[sample] = picture.detach().clone()
        if len(samples) == protocol.samples:
            del waiting[input_id]
            ordered = [samples[k] for k in range(protocol.samples)]
            done[input_id] = _input_distances(ordered, pairs, distance, batch_size)
    if waiting:
        name, samples = min(waiting.items())
        absent = next(k for k in range(protocol.samples) if k not in samples)
        raise UserError(
            f"input {name!r} has {len(samples)} of {protocol.samples} samples ({absent} is "
            f"missing; {len(waiting)} inputs are incomplete): translate it again"
        )
    if len(done) < protocol.inputs:
        raise UserError(
            f"protocol {protocol.name} needs {protocol.inputs} inputs, got {len(done)}: "
            "translate more, or scale the protocol"
        )
    ids = tuple(sorted(done))
    facts = {
        "protocol": protocol.name,
        "rule": protocol.rule,
        "N": len(ids),
        "K": protocol.samples,
        "pairs_per_input": len(pairs),
    }
    return DiversityResult(
        distances=np.stack([done[name] for name in ids]),
        input_ids=ids,
        pair_ids=np.array([[str(i), str(j)] for i, j in pairs.tolist()]),
        protocol=facts | describe(distance.weights) | seen.describe(),
        seed=seed,
    )


def _check_address(
    input_id: str,
    sample: int,
    protocol: Protocol,
    waiting: Mapping[str, Mapping[int, torch.Tensor]],
    done: Mapping[str, object],
) -> None:
    if not 0 <= sample < protocol.samples:
        raise UserError(
            f"sample {sample} of input {input_id!r} is outside 0..{protocol.samples - 1} of "
            f"protocol {protocol.name}: pass only the samples it needs"
        )
    if input_id in done or sample in waiting.get(input_id, {}):
        raise UserError(f"sample {sample} of input {input_id!r} came twice: pass it once")
    if input_id not in waiting and len(waiting) + len(done) == protocol.inputs:
        raise UserError(
            f"input {input_id!r} is one more than the {protocol.inputs} of protocol "
            f"{protocol.name}: pass fewer, or scale the protocol"
        )


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
    the number of pictures (100 MB at 64x64, 2 GB at 256x256).

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
    facts = {"protocol": f"real@{n_pairs}", "rule": "random", "N": len(used), "pairs": n_pairs}
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
