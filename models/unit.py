"""UNIT: unsupervised image-to-image translation networks (Liu, Breuel, Kautz, NIPS 2017).

There are two published recipes. ``release``, shipped with MUNIT (``UNIT_Trainer``), shares no
weights between domains. ``nips``, the paper's and its first release's (``COCOResGen2``), shares the
last encoder block and the first generator block (section 3: G* = G_L o G_H). The first release has
two variants: dogs and cats with instance norm and ReLU in the strided layers (``nips-animals``;
``COCOResGen``), and faces with a discriminator whose upper four layers both domains share
(``nips-faces``; ``COCOSharedDis``). Equations are the paper's. The KL terms use the codes' means,
as in the equations; the first release used the noisy codes, which has the same expectation up to a
constant. The discriminators and other parts shared with MUNIT are in ``munit_family``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.autoencoders import ContentEncoder, Decoder, nips_back, nips_blocks, nips_front
from models.blocks import seed_dropouts
from models.discriminators import shared_discriminators
from models.errors import UserError
from models.losses import Terms, kl_unit, l1
from models.method import DROPOUT, Codes, Direction, Noise, NoiseSpec, Phase
from models.munit_family import MunitFamily, MunitFamilyConfig


@dataclass(frozen=True)
class UnitConfig(MunitFamilyConfig):
    """Defaults: the recipe ``release``, as shipped with MUNIT, at 256 px."""

    recipe: str = "release"
    # weights: lambda_1, lambda_4, lambda_3 of the paper's Eq. 2
    kl: float = 0.01
    cycle: float = 10.0
    cycle_kl: float = 0.01
    # networks
    n_shared: int = 1  # nips only: shared blocks in each half
    dropout: float = 0.0  # nips only: in every residual block

    def unread(self) -> dict[str, str]:
        unread = super().unread()
        if self.recipe == "release":  # dropout is read there, and refused
            unread |= self.unread_with("recipe=release", "recipe=nips", "n_shared")
        elif self.recipe in NIPS:
            held = f"recipe={self.recipe}"
            unread |= self.unread_with(held, "recipe=release", "activ", "pad")
            if self.recipe == "nips-faces":
                unread |= self.unread_with(held, "recipe=nips", "dis_norm", "dis_scales")
        return unread


NIPS = ("nips", "nips-animals", "nips-faces")


NIPS_RECIPE: dict[str, object] = dict(
    recipe="nips", gan_loss="cross-entropy", gan=10.0, recon_x=100.0, kl=0.1, cycle=100.0,
    cycle_kl=0.1, n_res=3, dis_layers=6, dis_scales=1, dis_activ="lrelu0.01", dis_pad="zero",
    init="gaussian", lr_policy="constant",
)  # fmt: skip


class Unit(MunitFamily):
    """Networks and objective of UNIT in either recipe."""

    config: UnitConfig

    def __init__(self, config: UnitConfig, generator: Generator | None) -> None:
        super().__init__()
        self.config = c = config
        if c.recipe == "release":
            self.halves_release(c)
        elif c.recipe in NIPS:
            self.halves_nips(c)
        else:
            known = ", ".join(NIPS)
            raise UserError(f"unknown UNIT recipe '{c.recipe}': use release, {known}")
        if c.recipe in NIPS and (c.activ, c.pad) != ("relu", "reflect"):
            raise UserError("UNIT's nips recipe has activations and padding of its own: leave "
                            "activ and pad, or set recipe=release")  # fmt: skip
        if c.dropout and c.recipe not in NIPS:
            raise UserError("UNIT's release has no dropout: set recipe=nips or dropout=0")
        if c.recipe in NIPS:
            self.dis_kernel = 3
        self.add_discriminators()
        self.finish(generator, c.init, "gaussian")

    def halves_release(self, c: UnitConfig) -> None:
        """Build content encoders and decoders like MUNIT's, without AdaIN or shared weights."""
        kinds: dict[str, Any] = dict(activ=c.activ, pad=c.pad)
        shape = (c.dim, c.n_downsample, c.n_res)
        self.enc_a = ContentEncoder(c.channels_a, *shape, **kinds)
        self.enc_b = ContentEncoder(c.channels_b, *shape, **kinds)
        self.latent_dim = self.enc_a.dim
        back = (self.latent_dim, c.n_downsample, c.n_res)
        self.dec_a = Decoder(*back, c.channels_a, **kinds)
        self.dec_b = Decoder(*back, c.channels_b, **kinds)
        self.shared_enc: nn.Module = nn.Identity()
        self.shared_dec: nn.Module = nn.Identity()

    def halves_nips(self, c: UnitConfig) -> None:
        """Build the networks of UNIT table 5; ``shared_enc`` is E_H, ``shared_dec`` is G_H."""
        front, norm = c.n_downsample + 1, c.recipe == "nips-animals"
        self.latent_dim = dim = c.dim * 2**c.n_downsample

        def encoder(channels: int) -> nn.Module:
            return nn.Sequential(
                nips_front(channels, c.dim, front, norm=norm), nips_blocks(dim, c.n_res, c.dropout)
            )

        def decoder(channels: int) -> nn.Module:
            return nn.Sequential(
                nips_blocks(dim, c.n_res, c.dropout), nips_back(dim, channels, front, norm=norm)
            )

        self.enc_a, self.enc_b = encoder(c.channels_a), encoder(c.channels_b)  # type: ignore[assignment]
        self.shared_enc = nips_blocks(dim, c.n_shared, c.dropout)
        self.shared_dec = nips_blocks(dim, c.n_shared, c.dropout)
        self.dec_a, self.dec_b = decoder(c.channels_a), decoder(c.channels_b)  # type: ignore[assignment]

    def add_discriminators(self) -> None:
        c = self.config
        if c.recipe != "nips-faces":
            super().add_discriminators()
            return
        self.dis_a, self.dis_b, self.dis_shared = shared_discriminators(  # type: ignore[assignment]
            c.channels_a, c.channels_b, c.dis_dim, c.dis_layers, activ=c.dis_activ, pad=c.dis_pad
        )
        self.features = None

    def discriminators(self) -> list[nn.Module]:
        own = super().discriminators()
        return [*own, self.dis_shared] if self.config.recipe == "nips-faces" else own

    def generators(self) -> list[nn.Module]:
        return [self.enc_a, self.enc_b, self.shared_enc, self.shared_dec, self.dec_a, self.dec_b]

    @property
    def generator_weights(self) -> dict[str, float]:
        c = self.config
        weights = dict(
            gan=c.gan, recon_x=c.recon_x, kl=c.kl, cycle=c.cycle, cycle_kl=c.cycle_kl,
            perceptual=c.perceptual,
        )  # fmt: skip
        return {f"{name}_{d}": w for name, w in weights.items() for d in "ab"}

    def training_noise(self, phase: Phase, h: int, w: int) -> dict[str, NoiseSpec]:
        latent = self._latent(h, w)
        roles = ["n_a", "n_b"]
        if phase == "generator":
            roles += ["n_a_recon", "n_b_recon"]
        return {role: latent for role in roles} | self._dropout_role()

    def _latent(self, h: int, w: int) -> NoiseSpec:
        scale = 2**self.config.n_downsample
        return NoiseSpec((self.latent_dim, h // scale, w // scale))

    def _dropout_role(self) -> dict[str, NoiseSpec]:
        return {"dropout": DROPOUT} if self.config.dropout else {}

    def encode(self, x: Tensor, domain: str, seeds: Tensor | None = None) -> Tensor:
        """Return E_mu(x) (N, C, H/4, W/4), the mean of q(z|x) = N(E_mu(x), I)."""
        own = self.enc_a if domain == "a" else self.enc_b
        self._seed((own, self.shared_enc), seeds)
        return self.shared_enc(own(x))

    def decode(self, z: Tensor, domain: str, seeds: Tensor | None = None) -> Tensor:
        """Return G(z) in ``domain``."""
        own = self.dec_a if domain == "a" else self.dec_b
        self._seed((own, self.shared_dec), seeds)
        return own(self.shared_dec(z))

    def _seed(self, networks: tuple[nn.Module, nn.Module], seeds: Tensor | None) -> None:
        if self.config.dropout:
            for i, network in enumerate(networks):
                seed_dropouts(network, None if seeds is None else seeds + 7919 * i)

    def codes(self, x_a: Tensor, x_b: Tensor) -> Codes | None:
        # Each phase has its own dropout masks.
        return None if self.config.dropout else self._encode_both(x_a, x_b, _Calls(None))

    def _encode_both(self, x_a: Tensor, x_b: Tensor, seed: _Calls) -> Codes:
        return self.encode(x_a, "a", seed.next()), self.encode(x_b, "b", seed.next())

    def generator_terms(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> tuple[Terms, dict[str, Tensor]]:
        c = self.config
        seed = _Calls(noise.get("dropout"))
        h_a, h_b = codes or self._encode_both(x_a, x_b, seed)
        z_a, z_b = h_a + noise["n_a"], h_b + noise["n_b"]  # z = E_mu(x) + eta
        # Each decoder takes the codes of both domains: reconstruction and translation in one pass.
        x_aa, x_ba = self._decode_both(z_a, z_b, "a", seed)
        x_ab, x_bb = self._decode_both(z_a, z_b, "b", seed)
        terms: Terms = self.gan_terms(x_ba, x_ab)  # Eq. 5 and 6
        if self.wanted(c.recon_x):  # likelihood of Eq. 3 and 4, a Laplacian: L1
            terms["recon_x_a"], terms["recon_x_b"] = l1(x_aa, x_a), l1(x_bb, x_b)
        if self.wanted(c.kl):
            terms["kl_a"], terms["kl_b"] = kl_unit(h_a), kl_unit(h_b)
        if self.wanted(c.cycle) or self.wanted(c.cycle_kl):  # Eq. 8 and 9
            h_a_again = self.encode(x_ab, "b", seed.next())
            h_b_again = self.encode(x_ba, "a", seed.next())
        if self.wanted(c.cycle):
            x_aba = self.decode(h_a_again + noise["n_a_recon"], "a", seed.next())
            x_bab = self.decode(h_b_again + noise["n_b_recon"], "b", seed.next())
            terms["cycle_a"], terms["cycle_b"] = l1(x_aba, x_a), l1(x_bab, x_b)
        if self.wanted(c.cycle_kl):
            terms["cycle_kl_a"], terms["cycle_kl_b"] = kl_unit(h_a_again), kl_unit(h_b_again)
        terms |= self.perceptual_terms(x_a, x_b, x_ba, x_ab)
        return terms, {"x_ba": x_ba, "x_ab": x_ab}

    def _decode_both(
        self, z_a: Tensor, z_b: Tensor, domain: str, seed: _Calls
    ) -> tuple[Tensor, Tensor]:
        if "batching" in self.fast:
            one, other = self.decode(torch.cat((z_a, z_b)), domain, seed.next(2)).tensor_split(2)
            return one, other
        return self.decode(z_a, domain, seed.next()), self.decode(z_b, domain, seed.next())

    @torch.no_grad()
    def fakes(
        self, x_a: Tensor, x_b: Tensor, noise: Noise, codes: Codes | None = None
    ) -> dict[str, Tensor]:
        seed = _Calls(noise.get("dropout"))
        h_a, h_b = codes or self._encode_both(x_a, x_b, seed)
        z_a, z_b = h_a + noise["n_a"], h_b + noise["n_b"]
        return {
            "x_ba": self.decode(z_b, "a", seed.next()),
            "x_ab": self.decode(z_a, "b", seed.next()),
        }

    def sampling_noise(self, h: int, w: int) -> dict[str, NoiseSpec]:
        return {"latent": self._latent(h, w)} | self._dropout_role()

    def translate(self, x: Tensor, direction: Direction, noise: Noise | None = None) -> Tensor:
        source, target = direction[0], direction[2]
        seed = _Calls(noise.get("dropout") if noise else None)
        z = self.encode(x, source, seed.next())
        return self.decode(z + noise["latent"] if noise else z, target, seed.next())


class _Calls:
    """Different dropout seeds for every pass through a network within a step."""

    def __init__(self, seeds: Tensor | None) -> None:
        self.seeds, self.calls = seeds, 0

    def next(self, copies: int = 1) -> Tensor | None:
        """Return the seeds of the next pass; ``copies``: number of batches concatenated in it."""
        if self.seeds is None:
            return None
        parts = [self.seeds + 1_000_003 * (self.calls + i + 1) for i in range(copies)]
        self.calls += copies
        return torch.cat(parts)
