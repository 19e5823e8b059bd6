"""Rearranged convolutions against the layers that they stand for, in float64."""

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


def assert_same(layer: nn.Conv2d, x: Tensor, expected: Tensor) -> None:
    """The output and all gradients of ``layer(x)`` are those of ``expected``."""
    out, leaves = layer(x), [x, *layer.parameters()]
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
    assert expected.shape == (2, 5, 2 * h, 2 * w)
    assert_same(layer, x, expected)


# Channels, kernel, stride and padding, then the height and width of a picture.
SHAPES: list[tuple[type[nn.Conv2d], tuple[int, ...], int, int, bool]] = [
    (NarrowConv, (4, 3, 3, 1, 1), 6, 10, True),
    (NarrowConv, (4, 3, 7, 1, 3), 8, 8, False),
    (NarrowConv, (4, 3, 7, 1, 3), 7, 8, True),
    (StridedConv, (4, 6, 4, 2, 1), 2, 2, True),
    (StridedConv, (4, 6, 4, 2, 1), 4, 4, True),
    (StridedConv, (4, 6, 4, 2, 1), 3, 3, True),
    (StridedConv, (4, 6, 3, 2, 1), 8, 8, True),
    (StridedConv, (4, 6, 3, 2, 1), 1, 1, True),
    (PaddedConv, (3, 6, 7, 1, 3), 8, 8, True),
    (PaddedConv, (3, 6, 7, 1, 3), 8, 8, False),
    (PaddedConv, (3, 6, 7, 1, 3), 7, 8, True),
    (PaddedConv, (5, 6, 7, 1, 3), 8, 8, True),
]


@pytest.mark.parametrize(
    ("mode", "kind", "shape", "h", "w", "bias"),
    # One pixel cannot be reflected.
    [(mode, *of) for mode in MODES for of in SHAPES if mode != "reflect" or of[2] > 1],
)
def test_a_rearranged_convolution_is_a_convolution(mode, kind, shape, h, w, bias):
    layer = kind(*shape, padding_mode=mode, bias=bias).double()
    choose(layer, ["kernels"])
    x = normal(3, shape[0], h, w).requires_grad_()
    of_padded = padded(x, shape[4], mode)
    assert_same(layer, x, F.conv2d(of_padded, layer.weight, layer.bias, stride=shape[3]))
    if kind is PaddedConv:
        rearranged = type(layer(x).grad_fn).__name__ == "_OfPicturesBackward"
        assert rearranged == (shape[0] == 3 and h == 8)


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
