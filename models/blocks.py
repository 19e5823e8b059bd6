"""Layers shared by all methods: convolution and residual blocks, norms, counted dropout.

Details follow the original releases: NVlabs/MUNIT ``networks.py`` unless stated otherwise.
Shapes in comments are (N, C, H, W): pictures, channels, rows, columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.choices import ALL
from models.convolutions import PaddedConv, is_large
from models.errors import UserError


class LeakyReLU(nn.LeakyReLU):
    """Leaky ReLU whose gradient is computed from its output ("memory"), as for ReLU, so its input,
    e.g. a norm's output, need not be kept."""

    fast = ALL

    def forward(self, x: Tensor) -> Tensor:
        if self.inplace or not ("memory" in self.fast and torch.is_grad_enabled() and is_large(x)):
            return super().forward(x)
        return _FromResult.apply(x, self.negative_slope)  # type: ignore[no-any-return]


class _FromResult(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:  # type: ignore[override]
        out = F.leaky_relu(x, slope)
        ctx.save_for_backward(out)
        ctx.slope = slope
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        return torch.ops.aten.leaky_relu_backward(gradient, out, ctx.slope, True), None


PADDINGS = {"reflect": "reflect", "replicate": "replicate", "zero": "zeros"}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "lrelu": lambda: LeakyReLU(0.2),
    "lrelu0.01": lambda: LeakyReLU(0.01),
    "prelu": nn.PReLU,
    "selu": nn.SELU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}
EPS = 1e-5


class LayerNorm(nn.Module):
    """Layer normalisation as MUNIT and UNIT use it: (x - mean) / (std + eps) per sample.

    ``std`` is the unbiased deviation over (C, H, W), and eps is added to it instead of the
    variance, unlike in ``torch.nn.LayerNorm``. Gain and offset are per channel.
    """

    fast = ALL

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(channels).uniform_())
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> the same
        if "norms" in self.fast:
            # In mixed precision, float32 gains would turn the largest maps into float32.
            gamma, beta = self.gamma.to(x.dtype), self.beta.to(x.dtype)
            return _LayerNorm.apply(x.contiguous(), gamma, beta)  # type: ignore[no-any-return]
        var, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
        # For a constant picture the deviation is 0, where the square root has no gradient.
        flat = var == 0
        std = var.masked_fill(flat, 1.0).sqrt().masked_fill(flat, 0.0)
        gamma, beta = self.gamma.view(1, -1, 1, 1), self.beta.view(1, -1, 1, 1)
        return (x - mean) / (std + EPS) * gamma + beta


class _LayerNorm(torch.autograd.Function):
    """``LayerNorm`` by the kernels of group norm, which read a picture once for both moments and
    once for all gradients. Their gradients are those of (x - mean) * r with r = 1 / sqrt(variance),
    where this norm has 1 / (std + eps)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:  # type: ignore[override]
        n, c, h, w = x.shape
        _, mean, r = torch.native_group_norm(x, None, None, n, c, h * w, 1, 0.0)  # r: (N, 1)
        std = (c * h * w / (c * h * w - 1)) ** 0.5 / r  # 0 of a constant picture
        scale = gamma / (std + EPS)  # (N, C)
        shift = beta - mean * scale
        ctx.save_for_backward(x, gamma, mean, std)
        scale, shift = (v.view(n, c, 1, 1).to(x.dtype) for v in (scale, shift))
        return torch.addcmul(shift, x, scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, gamma, mean, std = ctx.saved_tensors
        n, c, h, w = x.shape
        # Group norm's kernel subtracts a part along x - mean with r to the third power. With this
        # r, and gradients scaled by the remaining factor, all three gradients are this norm's.
        eps = torch.where(std == 0, EPS, std)  # x - mean is 0 there
        r = (c * h * w / (c * h * w - 1) / (std + EPS) / eps) ** 0.5
        lacking = (1 / (std + EPS) / r).view(n, 1, 1, 1).to(x.dtype)
        gradient = gradient.contiguous()
        of_x, of_gamma, _ = torch.ops.aten.native_group_norm_backward(
            gradient * lacking, x, mean, r, gamma, n, c, h * w, 1, [True, True, False]
        )
        return of_x, of_gamma, gradient.sum(dim=(0, 2, 3))


class InstanceNorm(nn.Module):
    """Instance normalisation without affine parameters (Ulyanov et al., 2016)."""

    fast = ALL

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        if "norms" in self.fast:  # the kernel of group norm is twice as fast
            return torch.group_norm(x.contiguous(), self.channels, eps=EPS)
        return F.instance_norm(x, eps=EPS)


class AdaIN(nn.Module):
    """Adaptive instance normalisation, MUNIT section 5.1: gain * (z - mean) / std + offset.

    The gains and offsets of a sample come from its style and are arguments of ``forward``.
    """

    fast = ALL

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
        """Normalise x (N, C, H, W) with ``gain`` and ``offset`` (N, C)."""
        n, c, h, w = x.shape
        # One norm over N * C channels computes N instance norms, each with its own gains.
        joined, gains, offsets = x.reshape(1, n * c, h, w), gain.reshape(-1), offset.reshape(-1)
        if "norms" in self.fast:
            out = torch.group_norm(joined, n * c, gains, offsets, EPS)
        else:
            out = F.batch_norm(joined, None, None, gains, offsets, training=True, eps=EPS)
        return out.view(n, c, h, w)


def norm_layer(name: str, channels: int) -> nn.Module:
    """Return the norm layer ``name``: none, in (instance), ln (layer), bn (batch)."""
    match name:
        case "none":
            return nn.Identity()
        case "in" | "instance":
            return InstanceNorm(channels)
        case "ln":
            return LayerNorm(channels)
        case "bn" | "batch":
            return nn.BatchNorm2d(channels)
    raise UserError(f"unknown norm '{name}': use none, in, ln or bn")


def has_bias(norm: str) -> bool:
    """Return whether a convolution before ``norm`` has a bias: instance norm only (CycleGAN)."""
    return norm in ("in", "instance")


def activation(name: str) -> nn.Module:
    """Return the activation ``name`` (a key of ``ACTIVATIONS``)."""
    if name not in ACTIVATIONS:
        raise UserError(f"unknown activation '{name}': use one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def padding_mode(name: str) -> Any:
    """Return PyTorch's name for the padding ``name``: reflect, replicate or zero."""
    if name not in PADDINGS:
        raise UserError(f"unknown padding '{name}': use one of {', '.join(PADDINGS)}")
    return PADDINGS[name]


class ConvBlock(nn.Module):
    """Padded convolution (of class ``conv``), norm, activation."""

    fast = ALL

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        *,
        norm: str = "none",
        activ: str = "relu",
        pad: str = "reflect",
        conv: type[PaddedConv] = PaddedConv,
    ) -> None:
        super().__init__()
        self.conv = conv(c_in, c_out, kernel, stride, padding, padding_mode=padding_mode(pad))
        self.norm = norm_layer(norm, c_out)
        self.activ = activation(activ)
        # A norm's output is often a view, for which in-place operations need a copy.
        self._direct = norm == "none"

    def forward(self, x: Tensor) -> Tensor:
        if self._direct and isinstance(self.activ, nn.ReLU | nn.LeakyReLU):
            self.activ.inplace = "memory" in self.fast
        return self.activ(self.norm(self.conv(x)))


class ResBlock(nn.Module):
    """Residual block: x plus two 3x3 convolution blocks, the second without activation."""

    def __init__(self, channels: int, *, norm: str, activ: str, pad: str) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, 3, 1, 1, norm=norm, activ=activ, pad=pad)
        self.second = ConvBlock(channels, channels, 3, 1, 1, norm=norm, activ="none", pad=pad)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class AdaINResBlock(nn.Module):
    """A residual block whose two norms are AdaIN, with 4 style parameters per channel."""

    def __init__(self, channels: int, *, activ: str, pad: str) -> None:
        super().__init__()
        conv = dict(kernel_size=3, padding=1, padding_mode=padding_mode(pad))
        self.conv1 = PaddedConv(channels, channels, **conv)  # type: ignore[arg-type]
        self.conv2 = PaddedConv(channels, channels, **conv)  # type: ignore[arg-type]
        self.norm1, self.norm2 = AdaIN(channels), AdaIN(channels)
        self.activ = activation(activ)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Apply the block to x (N, C, H, W) with style (N, 4C): offset and gain of the first norm,
        then of the second."""
        offset1, gain1, offset2, gain2 = style.chunk(4, dim=1)
        y = self.activ(self.norm1(self.conv1(x), gain1, offset1))
        return x + self.norm2(self.conv2(y), gain2, offset2)


class CountedDropout(nn.Module):
    """Dropout whose mask is a pure function of each sample's seed, on any device.

    The masks of PyTorch's dropout depend on the rest of the batch and on all previous draws, so
    measurements would depend on the batch size. Here the mask of element ``j`` of sample ``i`` is a
    hash of (seeds[i], layer, j): one seed per sample is the only randomness, which also makes
    test-time dropout (CycleGAN* with noise) repeatable. Without seeds the layer is the identity,
    like an ordinary dropout in evaluation mode.

    Seeds are hashed by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), elements by a
    32-bit hash (Wellons's lowbias32, 2018). For speed, two neighbours share one hash, 16 bits each,
    so ``p`` is rounded to a multiple of 2^-16.
    """

    fast = ALL

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise UserError(f"dropout={p} is not a legal value: use at least 0 and below 1")
        self.p = round(p * 2**16) / 2**16
        self.layer = 0
        self.seeds: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.seeds is None:
            return x
        keep = self._keep(x, self.seeds)
        if self._saving(x):
            return _Dropped.apply(x, keep, self.p)  # type: ignore[no-any-return]
        return x * keep.to(x.dtype).div_(1 - self.p)

    def of_relu(self, x: Tensor) -> Tensor:
        """Return dropout(relu(x)). Gradients pass where the result is positive, so only the result
        needs to be kept, which the next layer keeps anyway."""
        if self.seeds is None or not self._saving(x):
            return self(torch.relu(x))
        return _ReluDropped.apply(x, self._keep(x, self.seeds), self.p)  # type: ignore[no-any-return]

    def _saving(self, x: Tensor) -> bool:
        return "memory" in self.fast and torch.is_grad_enabled() and is_large(x)

    def _keep(self, x: Tensor, seeds: Tensor) -> Tensor:
        """Return a bool mask, shaped like x, of the elements to keep."""
        base = _mix64(seeds.to(x.device) + self.layer * 0x9E3779B9)[:, None]  # (N, 1)
        n = x[0].numel()
        index = torch.arange((n + 1) // 2, device=x.device, dtype=torch.int32) * _GOLDEN
        bits = index + base.to(torch.int32)  # (N, CHW / 2)
        bits ^= (base >> 32).to(torch.int32)
        halves = _mix32_(bits).view(torch.int16)[:, :n]
        return (halves >= int(self.p * 2**16) - 2**15).view(x.shape)


class _Dropped(torch.autograd.Function):
    """Dropout that keeps one byte per element for the gradients, instead of a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, p: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(keep)
        ctx.p = p
        return x * keep.to(x.dtype).div_(1 - p)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (keep,) = ctx.saved_tensors
        return gradient * keep.to(gradient.dtype).div_(1 - ctx.p), None, None


class _ReluDropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, p: float) -> Tensor:  # type: ignore[override]
        out = torch.relu(x).mul_(keep.to(x.dtype).div_(1 - p))
        ctx.save_for_backward(out)
        ctx.p = p
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (out,) = ctx.saved_tensors
        return gradient * (out > 0).to(gradient.dtype).div_(1 - ctx.p), None, None


_GOLDEN = 0x9E3779B9 - 2**32  # as signed 32 bits, where integers wrap around


def _mix64(z: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64; ``>>`` copies the sign, hence the masks."""
    z = (z ^ ((z >> 30) & (2**34 - 1))) * (0xBF58476D1CE4E5B9 - 2**64)
    z = (z ^ ((z >> 27) & (2**37 - 1))) * (0x94D049BB133111EB - 2**64)
    return z ^ ((z >> 31) & (2**33 - 1))


def _mix32_(z: Tensor) -> Tensor:
    """lowbias32 on int32, in place."""
    z ^= (z >> 16) & (2**16 - 1)
    z *= 0x7FEB352D
    z ^= (z >> 15) & (2**17 - 1)
    z *= 0x846CA68B - 2**32
    z ^= (z >> 16) & (2**16 - 1)
    return z


def number_dropouts(network: nn.Module) -> None:
    """Number the dropout layers of ``network``, so that each has its own masks."""
    for number, layer in enumerate(m for m in network.modules() if isinstance(m, CountedDropout)):
        layer.layer = number + 1


def seed_dropouts(network: nn.Module, seeds: Tensor | None) -> None:
    """Set ``seeds`` ((N,) int64, one per sample) in all dropout layers; None disables dropout."""
    for layer in network.modules():
        if isinstance(layer, CountedDropout):
            layer.seeds = seeds
