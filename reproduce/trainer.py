"""One update of a method: its terms, its two optimisers, in its order.

This is the whole of the training arithmetic; ``training.py`` adds pictures, files and clocks.
The golden tests drive this same class with recorded noise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor

from models.image_pool import ImagePool
from models.losses import Terms
from models.method import Method, NoiseSpec, Phase
from reproduce.randomness import generator

NoiseSource = Callable[[Phase, str, NoiseSpec, int, int], Tensor]  # phase, role, spec, n, step


class NonFiniteLoss(Exception):
    """A loss term became NaN or infinite; that phase's weights are those before its update."""

    def __init__(self, step: int, term: str, value: float) -> None:
        super().__init__(f"loss term {term} is {value} in step {step}")
        self.step, self.term, self.value = step, term, value


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
        n, (h, w) = len(x_a), x_a.shape[2:]
        self._set_lr(step)
        record: dict[str, float] = {}
        fakes: dict[str, Tensor] | None = None
        codes = None
        if "sharing" in self.method.fast and self.method.judges:
            with self._autocast(x_a):
                codes = self.method.codes(x_a, x_b)
        for phase in self.method.order:
            noise = {
                role: self._like(self.noise(phase, role, spec, n, step), x_a)
                for role, spec in self.method.training_noise(phase, h, w).items()
            }
            with self._autocast(x_a):
                if phase == "generator":
                    self._freeze("discriminator", True)
                    terms, made = self.method.generator_terms(x_a, x_b, noise, codes)
                    fakes = {name: fake.detach() for name, fake in made.items()}
                    loss = self.method.generator_loss(terms)
                else:
                    self._freeze("discriminator", False)
                    terms, loss = {}, None
                    if self.method.judges or self.method.monitor:
                        if fakes is None:
                            fakes = self.method.fakes(x_a, x_b, noise, codes)
                        pooled = self._pooled(fakes, step)
                        terms = self.method.discriminator_terms(x_a, x_b, pooled)
                    if self.method.judges:
                        loss = self.method.discriminator_loss(terms)
            record |= self._checked(terms, step)
            self._update(phase, loss)
        return record

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
        if not terms:
            return {}
        values = torch.stack([t.detach() for t in terms.values()]).tolist()
        for name, value in zip(terms, values, strict=True):
            if value - value != 0:  # NaN or infinite
                raise NonFiniteLoss(step, name, value)
        return dict(zip(terms, values, strict=True))

    def _update(self, phase: Phase, loss: Tensor | None) -> None:
        optimiser = self.optimisers[phase]
        optimiser.zero_grad(set_to_none=True)
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
        for p in self.weights[phase]:
            # A term of weight zero leaves a gradient of zero in the originals, not none: weight
            # decay then still moves weights that only that term would have reached.
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        optimiser.step()
