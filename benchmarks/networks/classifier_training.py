"""Training a classifier by its recipe: the same numbers for the same pictures, labels and seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.networks.augmentation import disturbed
from benchmarks.networks.classifiers import (
    Classifier,
    Heads,
    Recipe,
    Schedule,
    SmallResNet,
    network_input,
)
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

    def check_every_class(self, heads: Heads, what: str, least: int = 1) -> None:
        """UserError unless every class has ``least`` pictures; after ``check``."""
        for head, classes in heads.items():
            counts = np.bincount(self.labels[head], minlength=len(classes))
            for name, count in zip(classes, counts, strict=True):
                if count < least:
                    few = "no" if count == 0 else f"only {count}"
                    raise UserError(f"{few} {what} of {head} {name!r}: use more pictures")


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
    train.check_every_class(heads, "training picture")
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

    def loss_of(rows: Tensor) -> Tensor:
        pictures = _augment(train.pictures[rows], recipe, draws).to(device)
        _, logits = network(network_input(pictures, recipe.side))
        losses = [F.cross_entropy(v, labels[head][rows.to(device)]) for head, v in logits.items()]
        return torch.stack(losses).sum()

    fit(network, recipe, len(train.pictures), loss_of, draws, progress)


def fit(
    network: nn.Module,
    schedule: Schedule,
    count: int,
    loss_of: Callable[[Tensor], Tensor],
    draws: np.random.Generator,
    progress: bool,
) -> None:
    """Minimise ``loss_of(rows)``, the mean loss of the pictures of these indices below ``count``.

    AdamW, with a learning rate that rises and falls linearly; in training mode throughout.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=schedule.weight_decay
    )
    network.train()
    order = _order(count, draws)
    for step in tqdm(range(schedule.steps), desc=f"training {schedule.name}", disable=not progress):
        rows = torch.from_numpy(np.array([next(order) for _ in range(schedule.batch)]))
        loss = loss_of(rows)
        for group in optimiser.param_groups:
            group["lr"] = schedule.lr * _rate(step, schedule.steps)
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
    return disturbed(x, recipe.mottle, draws)


def accuracy(classifier: Classifier, held_out: Labelled, batch_size: int = 256) -> dict[str, float]:
    """Share of pictures whose most probable class is the true one, by head."""
    right = dict.fromkeys(classifier.heads, 0)
    for start in range(0, len(held_out.pictures), batch_size):
        rows = slice(start, start + batch_size)
        _, probabilities = classifier(held_out.pictures[rows])
        for head, p in probabilities.items():
            right[head] += int((p.argmax(axis=1) == held_out.labels[head][rows]).sum())
    return {head: count / len(held_out.pictures) for head, count in right.items()}
