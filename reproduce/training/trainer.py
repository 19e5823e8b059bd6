"""One update of a method: its terms, its two optimisers, in its order.

This is the whole of the training arithmetic; ``training.py`` adds pictures, files and clocks.
The golden tests drive this same class with recorded noise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.image_pool import ImagePool
from models.losses import Terms
from models.method import Codes, Method, Noise, NoiseSpec, Phase
from models.randomness import generator

NoiseSource = Callable[[Phase, str, NoiseSpec, int, int], Tensor]  # phase, role, spec, n, step


class NonFiniteLoss(Exception):
    """A loss term became NaN or infinite; that phase's weights are those before its update."""

    def __init__(self, step: int, term: str, value: float) -> None:
        super().__init__(f"loss term {term} is {value} in step {step}")
        self.step, self.term, self.value = step, term, value


@dataclass
class Made:
    """What the phases of one step hand on."""

    codes: Codes | None = None  # of the batch, where both phases need them
    fakes: dict[str, Tensor] | None = None  # of generators that are updated first
    shown: dict[str, Tensor] | None = None  # the same to the discriminators, some of them older


class Trainer:
    """A method, its optimisers and its histories of translations.

    ``seed`` addresses all noise; ``total_steps`` shapes the learning-rate schedule; ``noise``
    replaces the counted draws (tests hand in recorded numbers); ``precision`` is float32 or
    bf16 (automatic mixed precision with float32 weights).
    """

    def __init__(
        self,
        method: Method,
        seed: int,
        total_steps: int,
        *,
        noise: NoiseSource | None = None,
        precision: str = "float32",
    ) -> None:
        self.method, self.seed, self.total_steps = method, seed, total_steps
        self.noise = noise or self._counted
        self.precision = precision
        self.weights: dict[Phase, list[Tensor]] = {
            "generator": [p for net in method.generators() for p in net.parameters()],
            "discriminator": [p for net in method.discriminators() for p in net.parameters()],
        }
        c = method.config
        self.optimisers = {
            phase: torch.optim.Adam(
                weights,
                lr=c.lr,
                betas=(c.beta1, c.beta2),
                weight_decay=c.weight_decay,
                fused="optimiser" in method.fast,
            )
            for phase, weights in self.weights.items()
        }
        self.pools = {name: ImagePool(size) for name, size in method.pool_names().items()}

    def step(self, x_a: Tensor, x_b: Tensor, step: int) -> dict[str, float]:
        """Update everything once on a batch x_a, x_b (N, 3, H, W); all terms, unweighted."""
        self._set_lr(step)
        record: dict[str, float] = {}
        made = Made()
        for phase in self.method.order:
            noise = self._noise_of(phase, x_a, step)
            if phase == "discriminator" and made.fakes is not None and self._looked_at:
                made.shown = self._pooled(made.fakes, step)
            terms = self._compute(phase, x_a, x_b, noise, made)
            record |= self._checked(terms, step)
            self._update(phase)
        return record

    def _compute(self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, made: Made) -> Terms:
        """The terms of a phase, and the gradients of their weighted sum: work of the device alone,
        which asks nothing back."""
        self.optimisers[phase].zero_grad(set_to_none=True)
        with self._autocast(x_a):
            if phase == self.method.order[0] and "sharing" in self.method.fast:
                made.codes = self.method.codes(x_a, x_b) if self.method.judges else None
            self._freeze("discriminator", phase == "generator")
            terms, loss = self._objective(phase, x_a, x_b, noise, made)
        self._before_gradients(terms)
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
        for p in self.weights[phase]:
            # A term of weight zero leaves a gradient of zero in the originals, not none: weight
            # decay then still moves weights that only that term would have reached.
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        return {name: term.detach() for name, term in terms.items()}

    def _objective(
        self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, made: Made
    ) -> tuple[Terms, Tensor | None]:
        method = self.method
        if phase == "generator":
            terms, fakes = method.generator_terms(x_a, x_b, noise, made.codes)
            made.fakes = {name: fake.detach() for name, fake in fakes.items()}
            return terms, method.generator_loss(terms)
        if not self._looked_at:
            return {}, None
        shown = made.shown
        if shown is None:
            shown = method.fakes(x_a, x_b, noise, made.codes)
        terms = method.discriminator_terms(x_a, x_b, shown)
        return terms, method.discriminator_loss(terms) if method.judges else None

    @property
    def _looked_at(self) -> bool:
        """Whether discriminators are shown anything."""
        return self.method.judges or self.method.monitor

    def _noise_of(self, phase: Phase, x_a: Tensor, step: int) -> dict[str, Tensor]:
        n, (h, w) = len(x_a), x_a.shape[2:]
        return {
            role: self._like(self.noise(phase, role, spec, n, step), x_a)
            for role, spec in self.method.training_noise(phase, h, w).items()
        }

    def _before_gradients(self, terms: Terms) -> None:
        """Called with the terms before their gradients."""

    def _counted(self, phase: Phase, role: str, spec: NoiseSpec, n: int, step: int) -> Tensor:
        return spec.draw(n, generator(self.seed, "noise", phase, role, step))

    @staticmethod
    def _like(noise: Tensor, x: Tensor) -> Tensor:
        return noise.to(x.device, x.dtype if noise.is_floating_point() else noise.dtype)

    def _autocast(self, x: Tensor) -> contextlib.AbstractContextManager[object]:
        if self.precision == "bf16":
            return torch.autocast(x.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def _set_lr(self, step: int) -> None:
        lr = self.method.config.lr * self.method.config.lr_factor(step, self.total_steps)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = lr

    def _freeze(self, phase: Phase, frozen: bool) -> None:
        """The generators' update needs no gradients of discriminator weights."""
        for p in self.weights[phase]:
            p.requires_grad_(not frozen)

    def _pooled(self, fakes: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        shown = dict(fakes)
        for name, pool in self.pools.items():
            shown[name] = pool.query(fakes[name], generator(self.seed, "pool", name, step))
        return shown

    def _checked(self, terms: Terms, step: int) -> dict[str, float]:
        """The terms' values. Read after the gradients: a device computes both without a pause."""
        if not terms:
            return {}
        values = torch.stack(list(terms.values())).tolist()
        for name, value in zip(terms, values, strict=True):
            if value - value != 0:  # NaN or infinite
                raise NonFiniteLoss(step, name, value)
        return dict(zip(terms, values, strict=True))

    def _update(self, phase: Phase) -> None:
        self.optimisers[phase].step()
