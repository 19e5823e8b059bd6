"""The interface between methods and the training loop.

A method is its networks and its objective. It knows no files, devices or clocks, calls no
``backward`` and draws no numbers: the loop passes pictures and noise, and the method returns loss
terms by name. Pictures are float tensors (N, C, H, W) in [-1, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor, nn

from models.blocks import number_dropouts
from models.choices import ALL
from models.errors import UserError
from models.init import initialise
from models.losses import GAN_KINDS, Terms, weighted_sum

Phase = Literal["discriminator", "generator"]
Direction = Literal["a2b", "b2a"]
DIRECTIONS: tuple[Direction, Direction] = ("a2b", "b2a")
Codes = tuple[Tensor, Tensor]  # of x_a and x_b
Noise = Mapping[str, Tensor]  # role -> (N, ...), one row per sample
SEED_LIMIT = 2**62


@dataclass(frozen=True)
class NoiseSpec:
    """One role of noise: per sample, normal noise of ``shape`` or one integer seed of dropout."""

    shape: tuple[int, ...]
    kind: Literal["normal", "seed"] = "normal"

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draw (n, *shape) float32 from N(0, 1), or (n,) int64; always on the CPU, so that every
        device gets the same numbers."""
        if self.kind == "seed":
            return torch.randint(SEED_LIMIT, (n,), generator=generator)
        return torch.randn((n, *self.shape), generator=generator)


DROPOUT = NoiseSpec((), "seed")
LR_POLICIES = ("constant", "step", "linear")
MAY_BE_ZERO = ("n_downsample", "n_style_downsample", "n_shared", "noise_dim", "pool")


@dataclass(frozen=True)
class MethodConfig:
    """Hyper-parameters of all methods. Fields are the keys of ``--set key=value``."""

    channels_a: int = 3
    channels_b: int = 3
    gan_loss: str = "lsgan"
    lr: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_decay: float = 0.0
    lr_policy: str = "constant"  # constant, step, linear
    lr_step: int = 100_000
    lr_gamma: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in MAY_BE_ZERO else 1
            if field.type == "int" and value < least:
                raise UserError(f"{field.name}={value} is not a legal value: use at least {least}")
        for name, value, known in (
            ("gan_loss", self.gan_loss, GAN_KINDS),
            ("lr_policy", self.lr_policy, LR_POLICIES),
        ):
            if value not in known:
                raise UserError(f"unknown {name} '{value}': use one of {', '.join(known)}")
        for name, value in (("beta1", self.beta1), ("beta2", self.beta2)):
            if not 0 <= value < 1:
                raise UserError(f"{name}={value} is not a legal value: use at least 0 and below 1")

    def unread(self) -> dict[str, str]:
        """Return the settings without effect in this configuration -> reason and remedy, as text.

        They are determined by settings that have an effect.
        """
        if self.lr_policy == "step":
            return {}
        return self.unread_with(
            f"lr_policy={self.lr_policy}", "lr_policy=step", "lr_step", "lr_gamma"
        )

    @staticmethod
    def unread_with(held: str, needed: str, *names: str) -> dict[str, str]:
        """Return ``unread``'s text for settings ``names`` that need ``needed`` instead of ``held``,
        both as ``key=value``."""
        return dict.fromkeys(names, f"with {held}: leave it out, or set {needed}")

    def lr_factor(self, step: int, total: int) -> float:
        """Return the factor of the learning rate in ``step`` (from 0) of ``total``.

        step: x lr_gamma every lr_step steps; the original calls its scheduler before the update,
        hence step + 1. linear: constant for the first half, then decreasing to zero (CycleGAN's
        100 + 100 epochs, BicycleGAN's 30 + 30); the originals' rule, per step instead of per epoch.
        """
        match self.lr_policy:
            case "constant":
                return 1.0
            case "step":
                return self.lr_gamma ** ((step + 1) // self.lr_step)
        half = total // 2
        return 1.0 - max(0, step + 1 - half) / (total - half + 1)


class Method(nn.Module, ABC):
    """Base of all methods; see the module's docstring."""

    order: ClassVar[tuple[Phase, Phase]]
    paired: ClassVar[bool] = False
    directions: ClassVar[tuple[Direction, ...]] = DIRECTIONS
    style_role: ClassVar[str] = ""  # the role of sampling noise that is a style code
    config: MethodConfig
    absent: frozenset[str] = frozenset()  # networks missing from an imported checkpoint
    fast: frozenset[str] = ALL  # optimisations in use (``choices``)
    monitor: bool = False  # also compute terms of weight zero, for the logs

    def finish(self, generator: Generator | None, rule: str, dis_rule: str) -> None:
        """Draw the weights and number the dropouts; called at the end of a constructor."""
        if generator is None:  # only shapes are needed, on the meta device
            return
        for networks, networks_rule in (
            (self.generators(), rule),
            (self.discriminators(), dis_rule),
        ):
            for network in networks:
                initialise(network, networks_rule, generator)
                number_dropouts(network)

    @abstractmethod
    def generators(self) -> list[nn.Module]:
        """Return the networks of the generator's optimiser, including encoders and decoders."""

    @abstractmethod
    def discriminators(self) -> list[nn.Module]:
        """Return the networks of the discriminator's optimiser."""

    @property
    @abstractmethod
    def generator_weights(self) -> dict[str, float]:
        """Weight of every generator term by name; zero drops the term and its cost."""

    @property
    @abstractmethod
    def discriminator_weights(self) -> dict[str, float]:
        """Weight of every discriminator term by name."""

    @abstractmethod
    def training_noise(self, phase: Phase, h: int, w: int) -> dict[str, NoiseSpec]:
        """Return the noise that ``phase`` needs, by role, for pictures of h x w."""

    def codes(self, x_a: Tensor, x_b: Tensor) -> Codes | None:
        """Return codes of a batch that both phases of a step can share; None if there are none."""
        return None

    @abstractmethod
    def generator_terms(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> tuple[Terms, dict[str, Tensor]]:
        """Return the terms of the generators' objective, and the translations used in them.

        ``codes``: the result of ``codes`` for this batch and these weights, to be reused.
        """

    @abstractmethod
    def discriminator_terms(self, x_a: Tensor, x_b: Tensor, fakes: Mapping[str, Tensor]) -> Terms:
        """Return the terms of the discriminators' objective; ``fakes`` carry no gradient."""

    def fakes(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> dict[str, Tensor]:
        """Return translations for discriminators that are updated first."""
        raise AssertionError(f"{type(self).__name__} updates its generators first")

    def pool_names(self) -> dict[str, int]:
        """Return the translations that pass through an ``ImagePool``: name -> size of the pool."""
        return {}

    @abstractmethod
    def sampling_noise(self, h: int, w: int) -> dict[str, NoiseSpec]:
        """Return the noise that ``translate`` takes, by role; empty for a deterministic method."""

    @abstractmethod
    def translate(self, x: Tensor, direction: Direction, noise: Noise | None = None) -> Tensor:
        """Translate x (N, C, H, W). ``noise`` None is the deterministic (mean) translation."""

    def translate_each(
        self, x: Tensor, which: Tensor, direction: Direction, noise: Noise | None = None
    ) -> Tensor:
        """Translate ``x[which]``, where ``which`` (M,) are indices into x; ``noise`` has M samples.

        Overridden by methods that can encode a picture once for all its translations.
        """
        return self.translate(x[which], direction, noise)

    def translate_guided(self, x: Tensor, direction: Direction, example: Tensor) -> Tensor:
        """Translate x in the style of ``example`` (N, C, H', W') of the other domain."""
        return self.translate(x, direction, {self.style_role: self.style_of(example, direction)})

    def style_of(self, example: Tensor, direction: Direction) -> Tensor:
        """Return the style code (N, S) of ``example`` (N, C, H, W) from the target domain."""
        raise UserError(
            f"{type(self).__name__} has no style encoder: an example picture can guide only "
            "munit and bicyclegan"
        )

    def draw_noise(self, n: int, h: int, w: int, generator: Generator) -> dict[str, Tensor]:
        """Draw noise for ``translate`` of n pictures of h x w, role by role."""
        return {role: s.draw(n, generator) for role, s in self.sampling_noise(h, w).items()}

    @abstractmethod
    def translates(self, length: int) -> bool:
        """Return whether a picture to translate may be ``length`` pixels high (or wide)."""

    @abstractmethod
    def fits(self, length: int) -> bool:
        """Return the same for training pictures, which discriminators and encoders see too."""

    def check_size(self, h: int, w: int, *, training: bool = True) -> None:
        """Raise UserError for an illegal picture size, naming the nearest legal one."""
        fits = self.fits if training else self.translates
        if fits(h) and fits(w):
            return
        name = type(self).__name__
        legal = [m for m in range(4, 4097) if fits(m)]
        if not legal:
            raise UserError(f"no size up to 4096 is legal for {name} with these settings: "
                            "use fewer layers")  # fmt: skip
        nearest = [min(legal, key=lambda m: (abs(m - s), -m)) for s in (h, w)]
        raise UserError(
            f"size {h}x{w} is illegal for {name} with these settings: "
            f"the nearest legal size is {nearest[0]}x{nearest[1]}"
        )

    def require(self, network: str) -> None:
        """Raise UserError if the weights of ``network`` were not imported."""
        if network in self.absent:
            raise UserError(
                f"this checkpoint was imported without the weights of {network}: convert it again "
                "with the original's other file beside it"
            )

    def in_one_pass(
        self, network: Callable[..., Tensor], first: Sequence[Tensor], second: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return ``network(*first)`` and ``network(*second)`` of equally large batches; with
        "batching" in one pass, because small batches use a processor poorly."""
        if "batching" not in self.fast:
            return network(*first), network(*second)
        joined = (torch.cat(pair) for pair in zip(first, second, strict=True))
        one, other = network(*joined).tensor_split(2)
        return one, other

    def wanted(self, weight: float) -> bool:
        """Return whether to compute a term of this weight."""
        return weight != 0 or self.monitor

    @property
    def judges(self) -> bool:
        """Whether any discriminator is trained; without GAN terms none is."""
        return any(self.discriminator_weights.values())

    def generator_loss(self, terms: Terms) -> Tensor:
        return weighted_sum(terms, self.generator_weights)

    def discriminator_loss(self, terms: Terms) -> Tensor:
        return weighted_sum(terms, self.discriminator_weights)


def chain_fits(
    length: int, n_layers: int, scales: int, *, pad: str, kernel: int = 4, norm: str = "none"
) -> bool:
    """Return whether ``n_layers`` convolutions of stride 2 and padding 1 fit at every scale."""
    # Instance norm of one pixel is undefined, as is batch norm for a batch of one picture.
    smallest = 1 if norm in ("none", "ln") or n_layers == 1 else 2
    for _ in range(scales):
        size = length
        for _ in range(n_layers):
            if pad == "reflect" and size < 2:
                return False
            size = (size + 2 - kernel) // 2 + 1
        if size < smallest:
            return False
        length = (length + 1) // 2
    return True
