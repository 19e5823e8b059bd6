"""Training a classifier by its recipe: the same numbers for the same pictures, labels and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from benchmarks.classifiers import Classifier, Heads, Recipe, SmallResNet, network_input
from models.errors import UserError
from models.init import initialise

WARM_UP = 0.15  # share of the steps in which the learning rate rises


@dataclass(frozen=True)
class Labelled:
    """uint8 pictures (N, 3, H, W) and, by head, the index (N,) of each one's class."""

    pictures: Tensor
    labels: Mapping[str, NDArray[np.int64]]

    def check(self, heads: Heads, what: str) -> None:
        """UserError unless every picture has a known class in each of ``heads``."""
        count = len(self.pictures)
        if count == 0 or self.pictures.dtype != torch.uint8 or self.pictures.ndim != 4:
            raise UserError(f"{what}: a classifier needs uint8 pictures (N, 3, H, W), at least one")
        for head, classes in heads.items():
            found = self.labels.get(head)
            if found is None or found.shape != (count,):
                raise UserError(f"{what}: {count} pictures need as many labels of {head}")
            if found.min() < 0 or found.max() >= len(classes):
                raise UserError(f"{what}: labels of {head} go from 0 to {len(classes) - 1}")


def train_classifier(
    recipe: Recipe,
    heads: Heads,
    train: Labelled,
    held_out: Labelled,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    facts: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Classifier:
    """Train by ``recipe`` on ``train``; its accuracy is that on ``held_out``, looked at once.

    The sum of the heads' cross-entropies, AdamW, a learning rate that rises and falls linearly.
    ``facts`` are kept with the classifier. Raises UserError for a class that ``train`` lacks.
    """
    train.check(heads, "training pictures")
    held_out.check(heads, "held-out pictures")
    for head, classes in heads.items():
        missing = np.flatnonzero(np.bincount(train.labels[head], minlength=len(classes)) == 0)
        if len(missing):
            raise UserError(
                f"no training picture of {head} {classes[missing[0]]!r}: use more pictures"
            )
    with torch.random.fork_rng(devices=[]):  # the layers' own draws, which are thrown away
        network = SmallResNet(recipe, heads)
    draws = np.random.default_rng([0xC1A5, seed & (2**64 - 1)])
    initialise(network, "kaiming", torch.Generator().manual_seed(int(draws.integers(2**62))))
    _fit(network.to(device), recipe, train, draws, progress)
    network.eval()
    size = list(train.pictures.shape[2:])
    counts = {"train": len(train.pictures), "held_out": len(held_out.pictures), "size": size}
    every = counts | {"seed": seed} | dict(facts or {})
    trained = Classifier(recipe, heads, network, dict.fromkeys(heads, 0.0), every)
    return Classifier(recipe, heads, network, accuracy(trained, held_out), every)


def _fit(
    network: SmallResNet,
    recipe: Recipe,
    train: Labelled,
    draws: np.random.Generator,
    progress: bool,
) -> None:
    device = network.stem.weight.device
    labels = {head: torch.from_numpy(v).to(device) for head, v in train.labels.items()}
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
    )
    network.train()
    order = _order(len(train.pictures), draws)
    for step in tqdm(range(recipe.steps), desc=f"training {recipe.name}", disable=not progress):
        rows = torch.from_numpy(np.array([next(order) for _ in range(recipe.batch)]))
        pictures = _augment(train.pictures[rows], recipe, draws).to(device)
        _, logits = network(network_input(pictures, recipe.side))
        losses = [F.cross_entropy(v, labels[head][rows.to(device)]) for head, v in logits.items()]
        loss = torch.stack(losses).sum()
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * _rate(step, recipe.steps)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _order(count: int, draws: np.random.Generator) -> Iterator[int]:
    """Indices below ``count``, every one once before any comes again; without end."""
    while True:
        yield from draws.permutation(count).tolist()


def _rate(step: int, total: int) -> float:
    """The learning rate's factor: a line up from 0 to 1, a line down to 0."""
    done = (step + 0.5) / total
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def _augment(pictures: Tensor, recipe: Recipe, draws: np.random.Generator) -> Tensor:
    """Mirrored, moved with borders repeated, blurred and mottled, as the recipe says."""
    count, _, height, width = pictures.shape
    mirrored = torch.from_numpy(draws.random(count) < 0.5)
    x = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures).float()
    shift = recipe.shift
    down, across = (int(v) for v in draws.integers(0, 2 * shift + 1, size=2))
    x = F.pad(x, (shift,) * 4, mode="replicate")
    x = x[:, :, down : down + height, across : across + width]

    def strengths() -> Tensor:
        """From 0 to 1; 0 for half of the pictures, the same half for all disturbances."""
        return torch.from_numpy((draws.random(count) * disturbed).astype(np.float32))[
            :, None, None, None
        ]

    def noise(size: tuple[int, int]) -> Tensor:
        return torch.from_numpy(draws.standard_normal((count, 3, *size), dtype=np.float32))

    disturbed = draws.random(count) < 0.5
    x = torch.lerp(x, F.avg_pool2d(F.pad(x, (1,) * 4, mode="replicate"), 3, 1), strengths())
    # Noise of two grains: single pixels, and spots of about two.
    spots = F.interpolate(noise(((height + 1) // 2, (width + 1) // 2)), size=(height, width))
    x = x + recipe.mottle / 4 * strengths() * noise((height, width))
    x = x + recipe.mottle / 2 * strengths() * spots
    return x.round().clamp(0, 255).to(torch.uint8)


def accuracy(classifier: Classifier, held_out: Labelled, batch_size: int = 256) -> dict[str, float]:
    """Share of pictures whose most probable class is the true one, by head."""
    right = dict.fromkeys(classifier.heads, 0)
    for start in range(0, len(held_out.pictures), batch_size):
        rows = slice(start, start + batch_size)
        _, probabilities = classifier(held_out.pictures[rows])
        for head, p in probabilities.items():
            right[head] += int((p.argmax(axis=1) == held_out.labels[head][rows]).sum())
    return {head: count / len(held_out.pictures) for head, count in right.items()}
