"""MUNIT: multimodal unsupervised image-to-image translation (Huang et al., ECCV 2018).

Equation numbers are the paper's; the released code is ``MUNIT_Trainer`` of NVlabs/MUNIT.
Subscripts: a and b are the paper's domains 1 and 2; ``x_ab`` is x_a translated to b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.autoencoders import AdaINDecoder, ContentEncoder, StyleEncoder
from models.discriminators import MultiScaleDiscriminator
from models.losses import Terms, gan, l1, perceptual
from models.method import Direction, Method, MethodConfig, Noise, NoiseSpec, Phase, chain_fits


@dataclass(frozen=True)
class MunitConfig(MethodConfig):
    """Defaults: the released configuration for edges2shoes at 256 px."""

    # weights of the objective (Eq. 5; lambda_x, lambda_c, lambda_s are 10, 1, 1)
    gan: float = 1.0
    recon_x: float = 10.0
    recon_c: float = 1.0
    recon_s: float = 1.0
    cycle: float = 0.0  # explicit style-augmented cycle consistency (appendix A)
    perceptual: float = 0.0  # domain-invariant perceptual loss (section 5.1)
    perceptual_layer: str = "relu5_3"  # the release's; the paper's is relu4_3
    # networks
    dim: int = 64
    style_dim: int = 8
    mlp_dim: int = 256
    n_downsample: int = 2
    n_style_downsample: int = 4
    n_res: int = 4
    activ: str = "relu"
    pad: str = "reflect"
    dis_dim: int = 64
    dis_layers: int = 4
    dis_scales: int = 3
    dis_norm: str = "none"
    dis_activ: str = "lrelu"
    dis_pad: str = "reflect"
    init: str = "kaiming"
    weight_decay: float = 1e-4
    lr_policy: str = "step"

    def unread(self) -> dict[str, str]:
        return super().unread() | self.unread_of_both(self.gan, self.perceptual, self.dis_layers)


class AutoEncoder(nn.Module):
    """One domain's content encoder, style encoder and decoder (MUNIT Fig. 3)."""

    def __init__(self, channels: int, c: MunitConfig) -> None:
        super().__init__()
        style: dict[str, Any] = dict(activ=c.activ, pad=c.pad)
        self.content = ContentEncoder(channels, c.dim, c.n_downsample, c.n_res, **style)
        self.style = StyleEncoder(channels, c.dim, c.n_style_downsample, c.style_dim, **style)
        self.decoder = AdaINDecoder(
            self.content.dim, c.n_downsample, c.n_res, channels, c.style_dim, c.mlp_dim, **style
        )


class Munit(Method):
    """Networks and objective of MUNIT; the ablations are the same with one weight at zero."""

    order = ("discriminator", "generator")
    guided = True
    config: MunitConfig

    def __init__(self, config: MunitConfig, generator: Generator | None) -> None:
        super().__init__()
        self.config = c = config
        self.gen_a = AutoEncoder(c.channels_a, c)
        self.gen_b = AutoEncoder(c.channels_b, c)
        kinds: dict[str, Any] = dict(norm=c.dis_norm, activ=c.dis_activ, pad=c.dis_pad)
        shape = (c.dis_dim, c.dis_layers, c.dis_scales)
        self.dis_a = MultiScaleDiscriminator(c.channels_a, *shape, **kinds)
        self.dis_b = MultiScaleDiscriminator(c.channels_b, *shape, **kinds)
        self.features: nn.Module | None = None  # VGG-16, handed in where the loss is used
        self.finish(generator, c.init, "gaussian")

    def generators(self) -> list[nn.Module]:
        return [self.gen_a, self.gen_b]

    def discriminators(self) -> list[nn.Module]:
        return [self.dis_a, self.dis_b]

    @property
    def generator_weights(self) -> dict[str, float]:
        c = self.config
        weights = dict(
            gan=c.gan, recon_x=c.recon_x, recon_s=c.recon_s, recon_c=c.recon_c,
            cycle=c.cycle, perceptual=c.perceptual,
        )  # fmt: skip
        return {f"{name}_{d}": w for name, w in weights.items() for d in "ab"}

    @property
    def discriminator_weights(self) -> dict[str, float]:
        return {"dis_a": self.config.gan, "dis_b": self.config.gan}

    def training_noise(self, phase: Phase, h: int, w: int) -> dict[str, NoiseSpec]:
        style = NoiseSpec((self.config.style_dim,))
        return {"s_a": style, "s_b": style}  # s ~ q(s) = N(0, I)

    def generator_terms(
        self, x_a: Tensor, x_b: Tensor, noise: Noise
    ) -> tuple[Terms, dict[str, Tensor]]:
        c, a, b = self.config, self.gen_a, self.gen_b
        s_a, s_b = noise["s_a"], noise["s_b"]
        c_a, c_b = a.content(x_a), b.content(x_b)
        need_styles = self.wanted(c.recon_x) or self.wanted(c.cycle)
        own_a, own_b = (a.style(x_a), b.style(x_b)) if need_styles else (None, None)

        # Each decoder is asked for the reconstruction and the translation in one pass.
        if own_a is not None and own_b is not None and self.wanted(c.recon_x):
            x_aa, x_ba = a.decoder(torch.cat((c_a, c_b)), torch.cat((own_a, s_a))).tensor_split(2)
            x_bb, x_ab = b.decoder(torch.cat((c_b, c_a)), torch.cat((own_b, s_b))).tensor_split(2)
        else:
            x_ba, x_ab = a.decoder(c_b, s_a), b.decoder(c_a, s_b)

        terms: Terms = {}
        if self.wanted(c.gan):  # L_GAN, Eq. 4
            terms["gan_a"] = gan(self.dis_a(x_ba), True, c.gan_loss)
            terms["gan_b"] = gan(self.dis_b(x_ab), True, c.gan_loss)
        if self.wanted(c.recon_x):  # Eq. 1
            terms["recon_x_a"], terms["recon_x_b"] = l1(x_aa, x_a), l1(x_bb, x_b)
        if self.wanted(c.recon_c) or c.cycle:
            c_b_again, c_a_again = a.content(x_ba), b.content(x_ab)
        if self.wanted(c.recon_c):  # Eq. 2
            terms["recon_c_a"], terms["recon_c_b"] = l1(c_a_again, c_a), l1(c_b_again, c_b)
        if self.wanted(c.recon_s):  # Eq. 3
            terms["recon_s_a"] = l1(a.style(x_ba), s_a)
            terms["recon_s_b"] = l1(b.style(x_ab), s_b)
        if c.cycle:
            terms["cycle_a"] = l1(a.decoder(c_a_again, own_a), x_a)
            terms["cycle_b"] = l1(b.decoder(c_b_again, own_b), x_b)
        if c.perceptual:
            assert self.features is not None, "the perceptual loss needs VGG features"
            terms["perceptual_a"] = perceptual(self.features(x_ba), self.features(x_b))
            terms["perceptual_b"] = perceptual(self.features(x_ab), self.features(x_a))
        return terms, {"x_ba": x_ba, "x_ab": x_ab}

    @torch.no_grad()
    def fakes(self, x_a: Tensor, x_b: Tensor, noise: Noise) -> dict[str, Tensor]:
        a, b = self.gen_a, self.gen_b
        return {
            "x_ba": a.decoder(b.content(x_b), noise["s_a"]),
            "x_ab": b.decoder(a.content(x_a), noise["s_b"]),
        }

    def discriminator_terms(self, x_a: Tensor, x_b: Tensor, fakes: Mapping[str, Tensor]) -> Terms:
        kind = self.config.gan_loss
        return {
            "dis_a": gan(self.dis_a(fakes["x_ba"]), False, kind) + gan(self.dis_a(x_a), True, kind),
            "dis_b": gan(self.dis_b(fakes["x_ab"]), False, kind) + gan(self.dis_b(x_b), True, kind),
        }

    def sampling_noise(self, h: int, w: int) -> dict[str, NoiseSpec]:
        return {"style": NoiseSpec((self.config.style_dim,))}

    def translate(self, x: Tensor, direction: Direction, noise: Noise | None = None) -> Tensor:
        source, target = self._ends(direction)
        style = x.new_zeros(len(x), self.config.style_dim) if noise is None else noise["style"]
        return target.decoder(source.content(x), style)

    def translate_guided(self, x: Tensor, direction: Direction, example: Tensor) -> Tensor:
        source, target = self._ends(direction)
        return target.decoder(source.content(x), target.style(example))

    def _ends(self, direction: Direction) -> tuple[AutoEncoder, AutoEncoder]:
        return (self.gen_a, self.gen_b) if direction == "a2b" else (self.gen_b, self.gen_a)

    def fits(self, length: int) -> bool:
        c = self.config
        multiple = 2**c.n_downsample
        return (
            length % multiple == 0
            and length >= max(4, 2 * multiple)
            and chain_fits(length, c.n_style_downsample, 1, pad=c.pad)
            and chain_fits(length, c.dis_layers, c.dis_scales, pad=c.dis_pad, norm=c.dis_norm)
        )
