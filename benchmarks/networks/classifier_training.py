"""Training classifiers by recipes; equal pictures, labels and seeds give equal results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any, TypeVar

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
    """uint8 pictures (N, 3, H, W) and, by head, the class indices (N,)."""

    pictures: Tensor
    labels: Mapping[str, NDArray[np.int64]]

    def check(self, heads: Heads, what: str, least: int) -> None:
        """Raise UserError unless every class of each head has at least ``least`` pictures."""
        for head, classes in heads.items():
            counts = np.bincount(self.labels[head], minlength=len(classes))
            for name, count in zip(classes, counts, strict=True):
                if count < least:
                    few = f"only {count}" if count else "no"
                    raise UserError(f"{few} {what} of {head} {name!r}: use more pictures")


def one_size(train: Tensor, held_out: Tensor) -> tuple[int, int]:
    """Return the height and width of both sets of pictures; raises UserError if they differ."""
    (height, width), other = train.shape[2:], held_out.shape[2:]
    if other != (height, width):
        raise UserError(
            f"held-out pictures are {list(other)}, training pictures {[height, width]}: use one size"
        )
    return height, width


N = TypeVar("N", bound=nn.Module)


def drawn(make: Callable[[], N], draws: np.random.Generator) -> N:
    """Create a network with initial weights drawn from ``draws``."""
    with torch.random.fork_rng(devices=[]):  # for the layers' own draws, which are discarded
        network = make()
    initialise(network, "kaiming", torch.Generator().manual_seed(int(draws.integers(2**62))))
    return network


def train_classifier(
    recipe: Recipe, heads: Heads, train: Labelled, held_out: Labelled, *, seed: int = 0,
    device: torch.device | str = "cpu", facts: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Classifier:  # fmt: skip
    """Train a classifier by ``recipe`` on ``train``, minimising the sum of the heads'
    cross-entropies. Its accuracy is measured once, on ``held_out``. ``facts`` are saved with it.
    Raises UserError if ``train`` lacks a class."""
    train.check(heads, "training picture", 1)
    draws = np.random.default_rng([0xC1A5, seed & (2**64 - 1)])
    network = drawn(lambda: SmallResNet(recipe, heads), draws).to(device)
    labels = {head: torch.from_numpy(v).to(device) for head, v in train.labels.items()}

    def loss_of(rows: Tensor) -> Tensor:
        pictures = _augment(train.pictures[rows], recipe, draws).to(device)
        _, logits = network(network_input(pictures, recipe.side))
        losses = [F.cross_entropy(v, labels[head][rows.to(device)]) for head, v in logits.items()]
        return torch.stack(losses).sum()

    fit(network, recipe, len(train.pictures), loss_of, draws, progress)
    every = {
        "train": len(train.pictures), "held_out": len(held_out.pictures),
        "size": list(train.pictures.shape[2:]), "seed": seed, **(facts or {}),
    }  # fmt: skip
    trained = Classifier(recipe, heads, network, {}, every)
    trained.accuracy = accuracy(trained, held_out)
    return trained


def fit(
    network: nn.Module, schedule: Schedule, count: int, loss_of: Callable[[Tensor], Tensor],
    draws: np.random.Generator, progress: bool,
) -> None:  # fmt: skip
    """Minimise ``loss_of(rows)``, the mean loss over pictures with indices ``rows`` below
    ``count``. Uses AdamW with a learning rate that rises and falls linearly; every epoch visits
    each picture once. The network is in training mode throughout."""
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=schedule.weight_decay
    )
    network.train()
    order = chain.from_iterable(draws.permutation(count).tolist() for _ in repeat(None))
    for step in tqdm(range(schedule.steps), desc=f"training {schedule.name}", disable=not progress):
        loss = loss_of(torch.tensor(list(islice(order, schedule.batch))))
        done = (step + 0.5) / schedule.steps
        for group in optimiser.param_groups:
            group["lr"] = schedule.lr * min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()


def _augment(pictures: Tensor, recipe: Recipe, draws: np.random.Generator) -> Tensor:
    """Mirror, shift (repeating borders), blur and mottle pictures as the recipe states."""
    count, _, height, width = pictures.shape
    mirrored = torch.from_numpy(draws.random(count) < 0.5)
    x = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures).float()
    shift = recipe.shift
    down, across = (int(v) for v in draws.integers(0, 2 * shift + 1, size=2))
    x = F.pad(x, (shift,) * 4, mode="replicate")
    x = x[:, :, down : down + height, across : across + width]
    return disturbed(x, recipe.mottle, draws)


def accuracy(classifier: Classifier, held_out: Labelled, batch_size: int = 256) -> dict[str, float]:
    """Return, by head, the share of pictures whose most probable class is the true one."""
    right = dict.fromkeys(classifier.heads, 0)
    for start in range(0, len(held_out.pictures), batch_size):
        rows = slice(start, start + batch_size)
        _, probabilities = classifier(held_out.pictures[rows])
        for head, p in probabilities.items():
            right[head] += int((p.argmax(axis=1) == held_out.labels[head][rows]).sum())
    return {head: count / len(held_out.pictures) for head, count in right.items()}
