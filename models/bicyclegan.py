"""BicycleGAN: toward multimodal image-to-image translation (Zhu et al., NIPS 2017). Needs pairs.

Original: ``BiCycleGANModel`` of junyanz/BicycleGAN. Domain a is the input, b the output; it
translates in this direction only. The first half of each batch is encoded (cVAE-GAN); the second
half provides the real pictures of the second discriminator (cLR-GAN).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from models.blocks import seed_dropouts
from models.discriminators import MultiPatchDiscriminator
from models.errors import UserError
from models.losses import Terms, gan, kl_gaussian, l1
from models.method import DROPOUT, Codes, Direction, Method, MethodConfig, Noise, NoiseSpec, Phase
from models.translators import LatentEncoder, UNet


@dataclass(frozen=True)
class BicycleganConfig(MethodConfig):
    """Defaults: the original's options at 256 px."""

    gan: float = 1.0  # discriminator of encoded translations
    gan2: float = 1.0  # discriminator of random translations
    l1: float = 10.0
    latent: float = 0.5  # |E(G(A, z)) - z|
    kl: float = 0.01
    dim: int = 64
    depth: int = 8
    noise_dim: int = 8
    where: str = "all"  # where z enters the U-Net: input or all
    upsample: str = "basic"  # basic or bilinear
    activ: str = "relu"
    norm: str = "in"
    dropout: bool = False
    enc_kind: str = "resnet"
    enc_dim: int = 64
    enc_blocks: int = 5
    dis_dim: int = 64
    dis_layers: int = 3
    dis_scales: int = 2
    same_discriminator: bool = False
    conditional: bool = False  # discriminators also see the input
    init: str = "xavier"
    lr: float = 2e-4
    lr_policy: str = "linear"

    def unread(self) -> dict[str, str]:
        unread = super().unread()
        if not self.gan and not self.gan2:
            names = ("gan_loss", "same_discriminator")
            unread |= self.unread_with("gan=0 and gan2=0", "gan=1", *names)
        if self.enc_blocks == 1:  # only the first convolution, which both kinds have
            unread |= self.unread_with("enc_blocks=1", "enc_blocks=2", "enc_kind")
        return unread


class Bicyclegan(Method):
    """U-Net with a latent, an encoder of that latent, two discriminators."""

    order = ("generator", "discriminator")
    paired = True
    directions = ("a2b",)
    style_role = "z"
    config: BicycleganConfig

    def __init__(self, config: BicycleganConfig, generator: Generator | None) -> None:
        super().__init__()
        self.config = c = config
        if c.where not in ("input", "all"):
            raise UserError(f"unknown where '{c.where}': z enters at input or all")
        if c.enc_kind not in ("resnet", "conv"):
            raise UserError(f"unknown enc_kind '{c.enc_kind}': use resnet or conv")
        if c.upsample not in ("basic", "bilinear"):
            raise UserError(f"unknown upsample '{c.upsample}': use basic or bilinear")
        if not c.noise_dim:
            raise UserError(
                "noise_dim=0 is not a legal value: bicyclegan's latent needs at least 1"
            )
        self.gen = UNet(
            c.channels_a, c.channels_b, c.noise_dim, c.dim, c.depth,
            where=c.where, norm=c.norm, activ=c.activ, dropout=c.dropout, upsample=c.upsample,
        )  # fmt: skip
        self.encoder = LatentEncoder(
            c.channels_b, c.noise_dim, c.enc_dim, c.enc_blocks, c.norm, c.enc_kind
        )
        channels = c.channels_b + (c.channels_a if c.conditional else 0)
        shape = (channels, c.dis_dim, c.dis_layers, c.dis_scales, c.norm)
        self.dis = MultiPatchDiscriminator(*shape)
        own = c.gan2 != 0 and not c.same_discriminator
        self.dis2 = MultiPatchDiscriminator(*shape) if own else None
        self.finish(generator, c.init, c.init)

    def generators(self) -> list[nn.Module]:
        return [self.gen, self.encoder]

    def discriminators(self) -> list[nn.Module]:
        return [self.dis] if self.dis2 is None else [self.dis, self.dis2]

    @property
    def generator_weights(self) -> dict[str, float]:
        c = self.config
        return dict(gan=c.gan, gan2=c.gan2, l1=c.l1, latent=c.latent, kl=c.kl)

    @property
    def discriminator_weights(self) -> dict[str, float]:
        c = self.config
        if c.same_discriminator:  # sees encoded and random translations, whatever their weights
            both = float(c.gan != 0 or c.gan2 != 0)
            return {"dis": both, "dis2": both}
        return {"dis": float(c.gan != 0), "dis2": float(c.gan2 != 0)}

    def training_noise(self, phase: Phase, h: int, w: int) -> dict[str, NoiseSpec]:
        if phase == "discriminator":
            return {}
        z = NoiseSpec((self.config.noise_dim,))
        dropout = {"dropout": DROPOUT} if self.config.dropout else {}
        return {"eps": z, "z_random": z} | dropout

    def _generate(self, x: Tensor, z: Tensor, noise: Noise, call: int) -> Tensor:
        seeds = noise.get("dropout")
        seed_dropouts(self.gen, None if seeds is None else seeds[: len(x)] + 1_000_003 * call)
        return self.gen(x, z)

    def _gan(self, dis: MultiPatchDiscriminator, shown: Tensor, real: bool) -> Tensor:
        """Return the GAN loss of ``dis``. The original sums over a list of maps; a single-scale
        discriminator passes the batch as that list, so its loss is a sum over pictures."""
        maps = dis(shown)
        return gan(list(maps[0].split(1)) if len(maps) == 1 else maps, real, self.config.gan_loss)

    def shown(self, x_a: Tensor, x_b: Tensor) -> Tensor:
        """Return the discriminator's input for a pair."""
        return torch.cat((x_a, x_b), dim=1) if self.config.conditional else x_b

    def generator_terms(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> tuple[Terms, dict[str, Tensor]]:
        c, half = self.config, len(x_a) // 2
        if 2 * half != len(x_a) or not half:
            raise UserError(
                f"bicyclegan encodes one half of a batch and keeps the other: batch {len(x_a)} "
                f"must be even; use {max(2, len(x_a) + 1)}"
            )
        a, b = x_a[:half], x_b[:half]
        mu, logvar = self.encoder(b)
        z_encoded = mu + (0.5 * logvar).exp() * noise["eps"][:half]
        z_random = noise["z_random"][:half]
        fake_encoded = self._generate(a, z_encoded, noise, 1)
        fake_random = self._generate(a, z_random, noise, 2)
        shown_encoded, shown_random = self.shown(a, fake_encoded), self.shown(a, fake_random)
        terms: Terms = {}
        if self.wanted(c.gan):
            terms["gan"] = self._gan(self.dis, shown_encoded, True)
        if c.gan2:
            terms["gan2"] = self._gan(self.dis2 or self.dis, shown_random, True)
        if self.wanted(c.l1):
            terms["l1"] = l1(fake_encoded, b)
        if self.wanted(c.kl):
            terms["kl"] = kl_gaussian(mu, logvar)
        if self.wanted(c.latent):
            with frozen(self.encoder):  # this term trains only the generator
                terms["latent"] = l1(self.encoder(fake_random)[0], z_random)
        return terms, {"encoded": shown_encoded, "random": shown_random}

    def discriminator_terms(self, x_a: Tensor, x_b: Tensor, fakes: Mapping[str, Tensor]) -> Terms:
        half, terms, weights = len(x_a) // 2, Terms(), self.discriminator_weights
        if self.wanted(weights["dis"]):
            real = self.shown(x_a[:half], x_b[:half])
            fake = self._gan(self.dis, fakes["encoded"], False)
            terms["dis"] = fake + self._gan(self.dis, real, True)
        if weights["dis2"]:
            dis2, real = self.dis2 or self.dis, self.shown(x_a[half:], x_b[half:])
            fake = self._gan(dis2, fakes["random"], False)
            terms["dis2"] = fake + self._gan(dis2, real, True)
        return terms

    def sampling_noise(self, h: int, w: int) -> dict[str, NoiseSpec]:
        dropout = {"dropout": DROPOUT} if self.config.dropout else {}
        return {"z": NoiseSpec((self.config.noise_dim,))} | dropout

    def translate(self, x: Tensor, direction: Direction, noise: Noise | None = None) -> Tensor:
        self._only(direction)
        z = noise["z"] if noise else x.new_zeros(len(x), self.config.noise_dim)
        return self._generate(x, z, noise or {}, 2)

    def style_of(self, example: Tensor, direction: Direction) -> Tensor:
        """Return the mean of the encoder's posterior."""
        self._only(direction)
        self.require("encoder")
        return self.encoder(example)[0]

    def _only(self, direction: Direction) -> None:
        if direction != "a2b":
            raise UserError("bicyclegan translates a2b only; train it with the domains swapped")

    def translates(self, length: int) -> bool:
        return length % 2**self.config.depth == 0

    def fits(self, length: int) -> bool:
        c = self.config
        smallest = length
        for _ in range(c.dis_scales - 1):
            smallest = (smallest + 1) // 2
        # Instance norm of one pixel is undefined; the residual encoder pools after its norms.
        last = 2 if c.enc_kind == "conv" and c.norm != "none" and c.enc_blocks > 1 else 1
        return (
            self.translates(length)
            and length >= last * 2**c.enc_blocks
            and smallest // 2**c.dis_layers - 2 >= 1
        )


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through ``network`` without reaching its weights."""
    weights = [p for p in network.parameters() if p.requires_grad]
    for p in weights:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in weights:
            p.requires_grad_(True)
