"""Every way to be fast computes what the plain path does, and can be switched off."""

import copy
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from tiny_methods import UNLIKE, draws, make, pictures, training_noise
from torch import Tensor, nn

import models.convolutions
from models.blocks import ConvBlock, CountedDropout, InstanceNorm, LeakyReLU
from models.choices import ALL, PLAIN, choose, ways_of
from models.convolutions import PaddedConv
from models.errors import UserError
from models.losses import Terms
from reproduce.training.trainer import Trainer


@pytest.fixture(autouse=True)
def _pictures_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that these small ones are padded again for the gradients."""
    monkeypatch.setattr(models.convolutions, "WORTH", 0)


def gradients(method: Any, noise: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """The terms of both phases, and the gradients of their weighted sums, by name."""
    x_a, x_b = pictures(4).double(), pictures(4, seed=1).double()
    names, found = {p: name for name, p in method.named_parameters()}, dict[str, Tensor]()

    def take(terms: Terms, loss: Tensor, networks: list[nn.Module]) -> None:
        method.zero_grad()
        loss.backward()
        found.update({name: term.detach() for name, term in terms.items()})
        own = [p for network in networks for p in network.parameters() if p.grad is not None]
        found.update({f"{len(networks)}.{names[p]}": p.grad for p in own})

    terms, made = method.generator_terms(x_a, x_b, noise["generator"])
    take(terms, method.generator_loss(terms), method.generators())
    terms = method.discriminator_terms(x_a, x_b, {name: x.detach() for name, x in made.items()})
    take(terms, method.discriminator_loss(terms), method.discriminators())
    return found


def doubled(noise: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.double() if v.is_floating_point() else v for k, v in noise.items()}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *itertools.product(["unit", "munit"], ["batching", "kernels", "norms", "memory"]),
        ("cyclegan-noise", "all"),
        ("bicyclegan", "all"),
    ],
)
def test_every_way_gives_the_plain_terms_and_gradients(name: str, way: str) -> None:
    plain, fast = make(name).double(), make(name).double()
    choose(plain, PLAIN)
    choose(fast, ALL if way == "all" else [way])
    phases = "generator", "discriminator"
    noise = {phase: doubled(training_noise(plain, phase, 4)) for phase in phases}
    expected, found = gradients(plain, noise), gradients(fast, noise)
    assert expected.keys() == found.keys() and len(found) > 10
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=1e-10, msg=key)


def kept(run: Callable[[], Tensor]) -> int:
    """Bytes that autograd keeps for the gradients of ``run()``, each storage once."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = run()
    assert out.requires_grad
    return sum(storages.values())


def test_memory_keeps_no_padded_pictures_where_they_are_large(monkeypatch):
    layers = nn.Sequential(*(ConvBlock(8, 8, 3, 1, 1, activ="lrelu") for _ in range(6)))
    x = torch.randn(2, 8, 32, 32)
    picture = x.numel() * 4
    monkeypatch.setattr(models.convolutions, "WORTH", picture)
    choose(layers, PLAIN)
    before = kept(lambda: layers(x))
    choose(layers, ["memory"])
    # Of each layer the activated picture; plain, what went into the activation and the padded
    # picture too. One more: the input.
    large = kept(lambda: layers(x))
    assert large <= 7 * picture < 0.6 * before
    monkeypatch.setattr(models.convolutions, "WORTH", picture + 1)
    assert kept(lambda: layers(x)) > 1.5 * large


def test_a_leaky_activation_keeps_what_it_returned_alone() -> None:
    layers = nn.Sequential(
        *(m for _ in range(5) for m in (InstanceNorm(8), LeakyReLU(0.2), nn.Conv2d(8, 8, 1)))
    )
    x = torch.randn(2, 8, 32, 32)
    choose(layers, PLAIN)
    before, picture = kept(lambda: layers(x)), x.numel() * 4
    choose(layers, ["memory"])
    # Of each three layers a norm's input and an activation's output, not its input; the first three
    # need no gradient of theirs.
    assert 3.5 * picture < before - kept(lambda: layers(x)) < 4.5 * picture
    y = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(LeakyReLU(0.2), (y,))


def test_dropout_keeps_a_byte_an_element() -> None:
    layer, x = CountedDropout(0.3), torch.randn(2, 8, 32, 32, requires_grad=True)
    # Plain, dropout keeps what it multiplies by, and ReLU its result; of both, their result will do.
    for way, plain, saving in ((layer, 4, 1), (layer.of_relu, 8, 4)):
        layer.seeds = torch.tensor([3, 4])
        outs, gradients, bytes_kept = [], [], []
        for ways in (PLAIN, ["memory"]):
            choose(layer, ways)
            bytes_kept.append(kept(partial(way, x)))
            outs.append(way(x))
            gradients += torch.autograd.grad((outs[-1] * x.detach()).sum(), x)
        assert torch.equal(*outs) and torch.equal(*gradients) and (gradients[0] == 0).any()
        assert bytes_kept == [plain * x.numel(), saving * x.numel()]
        layer.seeds = None
        assert torch.equal(way(x), x if way is layer else torch.relu(x))


def test_a_convolution_under_autocast_is_short() -> None:
    layer = PaddedConv(4, 4, 3, 1, 1, padding_mode="reflect")
    plain = copy.deepcopy(layer)
    choose(plain, PLAIN)
    x, found = torch.randn(1, 4, 8, 8), []
    for one in (layer, plain):
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            out = one(leaf)
        assert out.dtype == torch.bfloat16
        out.float().square().sum().backward()
        assert leaf.grad is not None and leaf.grad.dtype == torch.float32
        assert one.weight.grad is not None and one.weight.grad.dtype == torch.float32
        found.append((out, leaf.grad, one.weight.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


def test_the_choice_reaches_every_layer_and_unknown_ways_are_refused() -> None:
    method = make("munit")
    assert method.fast == ALL
    choose(method, ["kernels"])
    ways = {m.fast for m in method.modules() if hasattr(m, "fast")}
    assert ways == {frozenset({"kernels"})}
    with pytest.raises(UserError, match="'kernel': did you mean kernels"):
        choose(method, ["kernel"])
    assert method.fast == {"kernels"}


def test_ways_are_named_in_words() -> None:
    assert ways_of("plain") == [] and ways_of("all,norms") == sorted(ALL)
    assert ways_of("norms, kernels") == ["kernels", "norms"]
    for words in ("", "plain,norms"):
        with pytest.raises(UserError, match="unknown way"):
            ways_of(words)


@pytest.mark.parametrize(
    ("ways", "encodings", "decodings"), [([], 4, 6), (["sharing"], 2, 6), (["batching"], 4, 4)]
)
def test_sharing_encodes_a_batch_once_a_step_and_batching_halves_the_passes(
    ways: list[str], encodings: int, decodings: int
) -> None:
    method, seen = make("munit"), list[tuple[str, Tensor]]()
    choose(method, ways)
    for name in ("gen_a.content", "gen_b.content", "gen_a.decoder", "gen_b.decoder"):
        method.get_submodule(name).register_forward_hook(
            lambda _, given, __, name=name: seen.append((name, given[0]))
        )
    batch = pictures(2), pictures(2, seed=1)
    Trainer(method, 0, 1).step(*batch, 0)
    assert sum(any(torch.equal(x, y) for y in batch) for _, x in seen) == encodings
    assert sum("decoder" in name for name, _ in seen) == decodings


def test_the_optimiser_is_one_kernel() -> None:
    for ways, fused in (([], False), (["optimiser"], True)):
        method = make("unit")
        choose(method, ways)
        kinds = {o.defaults["fused"] for o in Trainer(method, 0, 1).optimisers.values()}
        assert kinds == {fused}


@UNLIKE
@torch.no_grad()
def test_translations_of_one_picture_are_as_if_each_came_alone(name: str) -> None:
    method = make(name).double()
    x, which = pictures(3).double(), torch.tensor([2, 0, 0, 1, 2])
    for direction in method.directions:
        noise = doubled(method.draw_noise(5, *x.shape[2:], draws(1)))
        expected = method.translate(x[which], direction, noise)
        for given, wanted in ((noise, expected), (None, method.translate(x[which], direction))):
            found = method.translate_each(x, which, direction, given)
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
