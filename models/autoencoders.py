"""Encoders and decoders of MUNIT and UNIT (MUNIT section 5.1 and appendix B; UNIT table 5)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from models.blocks import (
    AdaINResBlock,
    ConvBlock,
    CountedDropout,
    InstanceNorm,
    ResBlock,
    activation,
)
from models.convolutions import NarrowConv, UpsampledConv


class ContentEncoder(nn.Module):
    """7x7 convolution, ``n_downsample`` strided 4x4, ``n_res`` residual blocks, instance norm.

    (N, 3, H, W) -> (N, dim * 2^n_downsample, H / 2^n_downsample, W / 2^n_downsample).
    """

    def __init__(
        self, channels: int, dim: int, n_downsample: int, n_res: int, *, activ: str, pad: str
    ) -> None:
        super().__init__()
        style: dict[str, Any] = dict(norm="in", activ=activ, pad=pad)
        layers: list[nn.Module] = [ConvBlock(channels, dim, 7, 1, 3, **style)]
        for _ in range(n_downsample):
            layers.append(ConvBlock(dim, 2 * dim, 4, 2, 1, **style))
            dim *= 2
        self.down = nn.Sequential(*layers)
        self.res = nn.Sequential(*(ResBlock(dim, **style) for _ in range(n_res)))
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return self.res(self.down(x))


class StyleEncoder(nn.Module):
    """7x7 convolution, strided 4x4 convolutions without norm (it would remove the style that
    the mean and variance carry), global pooling, 1x1 convolution. (N, 3, H, W) -> (N, style)."""

    def __init__(
        self, channels: int, dim: int, n_downsample: int, style_dim: int, *, activ: str, pad: str
    ) -> None:
        super().__init__()
        style: dict[str, Any] = dict(activ=activ, pad=pad)
        layers: list[nn.Module] = [ConvBlock(channels, dim, 7, 1, 3, **style)]
        for i in range(n_downsample):
            wider = dim * 2 if i < 2 else dim
            layers.append(ConvBlock(dim, wider, 4, 2, 1, **style))
            dim = wider
        self.down = nn.Sequential(*layers)
        self.head = nn.Conv2d(dim, style_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.down(x).mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        return self.head(pooled).flatten(1)


class Upsampler(nn.Module):
    """``n`` times (nearest upsampling, 5x5 convolution, layer norm), then 7x7 and tanh."""

    def __init__(self, dim: int, n: int, channels: int, *, activ: str, pad: str) -> None:
        super().__init__()
        self.up = nn.ModuleList()
        for _ in range(n):
            kinds: dict[str, Any] = dict(norm="ln", activ=activ, pad=pad, conv=UpsampledConv)
            self.up.append(ConvBlock(dim, dim // 2, 5, 1, 2, **kinds))
            dim //= 2
        self.out = ConvBlock(dim, channels, 7, 1, 3, activ="tanh", pad=pad, conv=NarrowConv)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.up:
            x = block(x)
        return self.out(x)  # in [-1, 1]


class StyleMLP(nn.Module):
    """Three linear layers that map a style (N, style_dim) to all AdaIN parameters (N, n_out)."""

    def __init__(self, style_dim: int, dim: int, n_out: int, activ: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(style_dim, dim), activation(activ),
            nn.Linear(dim, dim), activation(activ),
            nn.Linear(dim, n_out),
        )  # fmt: skip

    def forward(self, style: Tensor) -> Tensor:
        return self.layers(style)


class AdaINDecoder(nn.Module):
    """MUNIT's decoder: residual blocks with AdaIN parameters from the style, then upsampling.

    (N, dim, h, w) content and (N, style_dim) style -> (N, 3, h * 2^n, w * 2^n) in [-1, 1].
    """

    def __init__(
        self, dim: int, n_up: int, n_res: int, channels: int, style_dim: int, mlp_dim: int,
        *, activ: str, pad: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.res = nn.ModuleList(AdaINResBlock(dim, activ=activ, pad=pad) for _ in range(n_res))
        self.up = Upsampler(dim, n_up, channels, activ=activ, pad=pad)
        self.mlp = StyleMLP(style_dim, mlp_dim, 4 * dim * n_res, activ)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        x = content
        for block, numbers in zip(self.res, self.mlp(style).chunk(len(self.res), 1), strict=True):
            x = block(x, numbers)
        return self.up(x)


class Decoder(nn.Module):
    """UNIT's decoder in the release with MUNIT: residual blocks with instance norm, upsampling."""

    def __init__(
        self, dim: int, n_up: int, n_res: int, channels: int, *, activ: str, pad: str
    ) -> None:
        super().__init__()
        self.res = nn.Sequential(
            *(ResBlock(dim, norm="in", activ=activ, pad=pad) for _ in range(n_res))
        )
        self.up = Upsampler(dim, n_up, channels, activ=activ, pad=pad)

    def forward(self, z: Tensor) -> Tensor:
        return self.up(self.res(z))


class NipsResBlock(nn.Module):
    """Residual block of UNIT's NIPS release: zero padding, instance norm, dropout at its end."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.block = ResBlock(channels, norm="in", activ="relu", pad="zero")
        self.dropout = CountedDropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        block = self.block
        return x + self.dropout(block.second(block.first(x)))


def nips_blocks(channels: int, n: int, dropout: float) -> nn.Sequential:
    """Build ``n`` residual blocks of the NIPS release."""
    return nn.Sequential(*(NipsResBlock(channels, dropout) for _ in range(n)))


def nips_front(channels: int, dim: int, n_front: int, *, norm: bool = False) -> nn.Sequential:
    """Build the front of an encoder (UNIT table 5): 7x7, then strided 3x3, leaky ReLU, no norm.
    With ``norm``, the strided convolutions have instance norm and ReLU."""
    strided: dict[str, Any] = dict(norm="in", activ="relu") if norm else dict(activ="lrelu0.01")
    layers = [ConvBlock(channels, dim, 7, 1, 3, activ="lrelu0.01", pad="zero")]
    for _ in range(n_front - 1):
        layers.append(ConvBlock(dim, 2 * dim, 3, 2, 1, pad="zero", **strided))
        dim *= 2
    return nn.Sequential(*layers)


def nips_back(dim: int, channels: int, n_front: int, *, norm: bool = False) -> nn.Sequential:
    """Build the back of a generator (UNIT table 5): strided transposed 3x3, then 1x1 and tanh.
    ``norm``: as in ``nips_front``."""
    layers: list[nn.Module] = []
    for _ in range(n_front - 1):
        layers.append(nn.ConvTranspose2d(dim, dim // 2, 3, 2, 1, output_padding=1))
        layers += [InstanceNorm(dim // 2), nn.ReLU()] if norm else [activation("lrelu0.01")]
        dim //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(dim, channels, 1), nn.Tanh())
