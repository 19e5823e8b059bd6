"""MUNIT: multimodal unsupervised image-to-image translation (Huang et al., ECCV 2018).

Equation numbers are the paper's; the released code is ``MUNIT_Trainer`` of NVlabs/MUNIT. The
discriminators and other parts shared with UNIT are in ``munit_family``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.autoencoders import AdaINDecoder, ContentEncoder, StyleEncoder
from models.losses import Terms, l1
from models.method import Codes, Direction, Noise, NoiseSpec, Phase, chain_fits
from models.munit_family import MunitFamily, MunitFamilyConfig


@dataclass(frozen=True)
class MunitConfig(MunitFamilyConfig):
    """Defaults: the released configuration for edges2shoes at 256 px."""

    # weights of the objective (Eq. 5; lambda_x, lambda_c, lambda_s are 10, 1, 1)
    recon_c: float = 1.0
    recon_s: float = 1.0
    cycle: float = 0.0  # explicit style-augmented cycle consistency (appendix A)
    # networks
    style_dim: int = 8
    mlp_dim: int = 256
    n_style_downsample: int = 4


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


class Munit(MunitFamily):
    """Networks and objective of MUNIT; ablations set one weight to zero."""

    style_role = "style"
    config: MunitConfig

    def __init__(self, config: MunitConfig, generator: Generator | None) -> None:
        super().__init__()
        self.config = c = config
        self.gen_a = AutoEncoder(c.channels_a, c)
        self.gen_b = AutoEncoder(c.channels_b, c)
        self.add_discriminators()
        self.finish(generator, c.init, "gaussian")

    def generators(self) -> list[nn.Module]:
        return [self.gen_a, self.gen_b]

    @property
    def generator_weights(self) -> dict[str, float]:
        c = self.config
        weights = dict(
            gan=c.gan, recon_x=c.recon_x, recon_s=c.recon_s, recon_c=c.recon_c,
            cycle=c.cycle, perceptual=c.perceptual,
        )  # fmt: skip
        return {f"{name}_{d}": w for name, w in weights.items() for d in "ab"}

    def training_noise(self, phase: Phase, h: int, w: int) -> dict[str, NoiseSpec]:
        style = NoiseSpec((self.config.style_dim,))
        return {"s_a": style, "s_b": style}  # s ~ q(s) = N(0, I)

    def codes(self, x_a: Tensor, x_b: Tensor) -> Codes:
        return self.gen_a.content(x_a), self.gen_b.content(x_b)

    def generator_terms(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> tuple[Terms, dict[str, Tensor]]:
        c, a, b = self.config, self.gen_a, self.gen_b
        s_a, s_b = noise["s_a"], noise["s_b"]
        c_a, c_b = codes or self.codes(x_a, x_b)
        need_styles = self.wanted(c.recon_x) or self.wanted(c.cycle)
        own_a, own_b = (a.style(x_a), b.style(x_b)) if need_styles else (None, None)

        # Each decoder is asked for the reconstruction and the translation in one pass.
        if own_a is not None and own_b is not None and self.wanted(c.recon_x):
            x_aa, x_ba = self.in_one_pass(a.decoder, (c_a, own_a), (c_b, s_a))
            x_bb, x_ab = self.in_one_pass(b.decoder, (c_b, own_b), (c_a, s_b))
        else:
            x_ba, x_ab = a.decoder(c_b, s_a), b.decoder(c_a, s_b)

        terms: Terms = self.gan_terms(x_ba, x_ab)  # Eq. 4
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
        terms |= self.perceptual_terms(x_a, x_b, x_ba, x_ab)
        return terms, {"x_ba": x_ba, "x_ab": x_ab}

    @torch.no_grad()
    def fakes(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> dict[str, Tensor]:
        c_a, c_b = codes or self.codes(x_a, x_b)
        return {
            "x_ba": self.gen_a.decoder(c_b, noise["s_a"]),
            "x_ab": self.gen_b.decoder(c_a, noise["s_b"]),
        }

    def sampling_noise(self, h: int, w: int) -> dict[str, NoiseSpec]:
        return {"style": NoiseSpec((self.config.style_dim,))}

    def translate(self, x: Tensor, direction: Direction, noise: Noise | None = None) -> Tensor:
        source, target = self._ends(direction)
        style = x.new_zeros(len(x), self.config.style_dim) if noise is None else noise["style"]
        return target.decoder(source.content(x), style)

    def translate_each(
        self, x: Tensor, which: Tensor, direction: Direction, noise: Noise | None = None
    ) -> Tensor:
        if noise is None or "batching" not in self.fast:
            return super().translate_each(x, which, direction, noise)
        source, target = self._ends(direction)
        return target.decoder(source.content(x)[which], noise["style"])

    def style_of(self, example: Tensor, direction: Direction) -> Tensor:
        _, target = self._ends(direction)
        return target.style(example)

    def _ends(self, direction: Direction) -> tuple[AutoEncoder, AutoEncoder]:
        return (self.gen_a, self.gen_b) if direction == "a2b" else (self.gen_b, self.gen_a)

    def fits(self, length: int) -> bool:
        c = self.config
        return super().fits(length) and chain_fits(length, c.n_style_downsample, 1, pad=c.pad)
