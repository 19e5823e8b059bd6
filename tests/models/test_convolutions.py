"""Rearranged convolutions against the layers that they stand for, in float64."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from tiny_methods import normal
from torch import Tensor, nn

import models.convolutions
from models.choices import choose
from models.convolutions import NarrowConv, PaddedConv, StridedConv, UpsampledConv
from models.discriminators import MultiScaleDiscriminator, gan_of_both
from models.losses import gan

MODES = {"reflect": "reflect", "replicate": "replicate", "zeros": "constant"}


@pytest.fixture(autouse=True)
def _pictures_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that these small ones are padded again for the gradients."""
    monkeypatch.setattr(models.convolutions, "WORTH", 0)


def padded(x: Tensor, padding: int, mode: str) -> Tensor:
    return F.pad(x, (padding,) * 4, mode=MODES[mode])


def assert_same(layer: nn.Conv2d, x: Tensor, expected: Tensor, shape: tuple[int, ...]) -> None:
    """The output and all gradients of ``layer(x)`` are those of ``expected``."""
    out, leaves = layer(x), [x, *layer.parameters()]
    assert out.shape == expected.shape == shape
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    g = normal(*out.shape, seed=9)
    for ours, theirs in zip(
        torch.autograd.grad(out, leaves, g), torch.autograd.grad(expected, leaves, g), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(("h", "w"), [(2, 2), (7, 4)])
def test_upsampled_convolution_is_upsampling_then_convolution(mode: str, h: int, w: int) -> None:
    layer = UpsampledConv(3, 5, padding_mode=mode).double()
    x = normal(2, 3, h, w).requires_grad_()
    up = F.interpolate(x, scale_factor=2, mode="nearest")
    expected = F.conv2d(padded(up, 2, mode), layer.weight, layer.bias)
    assert_same(layer, x, expected, (2, 5, 2 * h, 2 * w))


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(
    ("kernel", "h", "w", "bias"), [(3, 6, 10, True), (7, 8, 8, False), (7, 7, 8, True)]
)
def test_narrow_convolution_is_a_convolution(mode, kernel, h, w, bias):
    half = kernel // 2
    layer = NarrowConv(4, 3, kernel, 1, half, padding_mode=mode, bias=bias).double()
    x = normal(2, 4, h, w).requires_grad_()
    expected = F.conv2d(padded(x, half, mode), layer.weight, layer.bias)
    assert_same(layer, x, expected, (2, 3, h, w))


@pytest.mark.parametrize(
    ("mode", "size", "kernel"),
    [
        (mode, size, kernel)
        for mode in MODES
        for size, kernel in ((2, 4), (4, 4), (3, 4), (8, 3), (1, 3))
        if mode != "reflect" or size > 1  # one pixel cannot be reflected
    ],
)
def test_strided_convolution_is_a_convolution(mode: str, size: int, kernel: int) -> None:
    layer = StridedConv(4, 6, kernel, 2, 1, padding_mode=mode).double()
    x = normal(3, 4, size, size).requires_grad_()
    expected = F.conv2d(padded(x, 1, mode), layer.weight, layer.bias, stride=2)
    after = (size + 2 - kernel) // 2 + 1
    assert_same(layer, x, expected, (3, 6, after, after))


@pytest.mark.parametrize(("norm", "real_first"), [("in", True), ("bn", True), ("bn", False)])
def test_discriminator_sees_both_batches_as_if_alone(norm: str, real_first: bool) -> None:
    dis = MultiScaleDiscriminator(3, 4, 3, 2, norm=norm).double()
    alone = copy.deepcopy(dis)
    first, second = normal(2, 3, 32, 32), normal(3, 3, 32, 32, seed=1) * 3
    expected = gan(alone(first), real_first, "lsgan") + gan(alone(second), not real_first, "lsgan")
    found = gan_of_both(dis, first, second, real_first=real_first, kind="lsgan")
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    # Running statistics remember the order.
    for ours, theirs in zip(dis.buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(
    ("channels", "h", "bias"), [(3, 8, True), (3, 8, False), (3, 7, True), (5, 8, True)]
)
def test_gradients_of_pictures_are_those_of_the_plain_convolution(mode, channels, h, bias):
    layer = PaddedConv(channels, 6, 7, 1, 3, padding_mode=mode, bias=bias).double()  # type: ignore[arg-type]
    x = normal(2, channels, h, 8).requires_grad_()
    expected = F.conv2d(padded(x, 3, mode), layer.weight, layer.bias)
    choose(layer, ["kernels"])
    assert_same(layer, x, expected, (2, 6, h, 8))
    rearranged = type(layer(x).grad_fn).__name__ == "_OfPicturesBackward"
    assert rearranged == (channels == 3 and h == 8)
