"""Optimised convolutions, for layers that otherwise dominate the time or memory of a step.

Results equal those of the plain layers up to rounding; only the order of sums differs. ``fast``
(``choices``) selects the optimisations of a layer. A *phase* is one of the four subsets of output
pixels with even or odd row and column.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.choices import ALL

# _TAPS[phase][a][k] is 1 if tap k of the 5-tap kernel on the upsampled row falls on pixel a - 1 of
# the original row, for even outputs (first matrix) and odd ones.
_TAPS = (
    ((1, 1, 0, 0, 0), (0, 0, 1, 1, 0), (0, 0, 0, 0, 1)),
    ((1, 0, 0, 0, 0), (0, 1, 1, 0, 0), (0, 0, 0, 1, 1)),
)


# Smallest size, in bytes, of pictures whose padded copy is not kept: below it, the saved memory is
# not worth the time (8 % more at 32 px, batch 8, dim 16, where no layer's pictures are as large).
WORTH = 2**20


class PaddedConv(nn.Conv2d):
    """A convolution that does not keep its padded input for the gradients ("memory").

    Padding by reflection or replication copies the picture, and autograd keeps both. Large pictures
    are padded again instead: copying pixels is cheap compared to a convolution.
    """

    fast = ALL

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.weight, self.bias, self._borders)

    @property
    def _borders(self) -> list[int]:
        return list(self._reversed_padding_repeated_twice)

    @property
    def _mode(self) -> str:
        return "constant" if self.padding_mode == "zeros" else self.padding_mode

    def convolve(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, borders: list[int],
        stride: tuple[int, ...] | None = None, mode: str | None = None,
    ) -> Tensor:  # fmt: skip
        """Pad ``x`` by ``borders`` (left, right, top, bottom) and convolve it with ``weight``."""
        mode, stride = mode or self._mode, stride or self.stride
        if mode == "constant":
            left, right, top, bottom = borders
            if left == right and top == bottom:  # conv2d pads without a copy
                if left == top and self._of_pictures(x, stride, left):
                    return _OfPictures.apply(x, weight, bias, left)  # type: ignore[no-any-return]
                return F.conv2d(x, weight, bias, stride, (top, left))
        elif "memory" in self.fast and torch.is_grad_enabled() and is_large(x):
            device = x.device.type
            if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
                short = torch.get_autocast_dtype(device)  # autocast skips custom functions
                x, weight = x.to(short), weight.to(short)
                bias = None if bias is None else bias.to(short)
            return _PadAgain.apply(x, weight, bias, borders, stride, mode)  # type: ignore[no-any-return]
        x = F.pad(x, borders, mode=mode)
        if self._of_pictures(x, stride, 0):
            return _OfPictures.apply(x, weight, bias, 0)  # type: ignore[no-any-return]
        return F.conv2d(x, weight, bias, stride)

    def _of_pictures(self, x: Tensor, stride: tuple[int, ...], padding: int) -> bool:
        """Return whether x are pictures that need a gradient, a convolution to few channels."""
        return (
            "kernels" in self.fast
            and x.requires_grad
            and torch.is_grad_enabled()
            and self.in_channels <= _FEW
            and set(stride) == {1}
            and padding < self.kernel_size[0] == self.kernel_size[1]
            and not any(size % 2 for size in x.shape[2:])
            and _own_functions_see(x)
        )


def _own_functions_see(x: Tensor) -> bool:
    """Return whether custom functions get x in the right dtype: autocast does not cast for them."""
    device = x.device.type
    return not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device))


def is_large(x: Tensor) -> bool:
    """Return whether pictures are large enough to trade time for the memory of a copy."""
    return x.dim() == 4 and x.numel() * x.element_size() >= WORTH


class _PadAgain(torch.autograd.Function):
    """Padding and convolution that keep only the unpadded picture for the gradients."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, borders: list[int],
        stride: tuple[int, ...], mode: str,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, weight)
        ctx.how = borders, stride, mode
        ctx.biases = None if bias is None else list(bias.shape)
        return F.conv2d(F.pad(x, borders, mode=mode), weight, bias, stride)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        borders, stride, mode = ctx.how
        wanted = list(ctx.needs_input_grad[:3])
        of_x, of_weight, of_bias = torch.ops.aten.convolution_backward(
            gradient, F.pad(x, borders, mode=mode), weight, ctx.biases, stride, [0, 0], [1, 1],
            False, [0, 0], 1, wanted,
        )  # fmt: skip
        if wanted[0]:
            fold = {
                "reflect": torch.ops.aten.reflection_pad2d_backward,
                "replicate": torch.ops.aten.replication_pad2d_backward,
            }[mode]
            of_x = fold(of_x, x, borders)
        return of_x, of_weight, of_bias, None, None, None


_FEW = 4  # channels; so few leave most of a processor's vector lanes unused


def _to_few(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int = 0) -> Tensor:
    """Compute a convolution of stride 1 to few channels (the 3 of a picture) with even output
    sides.

    Four shifted copies of the kernel form a larger kernel of stride 2 with four times the channels,
    whose four phases are then interleaved. This is faster although a quarter of the products are
    with zeros.
    """
    places = [F.pad(weight, (q, 1 - q, p, 1 - p)) for p in (0, 1) for q in (0, 1)]
    kernels = torch.stack(places, dim=1).flatten(0, 1)
    bias = None if bias is None else bias.repeat_interleave(4)
    return F.pixel_shuffle(F.conv2d(x, kernels, bias, 2, padding), 2)


def _turned(weight: Tensor) -> Tensor:
    """Return the kernels of the convolution that computes input gradients."""
    return weight.flip(2, 3).transpose(0, 1).contiguous()


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, padding: int = 0) -> Tensor:
    mask, zero = [False, True, False], [0, 0]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [padding] * 2, [1, 1], False, zero, 1, mask
    )[1]
    return found


class _OfPictures(torch.autograd.Function):
    """A square convolution of stride 1 from few channels; its gradient is one to few channels."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        return F.conv2d(x, weight, bias, 1, padding)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), around = ctx.saved_tensors, ctx.padding
        needs = ctx.needs_input_grad
        return (
            _to_few(gradient, _turned(weight), None, weight.shape[2] - 1 - around),
            _of_weight(gradient, x, weight, around) if needs[1] else None,
            gradient.sum(dim=(0, 2, 3)) if needs[2] else None,
            None,
        )


class _ToPictures(torch.autograd.Function):
    """A square convolution of stride 1 to few channels; its gradient is one from few channels."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _to_few(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), needs = ctx.saved_tensors, ctx.needs_input_grad
        around, back = weight.shape[2] - 1, _turned(weight)
        of_weight = None
        if needs[1]:  # with the roles of x and gradient exchanged
            of_weight = _turned(_of_weight(x, gradient, back, around))
        return (
            F.conv2d(gradient, back, None, 1, around) if needs[0] else None,
            of_weight,
            gradient.sum(dim=(0, 2, 3)) if needs[2] else None,
        )


class UpsampledConv(PaddedConv):
    """Nearest upsampling to twice the size, then a 5x5 convolution with padding 2.

    (N, C, H, W) -> (N, c_out, 2H, 2W). Each output pixel depends on at most 3x3 input pixels, so
    four 3x3 convolutions of the small picture, interleaved, give the same result with 36 instead of
    100 products per input pixel.
    """

    def __init__(self, c_in: int, c_out: int, *shape: int, **kinds: Any) -> None:
        assert shape in ((), (5, 1, 2)), "the phases are those of a 5x5 kernel"
        super().__init__(c_in, c_out, 5, 1, 2, **kinds)
        # A buffer on the device: creating it in every step would synchronise with the GPU.
        self.taps: Tensor
        taps = torch.tensor(_TAPS, dtype=self.weight.dtype, device=self.weight.device)
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if "kernels" not in self.fast:
            return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))
        kernels = torch.einsum("pak,qbl,oikl->opqiab", self.taps, self.taps, self.weight)
        kernels = kernels.reshape(4 * self.out_channels, self.in_channels, 3, 3)
        assert self.bias is not None
        border = "constant" if self.padding_mode == "zeros" else "replicate"
        biases = self.bias.repeat_interleave(4)
        y = F.pixel_shuffle(self.convolve(x, kernels, biases, [1] * 4, mode=border), 2)
        if self.padding_mode == "reflect":
            # After upsampling, reflection fills the outer of two padding pixels with the border
            # pixel's neighbour, where replication repeats the border pixel. Only the first (or
            # last) tap sees the difference, so it affects one row or column of outputs. Rows are
            # corrected with reflected columns, columns with replicated rows: corners count once.
            turned = self._border(x.mT, self.weight.mT, "replicate")
            y = _Corrected.apply(y, self._border(x, self.weight, "reflect"), turned.mT)
        return y

    @staticmethod
    def _border(x: Tensor, weight: Tensor, columns: str) -> Tensor:
        """Return corrections (N, c_out, 2, 2W) of the first and last row for reflection."""
        ends = torch.stack((x[:, :, 1] - x[:, :, 0], x[:, :, -2] - x[:, :, -1]), dim=1)
        wide = F.pad(ends.flatten(1, 2).repeat_interleave(2, dim=2), (2, 2), mode=columns)
        kernels = torch.cat((weight[:, :, 0], weight[:, :, -1]))  # (2 c_out, C, 5)
        out = F.conv1d(wide, kernels, groups=2)
        return torch.stack(out.chunk(2, dim=1), dim=2)


class _Corrected(torch.autograd.Function):
    """Adds to the outermost rows and columns in place; autograd's own in-place addition to a slice
    would copy the whole gradient each time."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:  # type: ignore[override]
        ctx.mark_dirty(y)
        y[:, :, :: y.shape[2] - 1] += rows
        y[:, :, :, :: y.shape[3] - 1] += columns
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        h, w = gradient.shape[2:]
        return gradient, gradient[:, :, :: h - 1], gradient[:, :, :, :: w - 1]


class NarrowConv(PaddedConv):
    """A convolution of stride 1 to few channels (``_to_few``)."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, (left, right, top, bottom) = self.kernel_size[0], self._borders
        h, w = x.shape[2] + top + bottom - kernel + 1, x.shape[3] + left + right - kernel + 1
        if "kernels" not in self.fast or h % 2 or w % 2:
            return super().forward(x)
        if self._mode != "constant" and _own_functions_see(x):
            padded = F.pad(x, self._borders, mode=self._mode)
            return _ToPictures.apply(padded, self.weight, self.bias)  # type: ignore[no-any-return]
        places = [F.pad(self.weight, (q, 1 - q, p, 1 - p)) for p in (0, 1) for q in (0, 1)]
        kernels = torch.stack(places, dim=1).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(self.convolve(x, kernels, bias, self._borders, (2, 2)), 2)


class StridedConv(PaddedConv):
    """A convolution that is computed as a matrix product if its output is a single pixel.

    The deepest layers of a discriminator may have such outputs.
    """

    def forward(self, x: Tensor) -> Tensor:
        if "kernels" in self.fast:
            left, right, top, bottom = self._borders
            size = (x.shape[2] + top + bottom, x.shape[3] + left + right)
            if size == self.kernel_size:
                seen = F.pad(x, self._borders, mode=self._mode).flatten(1)
                return F.linear(seen, self.weight.flatten(1), self.bias)[:, :, None, None]
        return super().forward(x)
