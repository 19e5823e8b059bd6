"""Convolutions that a step would otherwise spend most of its time in, computed another way.

The result is that of the plain layers up to rounding; only the order of the sums differs. Set
``plain`` on a layer to compute it as it is defined. A *phase* is one of the four subsets of
output pixels with even or odd row and column.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Row k of the 5-tap kernel over pixels doubled in length falls on pixel a - 1 of the short row,
# for even outputs (first matrix) and odd ones: _TAPS[phase][a][k].
_TAPS = (
    ((1, 1, 0, 0, 0), (0, 0, 1, 1, 0), (0, 0, 0, 0, 1)),
    ((1, 0, 0, 0, 0), (0, 1, 1, 0, 0), (0, 0, 0, 1, 1)),
)


class _Conv(nn.Conv2d):
    plain = False

    def padded(self, x: Tensor) -> Tensor:
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, self._reversed_padding_repeated_twice, mode=mode)


class UpsampledConv(_Conv):
    """Nearest upsampling to twice the size, then a 5x5 convolution with padding 2.

    (N, C, H, W) -> (N, c_out, 2H, 2W). The four pixels that upsampling makes of one see at most
    3x3 different input pixels, so four 3x3 convolutions of the small picture, interleaved, give
    the same with 36 instead of 100 products a pixel.
    """

    def __init__(self, c_in: int, c_out: int, *shape: int, **kinds: Any) -> None:
        assert shape in ((), (5, 1, 2)), "the phases are those of a 5x5 kernel"
        super().__init__(c_in, c_out, 5, 1, 2, **kinds)

    def forward(self, x: Tensor) -> Tensor:
        if self.plain:
            return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))
        taps = torch.tensor(_TAPS, dtype=self.weight.dtype, device=x.device)
        kernels = torch.einsum("pak,qbl,oikl->opqiab", taps, taps, self.weight)
        kernels = kernels.reshape(4 * self.out_channels, self.in_channels, 3, 3)
        assert self.bias is not None
        border = "constant" if self.padding_mode == "zeros" else "replicate"
        small = F.pad(x, (1, 1, 1, 1), mode=border)
        y = F.pixel_shuffle(F.conv2d(small, kernels, self.bias.repeat_interleave(4)), 2)
        if self.padding_mode == "reflect":
            # Reflected at the size after upsampling, the outermost of the two pixels beyond a
            # border is not the border pixel repeated but the one next to it. The difference
            # meets the first (or last) tap alone, so it reaches one row or column of outputs.
            # Rows are corrected with the columns reflected, columns with the rows repeated:
            # what is left of the corners is then counted once.
            h, w = y.shape[2:]
            y[:, :, :: h - 1] += self._border(x, self.weight, "reflect")
            turned = self._border(x.mT, self.weight.mT, "replicate")
            y[:, :, :, :: w - 1] += turned.mT
        return y

    @staticmethod
    def _border(x: Tensor, weight: Tensor, columns: str) -> Tensor:
        """Corrections (N, c_out, 2, 2W) of the first and last row for reflection."""
        ends = torch.stack((x[:, :, 1] - x[:, :, 0], x[:, :, -2] - x[:, :, -1]), dim=1)
        wide = F.pad(ends.flatten(1, 2).repeat_interleave(2, dim=2), (2, 2), mode=columns)
        kernels = torch.cat((weight[:, :, 0], weight[:, :, -1]))  # (2 c_out, C, 5)
        out = F.conv1d(wide, kernels, groups=2)
        return torch.stack(out.chunk(2, dim=1), dim=2)


class NarrowConv(_Conv):
    """A convolution of stride 1 to few channels (the 3 of a picture).

    So few outputs leave most of a processor's vector lanes empty. The same kernel at its four
    places in one larger kernel of stride 2 has four times the channels; the four phases are then
    interleaved. That is faster although a quarter of the products are with zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        x, kernel = self.padded(x), self.kernel_size[0]
        h, w = x.shape[2] - kernel + 1, x.shape[3] - kernel + 1
        if self.plain or h % 2 or w % 2:
            return F.conv2d(x, self.weight, self.bias)
        places = [F.pad(self.weight, (q, 1 - q, p, 1 - p)) for p in (0, 1) for q in (0, 1)]
        kernels = torch.stack(places, dim=1).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, kernels, bias, stride=2), 2)


class StridedConv(_Conv):
    """A convolution whose output may shrink to one pixel, as the deepest of a discriminator's do.

    Then it is a matrix product of the padded input.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.plain:
            x = self.padded(x)
            if tuple(x.shape[2:]) == self.kernel_size:
                return F.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]
            return F.conv2d(x, self.weight, self.bias, self.stride)
        return super().forward(x)
