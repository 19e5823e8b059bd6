"""CycleGAN (Zhu et al., ICCV 2017) and CycleGAN* with noise, the MUNIT paper's baseline.

CycleGAN's generators are residual networks; the table's variant uses dropout in training and test.
CycleGAN* has U-Net generators with a noise vector appended to the input picture, because residual
generators ignored the noise. Original: ``CycleGANModel`` of pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Generator, Tensor, nn

from models.blocks import seed_dropouts
from models.discriminators import PatchDiscriminator, gan_of_both
from models.errors import UserError
from models.losses import Terms, gan, l1
from models.method import DROPOUT, Codes, Direction, Method, MethodConfig, Noise, NoiseSpec, Phase
from models.translators import ResnetGenerator, UNet


@dataclass(frozen=True)
class CycleganConfig(MethodConfig):
    """Defaults: the original's options at 256 px, with the MUNIT table's dropout."""

    generator: str = "resnet"  # resnet, or unet (then noise_dim numbers are appended)
    gan: float = 1.0
    cycle: float = 10.0
    cycle_b: float | None = None  # lambda_B; None: the same as ``cycle``
    identity: float = 0.5  # times the cycle weight of the same picture
    dim: int = 64
    n_blocks: int = 9
    depth: int = 8  # unet only
    noise_dim: int = 0  # unet only
    dropout: bool = True
    norm: str = "in"
    dis_dim: int = 64
    dis_layers: int = 3
    pool: int = 50
    init: str = "gaussian"
    lr: float = 2e-4
    lr_policy: str = "linear"

    def unread(self) -> dict[str, str]:
        unread = super().unread()
        if self.generator == "resnet":
            unread |= self.unread_with("generator=resnet", "generator=unet", "depth")
        elif self.generator == "unet":
            unread |= self.unread_with("generator=unet", "generator=resnet", "n_blocks")
        if not self.gan:
            unread |= self.unread_with("gan=0", "gan=1", "gan_loss", "pool")
        if not self.cycle and not self.cycle_b:  # it multiplies their weights
            unread |= self.unread_with("cycle=0", "cycle=10", "identity")
        return unread


NOISE_RECIPE: dict[str, object] = dict(generator="unet", noise_dim=8, identity=0.0)


class Cyclegan(Method):
    """Two generators and two discriminators; ``dis_b`` judges pictures of domain b."""

    order = ("generator", "discriminator")
    config: CycleganConfig

    def __init__(self, config: CycleganConfig, generator: Generator | None) -> None:
        super().__init__()
        self.config = c = config
        if c.generator not in ("resnet", "unet"):
            raise UserError(f"unknown generator '{c.generator}': use resnet or unet")
        if c.noise_dim and c.generator != "unet":
            raise UserError("noise_dim needs generator=unet: residual generators ignore noise")
        if c.identity and c.channels_a != c.channels_b:
            raise UserError(
                f"the identity term needs equal channels, not {c.channels_a} and {c.channels_b}: "
                "set identity=0"
            )
        self.gen_ab = self._generator(c.channels_a, c.channels_b)
        self.gen_ba = self._generator(c.channels_b, c.channels_a)
        self.dis_a = PatchDiscriminator(c.channels_a, c.dis_dim, c.dis_layers, c.norm)
        self.dis_b = PatchDiscriminator(c.channels_b, c.dis_dim, c.dis_layers, c.norm)
        self.finish(generator, c.init, c.init)

    def _generator(self, c_in: int, c_out: int) -> nn.Module:
        c = self.config
        if c.generator == "resnet":
            return ResnetGenerator(c_in, c_out, c.dim, c.n_blocks, c.norm, c.dropout)
        return UNet(
            c_in, c_out, c.noise_dim, c.dim, c.depth,
            where="input", norm=c.norm, activ="relu", dropout=c.dropout, cyclegan=True,
        )  # fmt: skip

    def generators(self) -> list[nn.Module]:
        return [self.gen_ab, self.gen_ba]

    def discriminators(self) -> list[nn.Module]:
        return [self.dis_a, self.dis_b]

    @property
    def generator_weights(self) -> dict[str, float]:
        c = self.config
        cycle_b = c.cycle if c.cycle_b is None else c.cycle_b
        return dict(
            gan_a=c.gan, gan_b=c.gan, cycle_a=c.cycle, cycle_b=cycle_b,
            identity_a=c.identity * c.cycle, identity_b=c.identity * cycle_b,
        )  # fmt: skip

    @property
    def discriminator_weights(self) -> dict[str, float]:
        half = 0.5 if self.config.gan else 0.0  # the original halves this loss
        return {"dis_a": half, "dis_b": half}

    def training_noise(self, phase: Phase, h: int, w: int) -> dict[str, NoiseSpec]:
        if phase == "discriminator":
            return {}
        c, roles = self.config, {}
        if c.noise_dim:
            # ab and ba: the translations; aba and bab: the way back.
            roles = {f"z_{path}": NoiseSpec((c.noise_dim,)) for path in ("ab", "ba", "aba", "bab")}
        return roles | ({"dropout": DROPOUT} if c.dropout else {})

    def _run(self, x: Tensor, direction: Direction, noise: Noise, role: str, call: int) -> Tensor:
        self.require("gen_ab" if direction == "a2b" else "gen_ba")
        network = self.gen_ab if direction == "a2b" else self.gen_ba
        seeds = noise.get("dropout")
        seed_dropouts(network, None if seeds is None else seeds + 1_000_003 * call)
        if self.config.generator == "resnet":
            return network(x)
        return network(x, noise[role] if role in noise else self._zeros(x))

    def _zeros(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), self.config.noise_dim)

    def generator_terms(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> tuple[Terms, dict[str, Tensor]]:
        c = self.config
        cycle = self.wanted(c.cycle) or self.wanted(c.cycle if c.cycle_b is None else c.cycle_b)
        terms: Terms = {}
        # First the cycle of a, as in the original: batch norm's statistics depend on the order.
        x_ab = self._run(x_a, "a2b", noise, "z_ab", 1)
        if cycle:
            terms["cycle_a"] = l1(self._run(x_ab, "b2a", noise, "z_aba", 3), x_a)
        x_ba = self._run(x_b, "b2a", noise, "z_ba", 2)
        if cycle:
            terms["cycle_b"] = l1(self._run(x_ba, "a2b", noise, "z_bab", 4), x_b)
        if self.wanted(c.gan):
            terms["gan_a"] = gan(self.dis_a(x_ba), True, c.gan_loss)
            terms["gan_b"] = gan(self.dis_b(x_ab), True, c.gan_loss)
        if c.identity and cycle:
            # A picture that is already in the target domain should not change.
            terms["identity_a"] = l1(self._run(x_a, "b2a", noise, "", 5), x_a)
            terms["identity_b"] = l1(self._run(x_b, "a2b", noise, "", 6), x_b)
        return terms, {"x_ab": x_ab, "x_ba": x_ba}

    def pool_names(self) -> dict[str, int]:
        return {"x_ab": self.config.pool, "x_ba": self.config.pool} if self.config.pool else {}

    def discriminator_terms(self, x_a: Tensor, x_b: Tensor, fakes: Mapping[str, Tensor]) -> Terms:
        how: dict[str, Any] = dict(real_first=True, kind=self.config.gan_loss)
        how["batching"] = "batching" in self.fast
        return {
            "dis_a": gan_of_both(self.dis_a, x_a, fakes["x_ba"], **how),
            "dis_b": gan_of_both(self.dis_b, x_b, fakes["x_ab"], **how),
        }

    def sampling_noise(self, h: int, w: int) -> dict[str, NoiseSpec]:
        c = self.config
        noise = {"z": NoiseSpec((c.noise_dim,))} if c.noise_dim else {}
        return noise | ({"dropout": DROPOUT} if c.dropout else {})

    def translate(self, x: Tensor, direction: Direction, noise: Noise | None = None) -> Tensor:
        return self._run(x, direction, noise or {}, "z", 1)

    def translates(self, length: int) -> bool:
        multiple = 4 if self.config.generator == "resnet" else 2**self.config.depth
        return length % multiple == 0 and length >= 8

    def fits(self, length: int) -> bool:
        # A discriminator ends in two 4x4 convolutions of stride 1.
        return self.translates(length) and length // 2**self.config.dis_layers - 2 >= 1
