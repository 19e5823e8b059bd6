"""One training step of a method: loss terms, gradients and both optimisers' updates.

This is all of the training arithmetic; ``loop.py`` adds pictures, files and timing. The golden
tests run the same class with recorded noise.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.image_pool import ImagePool
from models.losses import Terms
from models.method import Codes, Method, Noise, NoiseSpec, Phase
from models.randomness import generator

NoiseSource = Callable[[Phase, str, NoiseSpec, int, int], Tensor]  # phase, role, spec, n, step


# Largest gradient norm, over all weights of a phase, with which an update is made, per unit of its
# terms' weights. Healthy trainings stay below 10 (generators) and 100 (discriminators). A picture
# of one colour has no deviation for instance norms to divide by: each multiplies rounding errors by
# up to 1 / sqrt(eps) = 316, and ten of them overflow float32. The original makes such updates, and
# its users reported "images filled with NaNs", or weights that no longer move because the squares
# in Adam's second moment are huge.
LONGEST: dict[Phase, float] = {"generator": 1e2, "discriminator": 1e4}
_GRADIENT = "gradient"  # key of its norm, which is read together with the terms


@dataclass(frozen=True)
class Untaken:
    """A skipped update, which changed neither weights nor moments; ``why`` is in words."""

    step: int
    phase: Phase
    why: str


@dataclass
class Made:
    """Intermediate results that one phase of a step passes to the next."""

    codes: Codes | None = None  # of the batch, if both phases need them
    fakes: dict[str, Tensor] | None = None  # translations, if the generators are updated first
    shown: dict[str, Tensor] | None = None  # what discriminators see: some from the image pools


class Trainer:
    """A method with its optimisers and image pools.

    ``seed`` seeds all noise; ``total_steps`` shapes the learning-rate schedule; ``noise`` replaces
    the seeded draws (tests pass recorded numbers); ``precision`` is float32 or bf16 (automatic
    mixed precision with float32 weights). ``untaken`` lists the last step's skipped updates, whose
    terms or gradients were not finite or too large (``LONGEST``).
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
        self.untaken: list[Untaken] = []
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
        """Update all networks once on a batch x_a, x_b (N, 3, H, W); return the finite terms,
        unweighted."""
        self._begin(step)
        record: dict[str, float] = {}
        made = Made()
        for phase in self.method.order:
            noise = self._noise_of(phase, x_a, step)
            if phase == "discriminator" and made.fakes is not None and self._looked_at:
                made.shown = self._pooled(made.fakes, step)
            terms = self._compute(phase, x_a, x_b, noise, made)
            record |= self._finish(phase, terms, step)
        return record

    def _begin(self, step: int) -> None:
        self.untaken = []
        self._set_lr(step)

    def _compute(self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, made: Made) -> Terms:
        """Compute a phase's terms and the gradients of their weighted sum, without waiting for the
        device."""
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
            # In the originals a term of weight zero gives gradients of zero, not None, so weight
            # decay still changes weights that only this term would reach.
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        self._after_gradients(phase)
        found = {name: term.detach() for name, term in terms.items()}
        gradients = [p.grad for p in self.weights[phase] if p.grad is not None]
        found[_GRADIENT] = torch.nn.utils.get_total_norm(gradients)
        return found

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
        """Whether discriminators are evaluated at all."""
        return self.method.judges or self.method.monitor

    def _noise_of(self, phase: Phase, x_a: Tensor, step: int) -> dict[str, Tensor]:
        n, (h, w) = len(x_a), x_a.shape[2:]
        return {
            role: self._like(self.noise(phase, role, spec, n, step), x_a)
            for role, spec in self.method.training_noise(phase, h, w).items()
        }

    def _before_gradients(self, terms: Terms) -> None:
        """Hook before the backward pass."""

    def _after_gradients(self, phase: Phase) -> None:
        """Hook after the backward pass."""

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
        """Freeze a phase's weights: generator updates need no gradients of discriminators."""
        for p in self.weights[phase]:
            p.requires_grad_(not frozen)

    def _pooled(self, fakes: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        shown = dict(fakes)
        if self.untaken:  # non-finite pictures must not enter the pools
            return shown
        for name, pool in self.pools.items():
            shown[name] = pool.query(fakes[name], generator(self.seed, "pool", name, step))
        return shown

    def _finish(self, phase: Phase, terms: Terms, step: int) -> dict[str, float]:
        """Make the update if its terms and gradients are valid; return the finite terms."""
        values = self._values(terms)
        length = values.pop(_GRADIENT)
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            why = f"loss term {wrong[0]} is {values[wrong[0]]}"
        elif not length <= self._longest(phase):
            why = f"the gradient's length is {length:.2g}"
        else:
            self.optimisers[phase].step()
            return values
        self.untaken.append(Untaken(step, phase, why))
        return {name: value for name, value in values.items() if name not in wrong}

    def _longest(self, phase: Phase) -> float:
        weights = getattr(self.method, f"{phase}_weights")
        return LONGEST[phase] * sum(weights.values())

    def _values(self, terms: Terms) -> dict[str, float]:
        """Read the terms, after the gradients so that the device need not wait in between."""
        return dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
