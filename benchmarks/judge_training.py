"""How judges learn: by questions whose answer is known.

A question shows two pictures of one input, as people are asked (MUNIT, section 5.2); the judge says
how true each looks, and the difference of its logits is the odds of its answer (Bradley and
Terry 1952; RankNet, Burges et al. 2005). Most questions set the real picture against a
translation, by a method drawn at random. A stated share sets a picture against that of another
input, real or translated alike, so that a judge looks at the input (matching-aware
discriminators, Reed et al. 2016). A smaller one sets a picture against a copy more degraded
(RankIQA, Liu et al. 2017), so that what no method does wrong is still seen as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from benchmarks.degrade import DEGRADATIONS, moved
from benchmarks.judge_network import (
    Judge,
    JudgeConfig,
    JudgeNetwork,
    draw_weights,
    halvings,
    ready,
    unit,
)
from models.errors import UserError

HELD_OUT = 500  # questions at most that a judge's accuracy is measured with
# What is shown in training; the evidence that judges can judge tests other levels.
LEVELS = {"blur": (0.0, 1 / 45, 1 / 23), "noise": (0.0, 0.05, 0.2), "misalignment": (0.0, 3 / 32)}


@dataclass(frozen=True)
class Lessons:
    """What judges learn from: uint8 pictures (N, 3, H, W) of one size.

    ``real``: real pictures; ``translations``: by method. With ``inputs``, row i of each belongs to
    input i. Without, judges see no inputs, and rows need not belong together.
    """

    real: Tensor
    translations: Mapping[str, Tensor]
    inputs: Tensor | None

    def __post_init__(self) -> None:
        named = {"real pictures": self.real, **self.translations}
        if self.inputs is not None:
            named["inputs"] = self.inputs
        if not self.translations:
            raise UserError("judges learn from translations of at least one method: give some")
        for name, pictures in named.items():
            check_pictures(name, pictures)
            if pictures.shape[1:] != self.real.shape[1:]:
                raise UserError(
                    f"{name} are {tuple(pictures.shape[1:])}, real pictures are "
                    f"{tuple(self.real.shape[1:])}: use pictures of one size"
                )
            if len(pictures) != len(self.real) or len(pictures) < 2:
                raise UserError(
                    f"{len(pictures)} {name} for {len(self.real)} real pictures: judges need "
                    "equal numbers, at least 2"
                )


def check_pictures(name: str, pictures: Tensor) -> None:
    """UserError unless ``pictures`` are uint8 (N, 3, H, W)."""
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
        raise UserError(
            f"{name} are {pictures.dtype} {tuple(pictures.shape)}: judges see 8-bit pictures, "
            "torch.uint8 (N, 3, H, W)"
        )


def train_judges(
    lessons: Lessons,
    config: JudgeConfig,
    seed: int = 0,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> list[Judge]:
    """``config.judges`` judges, which differ in seed and in the inputs that they saw.

    Methods come by their sorted names, so the order of the mapping does not matter."""
    total = config.judges * config.steps
    with tqdm(total=total, desc="training judges", unit="step", disable=not progress) as bar:
        return [
            _train(lessons, config, _seed_of(seed, number), device, bar)
            for number in range(config.judges)
        ]


def _seed_of(seed: int, number: int) -> int:
    words = np.random.SeedSequence([0x10D6E, seed & (2**64 - 1), number])
    return int(words.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _train(
    lessons: Lessons,
    config: JudgeConfig,
    seed: int,
    device: torch.device | str,
    bar: tqdm,  # type: ignore[type-arg]
) -> Judge:
    draws = torch.Generator().manual_seed(seed)
    depth, paired = halvings(*lessons.real.shape[2:]), lessons.inputs is not None
    network = JudgeNetwork(config.width, depth, paired)
    draw_weights(network, draws)
    network.to(device).train()
    teacher = _Teacher(lessons, config, draws)
    optimiser = torch.optim.Adam(
        network.parameters(), config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.lr * min(1.0, 2 * (1 - step / config.steps))
        right, wrong, inputs = teacher.batch()
        both = torch.cat([right, wrong]).to(device)
        seen = None if inputs is None else inputs.to(device).repeat(2, 1, 1, 1)
        true, false = network(both, seen).chunk(2)
        loss = F.softplus(false - true).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        bar.update()
    facts = {
        "methods": teacher.methods,
        "inputs_seen": len(teacher.rows),
        "inputs": len(lessons.real),
        "size": list(lessons.real.shape[2:]),
    }
    judge = Judge(ready(network), config, seed, depth, paired, 0.0, facts)
    return replace(judge, accuracy=_accuracy(judge, *teacher.held_out()))


class _Teacher:
    """Draws one judge's questions from the rows that it may see."""

    def __init__(self, lessons: Lessons, config: JudgeConfig, draws: torch.Generator) -> None:
        self.lessons, self.config, self.draws = lessons, config, draws
        self.methods = sorted(lessons.translations)
        count = len(lessons.real)
        order = torch.randperm(count, generator=draws)
        self.rows = order[: max(2, round(config.share * count))]
        self.others = order[len(self.rows) :]
        paired = lessons.inputs is not None
        # Without inputs, no picture is that of another input, and none is misaligned.
        self.n_other = round(config.other_inputs * config.batch) if paired else 0
        self.n_degraded = round(config.degraded * config.batch)
        self.kinds = [kind for kind in LEVELS if paired or kind != "misalignment"]
        self.reach = round(config.shift * lessons.real.shape[2])

    def batch(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Right and wrong pictures (B, 3, H, W) in [-1, 1], noise included, and their inputs."""
        n, end = self.n_other, self.n_other + self.n_degraded
        places = self._draw(len(self.rows), self.config.batch)
        rows, methods = self.rows[places], self._draw(len(self.methods), self.config.batch)
        right, wrong = self.lessons.real[rows], self._translated(methods, rows)
        # In the other questions both pictures are real, or both are translations.
        real = (self._draw(2, end) == 1)[:, None, None, None]
        right[:end] = torch.where(real, right[:end], wrong[:end])
        if n:
            step = 1 + self._draw(len(self.rows) - 1, n)
            others = self.rows[(places[:n] + step) % len(self.rows)]
            translated = self._translated(methods[:n], others)
            wrong[:n] = torch.where(real[:n], self.lessons.real[others], translated)
        if end > n:
            right[n:end], wrong[n:end] = self._degraded(right[n:end])
        inputs = None if self.lessons.inputs is None else self.lessons.inputs[rows]
        return self._augmented(right, wrong, inputs)

    def held_out(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """uint8 real pictures, translations and inputs that the judge never saw."""
        rows = (self.others if len(self.others) else self.rows)[:HELD_OUT]
        methods = torch.arange(len(rows)) % len(self.methods)
        inputs = None if self.lessons.inputs is None else self.lessons.inputs[rows]
        return self.lessons.real[rows], self._translated(methods, rows), inputs

    def _degraded(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures less and more degraded, of one kind; less may be not at all."""
        kind = self.kinds[int(self._draw(len(self.kinds), 1))]
        levels = LEVELS[kind]
        less = int(self._draw(len(levels) - 1, 1))
        more = less + 1 + int(self._draw(len(levels) - 1 - less, 1))
        seed = int(self._draw(2**62, 1))
        degrade = DEGRADATIONS[kind]
        return degrade(pictures, levels[less], seed), degrade(pictures, levels[more], seed)

    def _draw(self, below: int, count: int) -> Tensor:
        return torch.randint(below, (count,), generator=self.draws)

    def _translated(self, methods: Tensor, rows: Tensor) -> Tensor:
        """The translations of ``rows`` by ``methods``, given as numbers."""
        pairs = zip(methods.tolist(), rows.tolist(), strict=True)
        return torch.stack([self.lessons.translations[self.methods[k]][i] for k, i in pairs])

    def _augmented(
        self, right: Tensor, wrong: Tensor, inputs: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """All pictures of a question mirrored and moved alike; noise on those to be judged."""
        mirrored = (self._draw(2, len(right)) == 1)[:, None, None, None]
        down, across = (int(v) - self.reach for v in self._draw(2 * self.reach + 1, 2))

        def change(pictures: Tensor) -> Tensor:
            return unit(moved(torch.where(mirrored, pictures.flip(3), pictures), down, across))

        def seen(pictures: Tensor) -> Tensor:
            noise = torch.randn(pictures.shape, generator=self.draws)
            return change(pictures) + self.config.noise * noise

        return seen(right), seen(wrong), None if inputs is None else change(inputs)


def _accuracy(judge: Judge, right: Tensor, wrong: Tensor, inputs: Tensor | None) -> float:
    return float((judge.logits(right, inputs) > judge.logits(wrong, inputs)).double().mean())
