"""Picture-to-picture generators and BicycleGAN's latent encoder.

ResNet generator (CycleGAN), U-Net with a latent (CycleGAN* with noise, BicycleGAN).
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from models.blocks import CountedDropout, activation, has_bias, norm_layer
from models.convolutions import NarrowConv, PaddedConv


class ResnetBlock(nn.Module):
    """CycleGAN's residual block: reflection padding, norm, dropout between the convolutions."""

    def __init__(self, dim: int, norm: str, dropout: bool) -> None:
        super().__init__()
        conv: dict[str, Any] = dict(kernel_size=3, padding=1, padding_mode="reflect")
        conv["bias"] = has_bias(norm)
        self.conv1, self.norm1 = PaddedConv(dim, dim, **conv), norm_layer(norm, dim)
        self.dropout = CountedDropout(0.5) if dropout else nn.Identity()
        self.conv2, self.norm2 = PaddedConv(dim, dim, **conv), norm_layer(norm, dim)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x))
        y = self.dropout.of_relu(y) if isinstance(self.dropout, CountedDropout) else torch.relu(y)
        return x + self.norm2(self.conv2(y))


class ResnetGenerator(nn.Module):
    """CycleGAN's generator (Johnson et al., 2016). (N, 3, H, W) -> the same, in [-1, 1].

    7x7 convolution, two strided 3x3, ``n_blocks`` residual blocks, two transposed 3x3, 7x7.
    H and W are multiples of 4.
    """

    def __init__(
        self, c_in: int, c_out: int, dim: int, n_blocks: int, norm: str, dropout: bool
    ) -> None:
        super().__init__()
        wide: dict[str, Any] = dict(kernel_size=7, padding=3, padding_mode="reflect")
        half: dict[str, Any] = dict(kernel_size=3, stride=2, padding=1, bias=has_bias(norm))

        def block(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, norm_layer(norm, channels), nn.ReLU()]

        self.down = nn.Sequential(
            *block(PaddedConv(c_in, dim, **wide, bias=has_bias(norm)), dim),
            *block(nn.Conv2d(dim, 2 * dim, **half), 2 * dim),
            *block(nn.Conv2d(2 * dim, 4 * dim, **half), 4 * dim),
        )
        self.res = nn.Sequential(*(ResnetBlock(4 * dim, norm, dropout) for _ in range(n_blocks)))
        half["output_padding"] = 1
        self.up = nn.Sequential(
            *block(nn.ConvTranspose2d(4 * dim, 2 * dim, **half), 2 * dim),
            *block(nn.ConvTranspose2d(2 * dim, dim, **half), dim),
            NarrowConv(dim, c_out, **wide),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.res(self.down(x)))


def _upsampler(c_in: int, c_out: int, kind: str, bias: bool) -> nn.Module:
    if kind == "basic":
        return nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=bias)
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear"),
        PaddedConv(c_in, c_out, 3, padding=1, padding_mode="reflect"),
    )


class UNet(nn.Module):
    """U-Net (Isola et al., 2017) whose output depends on a latent z (BicycleGAN section 3.5).

    ``where`` "input": z is repeated over the picture and appended to it. "all": z is appended
    to the input of every downward convolution. x (N, c_in, H, W), z (N, nz) -> (N, c_out, H, W)
    in [-1, 1]; H and W are multiples of 2^depth. Originals: ``G_Unet_add_input`` and
    ``G_Unet_add_all``. Widths: dim * 1, 2, 4, 8, 8, ... ``cyclegan``: like ``UnetGenerator`` of
    CycleGAN's release, which concatenates skips first and sets biases by ``has_bias``.
    """

    def __init__(
        self, c_in: int, c_out: int, nz: int, dim: int, depth: int,
        *, where: str, norm: str, activ: str, dropout: bool, upsample: str = "basic",
        cyclegan: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.where, self.cyclegan = where, cyclegan
        bias = has_bias(norm) if cyclegan else True
        extra = nz if where == "all" else 0
        widths = [dim * min(2**i, 8) for i in range(depth)]
        ins = [c_in + nz - extra, *widths[:-1]]
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm = nn.ModuleList(), nn.ModuleList()
        self.dropout = nn.ModuleList()
        for i, (before, width) in enumerate(zip(ins, widths, strict=True)):
            ends, innermost = i in (0, depth - 1), i == depth - 1
            self.down.append(nn.Conv2d(before + extra, width, 4, 2, 1, bias=bias))
            self.down_norm.append(norm_layer("none" if ends else norm, width))
            out = before if i else c_out
            joined = width if innermost else 2 * width
            self.up.append(_upsampler(joined, out, upsample, bias or i == 0))
            self.up_norm.append(norm_layer(norm if i else "none", out))
            # As in the originals: dropout in the blocks of full width, except the innermost. A
            # network too shallow for that has it in the block next to the innermost.
            use = dropout and not innermost and i >= min(4, depth - 2)
            self.dropout.append(CountedDropout(0.5) if use else nn.Identity())
        self.leaky, self.activ = activation("lrelu"), activation(activ)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        if self.where == "input":
            x = _append(x, z)
        skips: list[Tensor] = []
        for i, (conv, norm) in enumerate(zip(self.down, self.down_norm, strict=True)):
            y = _append(x, z) if self.where == "all" else x
            y = self.leaky(y) if i else y
            # The original's activation is in place: if z is appended at the input only, the skip
            # connection carries the activated features, else those before the activation.
            skips.append(x if self.where == "all" else y)
            x = norm(conv(y))
        for i in reversed(range(len(self.up))):
            x = self.dropout[i](self.up_norm[i](self.up[i](self.activ(x))))
            if i:
                x = torch.cat((skips[i], x) if self.cyclegan else (x, skips[i]), dim=1)
        return torch.tanh(x)


def _append(x: Tensor, z: Tensor) -> Tensor:
    """Append z (N, nz), repeated over the pixels, to x (N, C, H, W): (N, C + nz, H, W)."""
    return torch.cat((x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])), dim=1)


class LatentBlock(nn.Module):
    """Pre-activation residual block that halves the resolution by average pooling."""

    def __init__(self, c_in: int, c_out: int, norm: str, activ: str) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm_layer(norm, c_in), nn.Conv2d(c_in, c_in, 3, 1, 1)
        self.norm2, self.conv2 = norm_layer(norm, c_in), nn.Conv2d(c_in, c_out, 3, 1, 1)
        self.shortcut = nn.Conv2d(c_in, c_out, 1)
        self.pool, self.activ = nn.AvgPool2d(2), activation(activ)
        self.in_place = norm == "none"  # then the original's activation changes the input

    def forward(self, x: Tensor) -> Tensor:
        first = self.activ(self.norm1(x))
        y = self.conv2(self.activ(self.norm2(self.conv1(first))))
        return self.pool(y) + self.shortcut(self.pool(first if self.in_place else x))


class LatentEncoder(nn.Module):
    """BicycleGAN's encoder: (N, 3, H, W) -> mean and log variance of q(z|B), each (N, nz).

    ``kind`` "resnet" (original ``E_ResNet``) or "conv" (``E_NLayers``). The originals end in 8x8
    pooling, which leaves one pixel at their sizes (128 and 256); global pooling is the same at
    these sizes and works at others.
    """

    def __init__(
        self, channels: int, nz: int, dim: int, n_blocks: int, norm: str, kind: str = "resnet"
    ) -> None:
        super().__init__()
        widths = [dim * min(4, n + 1 if kind == "resnet" else 2**n) for n in range(n_blocks)]
        layers: list[nn.Module] = [nn.Conv2d(channels, dim, 4, 2, 1)]
        if kind == "conv":
            layers.append(activation("lrelu"))
        for before, width in itertools.pairwise(widths):
            if kind == "resnet":
                layers.append(LatentBlock(before, width, norm, "lrelu"))
            else:
                layers.append(nn.Conv2d(before, width, 4, 2, 1))
                if norm != "none":
                    layers.append(norm_layer(norm, width))
                layers.append(activation("lrelu"))
        if kind == "resnet":
            layers.append(activation("lrelu"))
        self.conv = nn.Sequential(*layers)
        self.mean = nn.Linear(widths[-1], nz)
        self.logvar = nn.Linear(widths[-1], nz)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.conv(x).mean(dim=(2, 3))  # (N, C)
        return self.mean(pooled), self.logvar(pooled)
