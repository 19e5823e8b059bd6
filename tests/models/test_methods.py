"""What every method's networks and translations promise, at sizes of a few pixels."""

import pytest
import torch
from tiny_methods import EVERY_NETWORK, SIZE, draws, make, pictures
from torch import Tensor, nn

from models.blocks import CountedDropout
from models.errors import UserError


@EVERY_NETWORK
@torch.no_grad()
def test_directions_differ_and_the_input_matters(name: str) -> None:
    method = make(name)
    x, noise = pictures(2, SIZE, 2 * SIZE), method.draw_noise(2, SIZE, 2 * SIZE, draws(1))
    outs = [method.translate(x, d, noise) for d in method.directions]
    assert all(y.shape == x.shape and y.abs().max() <= 1 for y in outs)
    assert len(outs) == 1 or (outs[0] - outs[1]).abs().max() > 1e-3
    other = method.translate(pictures(2, SIZE, 2 * SIZE, seed=9), method.directions[0], noise)
    assert (outs[0] - other).abs().max() > 1e-4


@EVERY_NETWORK
@torch.no_grad()
def test_noise_decides_the_translation(name: str) -> None:
    method = make(name)
    x = pictures(3)
    noise = method.draw_noise(3, SIZE, SIZE, draws(1))
    for direction in method.directions:
        first = method.translate(x, direction, noise)
        torch.randn(3)  # nothing is drawn inside
        method.translate(x, direction, method.draw_noise(3, SIZE, SIZE, draws(2)))
        assert torch.equal(method.translate(x, direction, noise), first)
        for role, spec in method.sampling_noise(SIZE, SIZE).items():
            if name == "cyclegan-noise" and role == "dropout":
                continue  # its U-Net has dropout from level 5 on, see below
            other = noise | {role: spec.draw(3, draws(3))}
            assert (method.translate(x, direction, other) - first).abs().max() > 1e-6, role


@torch.no_grad()
def test_deep_unets_drop_out() -> None:
    method = make("cyclegan-noise", depth=6)
    x, noise = pictures(2, 64, 64), method.draw_noise(2, 64, 64, draws(1))
    first = method.translate(x, "a2b", noise)
    other = method.translate(x, "a2b", noise | {"dropout": torch.tensor([3, 4])})
    assert (other - first).abs().flatten(1).max(1).values.min() > 1e-6


@EVERY_NETWORK
@torch.no_grad()
def test_a_picture_is_translated_alone_as_in_a_batch(name: str) -> None:
    method = make(name)
    x, noise = pictures(3), method.draw_noise(3, SIZE, SIZE, draws(1))
    for direction in method.directions:
        together = method.translate(x, direction, noise)
        alone = method.translate(x[1:2], direction, {k: v[1:2] for k, v in noise.items()})
        torch.testing.assert_close(alone, together[1:2], rtol=0, atol=1e-5)


@EVERY_NETWORK
@torch.no_grad()
def test_no_noise_is_the_mean_translation_and_has_no_memory(name: str) -> None:
    method = make(name)
    x = pictures(2)
    noise = method.draw_noise(2, SIZE, SIZE, draws(1))
    zero = {k: torch.zeros_like(v) for k, v in noise.items() if v.is_floating_point()}
    for direction in method.directions:
        mean = method.translate(x, direction)
        method.translate(x, direction, noise)  # leaves no dropout seeds behind
        assert torch.equal(method.translate(x, direction), mean)
        if zero:
            torch.testing.assert_close(method.translate(x, direction, zero), mean)


@EVERY_NETWORK
@torch.no_grad()
def test_guided_translation(name: str) -> None:
    method = make(name)
    x, red, blue = pictures(2), pictures(2, 24, 32, seed=7), pictures(2, 24, 32, seed=8)
    if not method.style_role:
        with pytest.raises(UserError, match="only munit and bicyclegan"):
            method.translate_guided(x, "a2b", red)
        return
    for direction in method.directions:
        y = method.translate_guided(x, direction, red)
        assert (y - method.translate_guided(x, direction, blue)).abs().max() > 1e-5
    code = method.gen_b.style(red) if name == "munit" else method.encoder(red)[0]
    expected = method.translate(x, "a2b", {method.style_role: code})
    torch.testing.assert_close(method.translate_guided(x, "a2b", red), expected)


def test_styles_are_drawn_from_the_normal_distribution() -> None:
    styles = make("munit").draw_noise(4000, SIZE, SIZE, draws(0))["style"]
    assert abs(styles.mean()) < 0.05 and abs(styles.std() - 1) < 0.05


def test_unit_shares_the_blocks_between_its_encoders_and_generators() -> None:
    method = make("unit", dropout=0.0)
    x = pictures(1)
    for network, run in (
        (method.shared_enc, lambda d: method.encode(x, d)),
        (method.shared_dec, lambda d: method.decode(torch.ones(1, method.latent_dim, 8, 8), d)),
    ):
        weights = list(network.parameters())
        for domain in "ab":  # each domain alone moves the shared weights
            method.zero_grad()
            run(domain).square().sum().backward()
            assert any(p.grad.abs().max() > 0 for p in weights)
    for unshared in (make("unit", n_shared=0), make("unit-release")):
        assert not list(unshared.shared_enc.parameters())


@torch.no_grad()
def test_no_two_dropout_layers_of_unit_share_a_mask() -> None:
    method = make("unit", n_res=2, n_shared=2)
    kept: list[Tensor] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        kept.append((out == 0).flatten().double())

    for layer in method.modules():
        if isinstance(layer, CountedDropout):
            layer.register_forward_hook(note)
    x = pictures(1, 32, 32)
    noise = method.draw_noise(1, 32, 32, draws(1))
    for direction in method.directions:
        kept.clear()
        method.translate(x, direction, noise)
        assert len(kept) == 2 + 2 + 2 + 2  # encoder, shared, shared, generator
        for i, a in enumerate(kept):
            for b in kept[i + 1 :]:
                assert abs(torch.corrcoef(torch.stack((a, b)))[0, 1]) < 5 / len(a) ** 0.5
