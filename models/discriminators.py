"""Discriminators of MUNIT and UNIT (multi-scale), CycleGAN (PatchGAN) and BicycleGAN (multi-scale).

All return a list of maps, one per scale, finest first.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.blocks import ConvBlock, activation, has_bias, norm_layer
from models.convolutions import StridedConv
from models.losses import gan


def halve(x: Tensor) -> Tensor:
    """Apply 3x3 average pooling with stride 2; padding is excluded from the averages."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def gan_of_both(
    dis: nn.Module, first: Tensor, second: Tensor, *, real_first: bool, kind: str,
    batching: bool = True,
) -> Tensor:  # fmt: skip
    """Return the discriminator's loss: ``gan`` of two batches, one real and one fake.

    With ``batching`` both share one forward pass: the deepest maps are so small that loading the
    weights takes longer than the products. Batch norm would mix their statistics, so such networks
    take one batch after the other, in the original's order, on which running statistics depend.
    """
    if not batching or any(isinstance(layer, nn.BatchNorm2d) for layer in dis.modules()):
        return gan(dis(first), real_first, kind) + gan(dis(second), not real_first, kind)
    maps = [m.tensor_split((len(first),)) for m in dis(torch.cat((first, second)))]
    return gan([m for m, _ in maps], real_first, kind) + gan(
        [m for _, m in maps], not real_first, kind
    )


class MultiScaleDiscriminator(nn.Module):
    """``scales`` copies of a strided patch network, each on a picture of half the previous size.

    MUNIT appendix B.2; original: ``MsImageDis``. n_layers strided 4x4 convolutions of widths
    dim, 2 dim, 4 dim, ..., then a 1x1 convolution. UNIT's NIPS discriminator is one scale of
    3x3 convolutions with zero padding (``kernel=3``).
    """

    def __init__(
        self,
        channels: int,
        dim: int,
        n_layers: int,
        scales: int,
        *,
        norm: str = "none",
        activ: str = "lrelu",
        pad: str = "reflect",
        kernel: int = 4,
    ) -> None:
        super().__init__()
        self.n_layers = n_layers
        self.scales = nn.ModuleList()
        for _ in range(scales):
            widths = [dim * 2**i for i in range(n_layers)]
            style: dict[str, Any] = dict(activ=activ, pad=pad, conv=StridedConv)
            layers: list[nn.Module] = [ConvBlock(channels, dim, kernel, 2, 1, **style)]
            layers += [
                ConvBlock(a, b, kernel, 2, 1, norm=norm, **style)
                for a, b in itertools.pairwise(widths)
            ]
            layers.append(nn.Conv2d(widths[-1], 1, 1))
            self.scales.append(nn.Sequential(*layers))

    def forward(self, x: Tensor) -> list[Tensor]:  # (N, 3, H, W) -> [(N, 1, h, w), ...]
        outputs = []
        for i, network in enumerate(self.scales):
            x = halve(x) if i else x
            outputs.append(network(x))
        return outputs


def patch_network(
    channels: int, dim: int, n_layers: int, norm: str, *, bias: bool = True
) -> nn.Sequential:
    """Build a PatchGAN (Isola et al., 2017): 4x4 convolutions, n_layers of stride 2, two of stride
    1.

    Three layers see 70x70 patches. Layer numbers are those of the original ``Sequential``.
    ``bias``: whether the convolutions before a norm have a bias.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, dim, 4, 2, 1), activation("lrelu")]
    width = dim
    for n in range(1, n_layers + 1):
        wider = dim * min(2**n, 8)
        stride = 2 if n < n_layers else 1
        layers.append(nn.Conv2d(width, wider, 4, stride, 1, bias=bias))
        layers += [norm_layer(norm, wider), activation("lrelu")]
        width = wider
    layers.append(nn.Conv2d(width, 1, 4, 1, 1))
    return nn.Sequential(*layers)


class PatchDiscriminator(nn.Module):
    """CycleGAN's discriminator: one PatchGAN. Original: ``NLayerDiscriminator``."""

    def __init__(self, channels: int, dim: int, n_layers: int, norm: str) -> None:
        super().__init__()
        self.model = patch_network(channels, dim, n_layers, norm, bias=has_bias(norm))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.model(x)]


class MultiPatchDiscriminator(nn.Module):
    """BicycleGAN's discriminator: PatchGANs at scales that each halve picture size and width.

    Original: ``D_NLayersMulti``.
    """

    def __init__(self, channels: int, dim: int, n_layers: int, scales: int, norm: str) -> None:
        super().__init__()
        widths = [max(1, round(dim / 2**i)) for i in range(scales)]
        self.scales = nn.ModuleList(patch_network(channels, w, n_layers, norm) for w in widths)

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for i, network in enumerate(self.scales):
            x = halve(x) if i else x
            outputs.append(network(x))
        return outputs


class _Domain(nn.Module):
    """The lower layers of one domain, followed by upper layers shared by both domains."""

    def __init__(self, own: nn.Sequential, upper: nn.Sequential) -> None:
        super().__init__()
        self.own = own
        self._upper = (upper,)  # a tuple, so that the shared weights are not registered twice

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self._upper[0](self.own(x))]


def shared_discriminators(
    channels_a: int, channels_b: int, dim: int, n_layers: int, *, activ: str, pad: str
) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Build UNIT's discriminators for faces: one patch network per domain, which share their upper
    four layers and the classifier. Returns both networks and the shared part.

    Original: ``COCOSharedDis`` of the first release: a strided 7x7 convolution, then strided 3x3.
    """
    style: dict[str, Any] = dict(activ=activ, pad=pad, conv=StridedConv)
    widths = [dim * 2**i for i in range(n_layers)]

    def blocks(first: int, last: int) -> list[nn.Module]:
        return [
            ConvBlock(a, b, 3, 2, 1, **style) for a, b in itertools.pairwise(widths[first:last])
        ]

    own = max(1, n_layers - 4)
    upper = nn.Sequential(*blocks(own - 1, n_layers), nn.Conv2d(widths[-1], 1, 1))
    of_a, of_b = (
        nn.Sequential(ConvBlock(channels, dim, 7, 2, 3, **style), *blocks(0, own))
        for channels in (channels_a, channels_b)
    )
    return _Domain(of_a, upper), _Domain(of_b, upper), upper
