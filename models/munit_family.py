"""The common part of MUNIT and UNIT: ``MUNIT_Trainer`` and ``UNIT_Trainer`` of NVlabs/MUNIT have
the same multi-scale discriminators (one per domain), perceptual loss and options.

Subscripts: a and b are the papers' domains 1 and 2; ``x_ab`` is x_a translated to b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from models.discriminators import MultiScaleDiscriminator, gan_of_both
from models.losses import Terms, gan, perceptual
from models.method import Method, MethodConfig, chain_fits


@dataclass(frozen=True)
class MunitFamilyConfig(MethodConfig):
    """Defaults: the released configurations for edges2shoes at 256 px."""

    # weights (MUNIT Eq. 5; UNIT Eq. 2, where these are lambda_0 and lambda_2)
    gan: float = 1.0
    recon_x: float = 10.0
    perceptual: float = 0.0  # domain-invariant perceptual loss (MUNIT section 5.1)
    perceptual_layer: str = "relu5_3"  # the release's; MUNIT's paper has relu4_3
    # networks
    dim: int = 64
    n_downsample: int = 2
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
        unread = super().unread()
        if not self.gan:
            unread |= self.unread_with("gan=0", "gan=1", "gan_loss")
        if not self.perceptual:
            unread |= self.unread_with("perceptual=0", "perceptual=1", "perceptual_layer")
        if self.dis_layers == 1:  # the first layer has no norm
            unread |= self.unread_with("dis_layers=1", "dis_layers=2", "dis_norm")
        return unread


class MunitFamily(Method):
    """Base of ``Munit`` and ``Unit``: discriminators first, one for each domain."""

    order = ("discriminator", "generator")
    config: MunitFamilyConfig
    dis_kernel = 4  # of the discriminators' strided convolutions

    def add_discriminators(self) -> None:
        """Build the discriminators; called in a constructor after the generators' networks."""
        c = self.config
        kinds: dict[str, Any] = dict(
            norm=c.dis_norm, activ=c.dis_activ, pad=c.dis_pad, kernel=self.dis_kernel
        )
        shape = (c.dis_dim, c.dis_layers, c.dis_scales)
        self.dis_a = MultiScaleDiscriminator(c.channels_a, *shape, **kinds)
        self.dis_b = MultiScaleDiscriminator(c.channels_b, *shape, **kinds)
        self.features: nn.Module | None = None  # VGG-16, set if the perceptual loss is used

    def discriminators(self) -> list[nn.Module]:
        return [self.dis_a, self.dis_b]

    @property
    def discriminator_weights(self) -> dict[str, float]:
        return {"dis_a": self.config.gan, "dis_b": self.config.gan}

    def gan_terms(self, x_ba: Tensor, x_ab: Tensor) -> Terms:
        """Return the adversarial terms of the translations (MUNIT Eq. 4; UNIT Eq. 5 and 6)."""
        kind = self.config.gan_loss
        if not self.wanted(self.config.gan):
            return {}
        return {
            "gan_a": gan(self.dis_a(x_ba), True, kind),
            "gan_b": gan(self.dis_b(x_ab), True, kind),
        }

    def perceptual_terms(self, x_a: Tensor, x_b: Tensor, x_ba: Tensor, x_ab: Tensor) -> Terms:
        """Return VGG-16's distances of translations to inputs (MUNIT section 5.1)."""
        if not self.config.perceptual:
            return {}
        assert self.features is not None, "the perceptual loss needs VGG features"
        return {
            "perceptual_a": perceptual(self.features(x_ba), self.features(x_b)),
            "perceptual_b": perceptual(self.features(x_ab), self.features(x_a)),
        }

    def discriminator_terms(self, x_a: Tensor, x_b: Tensor, fakes: Mapping[str, Tensor]) -> Terms:
        how: dict[str, Any] = dict(real_first=False, kind=self.config.gan_loss)
        how["batching"] = "batching" in self.fast
        return {
            "dis_a": gan_of_both(self.dis_a, fakes["x_ba"], x_a, **how),
            "dis_b": gan_of_both(self.dis_b, fakes["x_ab"], x_b, **how),
        }

    def translates(self, length: int) -> bool:
        multiple = 2**self.config.n_downsample
        return length % multiple == 0 and length >= max(4, 2 * multiple)

    def fits(self, length: int) -> bool:
        c = self.config
        kinds: dict[str, Any] = dict(pad=c.dis_pad, norm=c.dis_norm, kernel=self.dis_kernel)
        return self.translates(length) and chain_fits(length, c.dis_layers, c.dis_scales, **kinds)
