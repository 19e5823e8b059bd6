"""What every method promises, at sizes of a few pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.blocks import CountedDropout
from models.cyclegan import ImagePool
from models.errors import UserError
from models.losses import Terms, l1
from models.method import Method, MethodConfig, Phase
from models.zoo import METHODS, make_config, make_method
from reproduce.trainer import Trainer

MUNIT: dict[str, object] = dict(
    dim=2, mlp_dim=4, style_dim=3, n_downsample=1, n_style_downsample=2, n_res=1,
    dis_dim=2, dis_layers=2, dis_scales=2,
)  # fmt: skip
UNIT: dict[str, object] = dict(
    dim=2, n_downsample=1, n_res=1, dis_dim=2, dis_layers=2, dis_scales=2
)
CYCLEGAN: dict[str, object] = dict(dim=2, dis_dim=2, dis_layers=1)
TINY: dict[str, dict[str, object]] = {
    "unit": UNIT,
    "unit-release": UNIT,
    "cyclegan": CYCLEGAN | dict(n_blocks=1),
    "cyclegan-noise": CYCLEGAN | dict(depth=3),
    "munit-wo-x": MUNIT,
    "munit-wo-c": MUNIT,
    "munit-wo-s": MUNIT,
    "munit": MUNIT,
    "bicyclegan": dict(dim=2, depth=3, enc_dim=2, enc_blocks=2, dis_dim=2, dis_layers=1),
}
EVERY = pytest.mark.parametrize("name", METHODS)
SIZE = 16


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small only lose time to threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make(name: str, seed: int = 0, **settings: object) -> Any:
    generator = torch.Generator().manual_seed(seed)
    method = make_method(name, make_config(name, TINY[name] | settings), generator)
    with torch.no_grad():  # far from the first weights, where all is nearly zero
        for p in method.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.2)
    return method


def pictures(n: int, h: int = SIZE, w: int = SIZE, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def training_noise(
    method: Method, phase: Phase, n: int, h: int = SIZE, w: int = SIZE, seed: int = 5
) -> dict[str, Tensor]:
    generator = draws(seed)
    return {k: s.draw(n, generator) for k, s in method.training_noise(phase, h, w).items()}


def terms_of(method: Method, seed: int = 5) -> Terms:
    noise = training_noise(method, "generator", 2, seed=seed)
    return method.generator_terms(pictures(2), pictures(2, seed=1), noise)[0]


def gradients(method: Method) -> dict[str, Tensor]:
    method.zero_grad()
    method.generator_loss(terms_of(method)).backward()
    return {k: p.grad for k, p in method.named_parameters() if p.grad is not None}


def test_tiny_configurations_cover_the_zoo() -> None:
    assert set(TINY) == set(METHODS)


# Translation ------------------------------------------------------------------------------------


@EVERY
@torch.no_grad()
def test_translations_have_the_shape_and_range_of_pictures(name: str) -> None:
    method = make(name)
    x = pictures(2, SIZE, 2 * SIZE)
    for direction in method.directions:
        for noise in (None, method.draw_noise(2, SIZE, 2 * SIZE, draws(1))):
            y = method.translate(x, direction, noise)
            assert y.shape == x.shape and y.abs().max() <= 1 and bool(torch.isfinite(y).all())


@EVERY
@torch.no_grad()
def test_directions_differ_and_the_input_matters(name: str) -> None:
    method = make(name)
    x, noise = pictures(2), method.draw_noise(2, SIZE, SIZE, draws(1))
    outs = [method.translate(x, d, noise) for d in method.directions]
    assert len(outs) == 1 or (outs[0] - outs[1]).abs().max() > 1e-3
    other = method.translate(pictures(2, seed=9), method.directions[0], noise)
    assert (outs[0] - other).abs().max() > 1e-4
    if method.directions == ("a2b",):
        with pytest.raises(UserError, match="a2b only"):
            method.translate(x, "b2a", noise)


@EVERY
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
    if not noise:
        pytest.fail(f"{name} is deterministic: none of the tables' methods is")


@torch.no_grad()
def test_deep_unets_drop_out() -> None:
    method = make("cyclegan-noise", depth=6)
    x, noise = pictures(2, 64, 64), method.draw_noise(2, 64, 64, draws(1))
    first = method.translate(x, "a2b", noise)
    other = method.translate(x, "a2b", noise | {"dropout": torch.tensor([3, 4])})
    assert (other - first).abs().flatten(1).max(1).values.min() > 1e-6
    assert torch.equal(method.translate(x, "a2b", noise), first)


@EVERY
@torch.no_grad()
def test_a_picture_is_translated_alone_as_in_a_batch(name: str) -> None:
    method = make(name)
    x, noise = pictures(4), method.draw_noise(4, SIZE, SIZE, draws(1))
    for direction in method.directions:
        together = method.translate(x, direction, noise)
        for i in range(4):
            own = {k: v[i : i + 1] for k, v in noise.items()}
            alone = method.translate(x[i : i + 1], direction, own)
            torch.testing.assert_close(alone, together[i : i + 1], rtol=0, atol=1e-5)


@EVERY
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


@EVERY
@torch.no_grad()
def test_guided_translation(name: str) -> None:
    method = make(name)
    x, red, blue = pictures(2), pictures(2, 24, 32, seed=7), pictures(2, 24, 32, seed=8)
    if not method.guided:
        with pytest.raises(UserError, match="only munit and bicyclegan"):
            method.translate_guided(x, "a2b", red)
        return
    for direction in method.directions:
        y = method.translate_guided(x, direction, red)
        assert y.shape == x.shape
        assert (y - method.translate_guided(x, direction, blue)).abs().max() > 1e-5
    if isinstance(method.config, METHODS["munit"].config):
        style = method.gen_b.style(red)
        expected = method.translate(x, "a2b", {"style": style})
    else:
        expected = method.translate(x, "a2b", {"z": method.encoder(red)[0]})
    torch.testing.assert_close(method.translate_guided(x, "a2b", red), expected)


def test_noise_is_drawn_role_by_role_from_the_generator() -> None:
    method = make("cyclegan-noise")
    first = method.draw_noise(3, SIZE, SIZE, draws(4))
    again = method.draw_noise(3, SIZE, SIZE, draws(4))
    assert set(first) == {"z", "dropout"}
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert first["z"].shape == (3, 8) and first["dropout"].dtype == torch.int64
    normal = make("munit").draw_noise(4000, SIZE, SIZE, draws(0))["style"]
    assert abs(normal.mean()) < 0.05 and abs(normal.std() - 1) < 0.05


# Objectives -------------------------------------------------------------------------------------


@EVERY
def test_terms_and_weights_have_the_same_names(name: str) -> None:
    method = make(name)
    used = {k for k, w in method.generator_weights.items() if w}
    assert set(terms_of(method)) == used
    method.monitor = True
    assert set(terms_of(method)) <= set(method.generator_weights)


@EVERY
def test_monitored_terms_change_no_gradient(name: str) -> None:
    settings: dict[str, object] = {"gan": 0.0} if "wo" not in name else {}
    plain, monitored = make(name, **settings), make(name, **settings)
    monitored.monitor = True
    assert set(terms_of(plain)) < set(terms_of(monitored))
    expected, got = gradients(plain), gradients(monitored)
    assert set(got) == set(expected)
    for key, gradient in got.items():
        torch.testing.assert_close(gradient, expected[key], rtol=1e-3, atol=1e-5)


class Counter:
    """Counts the passes through a network."""

    def __init__(self, network: nn.Module) -> None:
        self.passes = 0
        network.register_forward_hook(self.count)

    def count(self, *_: object) -> None:
        self.passes += 1


@pytest.mark.parametrize("letter", ["x", "c", "s"])
def test_an_ablation_lacks_one_term_and_keeps_the_others(letter: str) -> None:
    full, ablated = make("munit"), make(f"munit-wo-{letter}")
    counters = {k: (Counter(full.get_submodule(k)), Counter(ablated.get_submodule(k)))
                for k in ("gen_a.content", "gen_a.style", "gen_a.decoder.res.0")}  # fmt: skip
    terms, fewer = terms_of(full), terms_of(ablated)
    assert set(terms) - set(fewer) == {f"recon_{letter}_a", f"recon_{letter}_b"}
    for key, value in fewer.items():
        torch.testing.assert_close(value, terms[key], rtol=1e-4, atol=1e-6)
    passes = {k: (a.passes, b.passes) for k, (a, b) in counters.items()}
    saved = {"x": "gen_a.style", "c": "gen_a.content", "s": "gen_a.style"}[letter]
    for key, (with_term, without) in passes.items():
        assert without == with_term - (key == saved)


def test_without_x_reconstruction_the_style_encoder_still_learns() -> None:
    found = gradients(make("munit-wo-x"))
    style = {k: v for k, v in found.items() if ".style." in k}
    assert len(style) == 2 * 8 and all(v.abs().max() > 0 for v in style.values())


def test_without_s_reconstruction_the_style_encoder_learns_from_x() -> None:
    found = gradients(make("munit-wo-s"))
    assert all(v.abs().max() > 0 for k, v in found.items() if ".style." in k)


def test_munit_terms_by_hand() -> None:
    method = make("munit", cycle=2.0)
    a, b, x_a, x_b = method.gen_a, method.gen_b, pictures(2), pictures(2, seed=1)
    noise = training_noise(method, "generator", 2)
    terms, fakes = method.generator_terms(x_a, x_b, noise)
    c_a, c_b = a.content(x_a), b.content(x_b)
    x_ab, x_ba = b.decoder(c_a, noise["s_b"]), a.decoder(c_b, noise["s_a"])
    expected = {
        "recon_x_a": l1(a.decoder(c_a, a.style(x_a)), x_a),
        "recon_x_b": l1(b.decoder(c_b, b.style(x_b)), x_b),
        "recon_c_a": l1(b.content(x_ab), c_a),
        "recon_c_b": l1(a.content(x_ba), c_b),
        "recon_s_a": l1(a.style(x_ba), noise["s_a"]),
        "recon_s_b": l1(b.style(x_ab), noise["s_b"]),
        "cycle_a": l1(a.decoder(b.content(x_ab), a.style(x_a)), x_a),
        "cycle_b": l1(b.decoder(a.content(x_ba), b.style(x_b)), x_b),
        "gan_a": sum((m - 1).square().mean() for m in method.dis_a(x_ba)),
        "gan_b": sum((m - 1).square().mean() for m in method.dis_b(x_ab)),
    }
    assert set(terms) == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(terms[key], value, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(fakes["x_ab"], x_ab)
    torch.testing.assert_close(method.fakes(x_a, x_b, noise)["x_ba"], x_ba)


class Features(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = draws(3)
        self.conv = nn.Conv2d(3, 4, 3)
        nn.init.normal_(self.conv.weight, generator=generator)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x))


@pytest.mark.parametrize("name", ["munit", "unit-release", "unit"])
def test_perceptual_term_compares_a_translation_with_its_input(name: str) -> None:
    method = make(name, perceptual=1.0)
    with pytest.raises(AssertionError, match="VGG"):
        terms_of(method)
    method.features = Features()
    noise = training_noise(method, "generator", 2)
    terms, fakes = method.generator_terms(pictures(2), pictures(2, seed=1), noise)

    def normed(x: Tensor) -> Tensor:
        f = method.features(x)
        return (f - f.mean((2, 3), keepdim=True)) / (
            f.var((2, 3), keepdim=True, unbiased=False) + 1e-5
        ).sqrt()

    expected = (normed(fakes["x_ab"]) - normed(pictures(2))).square().mean()
    torch.testing.assert_close(terms["perceptual_b"], expected)
    terms["perceptual_a"].backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in method.dec_a.parameters()) if (
        name != "munit"
    ) else any(p.grad is not None for p in method.gen_a.parameters())  # fmt: skip
    assert all(p.grad is None for p in method.features.parameters())


def test_unit_shares_the_blocks_between_its_encoders_and_generators() -> None:
    method = make("unit", dropout=0.0)
    x = pictures(1)
    for network, run in (
        (method.shared_enc, lambda d: method.encode(x, d)),
        (method.shared_dec, lambda d: method.decode(torch.ones(1, method.latent_dim, 8, 8), d)),
    ):
        weights = list(network.parameters())
        assert weights
        for domain in "ab":  # each domain alone moves the shared weights
            method.zero_grad()
            run(domain).square().sum().backward()
            assert all(p.grad is not None for p in weights)
            assert any(p.grad.abs().max() > 0 for p in weights)
            other = "b" if domain == "a" else "a"
            assert all(p.grad is None for p in getattr(method, f"enc_{other}").parameters())
    unshared = make("unit", n_shared=0)
    assert not list(unshared.shared_enc.parameters())
    assert not list(make("unit-release").shared_enc.parameters())


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


def test_units_dropout_depends_on_the_seed_alone() -> None:
    method = make("unit")
    seeds = torch.tensor([5, 5])
    x = pictures(1).repeat(2, 1, 1, 1)
    h = method.encode(x, "a", seeds)
    assert torch.equal(h[0], h[1])  # same seed, same mask
    assert not torch.equal(method.encode(x, "a", seeds + 1)[0], h[0])


def test_latent_term_of_bicyclegan_does_not_move_the_encoder() -> None:
    method = make("bicyclegan")
    terms = terms_of(method)
    terms["latent"].backward(retain_graph=True)
    assert all(p.grad is None for p in method.encoder.parameters())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in method.gen.parameters())
    (terms["l1"] + terms["kl"]).backward()
    assert all(p.grad is not None for p in method.encoder.parameters())
    assert all(p.requires_grad for p in method.encoder.parameters())


def test_bicyclegan_terms_by_hand() -> None:
    method = make("bicyclegan", conditional=True)
    x_a, x_b = pictures(4), pictures(4, seed=1)
    noise = training_noise(method, "generator", 4)
    terms, fakes = method.generator_terms(x_a, x_b, noise)
    a, b, z = x_a[:2], x_b[:2], noise["z_random"][:2]
    mu, logvar = method.encoder(b)
    encoded = method.gen(a, mu + (logvar / 2).exp() * noise["eps"][:2])
    random = method.gen(a, z)
    torch.testing.assert_close(terms["l1"], (encoded - b).abs().mean())
    torch.testing.assert_close(terms["latent"], (method.encoder(random)[0] - z).abs().mean())
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()
    torch.testing.assert_close(terms["kl"], kl)
    torch.testing.assert_close(fakes["random"], torch.cat((a, random), 1))
    judged = method.discriminator_terms(x_a, x_b, fakes)
    real = torch.cat((x_a[2:], x_b[2:]), 1)
    expected = sum(m.square().mean() for m in method.dis2(fakes["random"])) + sum(
        (m - 1).square().mean() for m in method.dis2(real)
    )
    torch.testing.assert_close(judged["dis2"], expected)


@pytest.mark.parametrize("scales", [1, 2])
def test_bicyclegans_single_scale_sums_over_the_pictures(scales: int) -> None:
    """Its GAN loss sums over a list of maps; of one scale, that list is the batch."""
    method = make("bicyclegan", dis_scales=scales)
    noise = training_noise(method, "generator", 6)
    terms, fakes = method.generator_terms(pictures(6), pictures(6, seed=1), noise)
    means = [(m - 1).square().mean() for m in method.dis(fakes["encoded"])]
    torch.testing.assert_close(terms["gan"], sum(means) * (3 if scales == 1 else 1))


def test_bicyclegan_with_one_discriminator_shows_it_both_translations() -> None:
    method = make("bicyclegan", same_discriminator=True, gan2=0.0)
    assert method.dis2 is None and method.discriminator_weights == {"dis": 1, "dis2": 1}
    assert make("bicyclegan", gan2=0.0).dis2 is None
    assert make("bicyclegan", gan2=0.0).discriminator_weights == {"dis": 1, "dis2": 0}


@pytest.mark.parametrize("n", [1, 3])
def test_bicyclegan_refuses_odd_batches(n: int) -> None:
    method = make("bicyclegan")
    noise = training_noise(method, "generator", n)
    with pytest.raises(UserError, match=f"batch {n} must be even; use {n + 1}"):
        method.generator_terms(pictures(n), pictures(n), noise)


@pytest.mark.parametrize(("cycle", "cycle_b"), [(0.0, 5.0), (5.0, 0.0), (2.0, None)])
def test_cyclegans_two_cycle_weights(cycle: float, cycle_b: float | None) -> None:
    method = make("cyclegan", cycle=cycle, cycle_b=cycle_b)
    second = cycle if cycle_b is None else cycle_b
    weights = method.generator_weights
    assert (weights["cycle_a"], weights["cycle_b"]) == (cycle, second)
    assert (weights["identity_a"], weights["identity_b"]) == (0.5 * cycle, 0.5 * second)
    terms = terms_of(method)
    expected = sum(w * terms[k] for k, w in weights.items())
    torch.testing.assert_close(method.generator_loss(terms), expected)


def test_cyclegan_terms_by_hand() -> None:
    method = make("cyclegan", dropout=False)
    x_a, x_b = pictures(2), pictures(2, seed=1)
    terms, fakes = method.generator_terms(x_a, x_b, {})
    ab, ba = method.gen_ab, method.gen_ba
    torch.testing.assert_close(fakes["x_ab"], ab(x_a))
    for key, value in {
        "cycle_a": l1(ba(ab(x_a)), x_a), "cycle_b": l1(ab(ba(x_b)), x_b),
        "identity_a": l1(ba(x_a), x_a), "identity_b": l1(ab(x_b), x_b),
        "gan_b": (method.dis_b(ab(x_a))[0] - 1).square().mean(),
        "gan_a": (method.dis_a(ba(x_b))[0] - 1).square().mean(),
    }.items():  # fmt: skip
        torch.testing.assert_close(terms[key], value)


# Image pool -------------------------------------------------------------------------------------


def numbered(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_pool_shows_new_pictures_until_it_is_full() -> None:
    pool = ImagePool(5)
    for i in range(0, 4, 2):
        assert torch.equal(pool.query(numbered(i, i + 1), draws(i)), numbered(i, i + 1))
    assert pool.count == 4
    pool.query(numbered(4), draws(9))
    assert pool.count == 5 and pool.state is not None
    assert torch.equal(pool.state, numbered(0, 1, 2, 3, 4))


def test_full_pool_swaps_half_of_the_time() -> None:
    pool, swaps, steps = ImagePool(50), 0, 2000
    pool.query(numbered(*range(50)), draws(0))
    for i in range(50, 50 + steps):
        before = pool.state.clone() if pool.state is not None else torch.empty(0)
        value = pool.query(numbered(i), draws(i))[0, 0, 0, 0].item()
        assert pool.state is not None
        changed = (pool.state != before).flatten(1).any(1).nonzero().flatten().tolist()
        if value == i:
            assert changed == []  # a picture that is shown is not kept
        else:
            assert len(changed) == 1 and before[changed[0], 0, 0, 0] == value
            assert pool.state[changed[0], 0, 0, 0] == i
            swaps += 1
    assert abs(swaps - steps / 2) < 5 * math.sqrt(steps / 4)


def test_pool_of_one_and_repeatability() -> None:
    def shown() -> list[float]:
        pool = ImagePool(1)
        return [pool.query(numbered(i), draws(i))[0, 0, 0, 0].item() for i in range(60)]

    values = shown()
    assert values == shown()
    last = 0.0
    for i, value in enumerate(values):
        assert value in (i, last)
        last = i if value != i or i == 0 else last
    assert sum(v == i for i, v in enumerate(values)) not in (1, 60)


def test_pool_size_is_a_setting() -> None:
    assert make("cyclegan", pool=0).pool_names() == {}
    assert make("cyclegan", pool=7).pool_names() == {"x_ab": 7, "x_ba": 7}
    assert make("munit").pool_names() == {}


# Learning rate ----------------------------------------------------------------------------------


def test_step_schedule_is_torchs_stepped_before_the_update() -> None:
    config = MethodConfig(lr=1.0, lr_policy="step", lr_step=3, lr_gamma=0.5)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 3, 0.5)
    for step in range(10):
        optimiser.step()
        scheduler.step()
        assert config.lr_factor(step, 10) == optimiser.param_groups[0]["lr"]
    assert MethodConfig(lr_policy="step", lr_step=1).lr_factor(0, 10) == 0.5


def test_linear_schedule_is_cyclegans_100_plus_100_epochs() -> None:
    config = MethodConfig(lr_policy="linear")
    factors = [config.lr_factor(e, 200) for e in range(200)]
    assert factors[:100] == [1.0] * 100
    for epoch in range(100, 200):  # lambda_rule: 1 - (epoch + 1 - niter) / (niter_decay + 1)
        assert factors[epoch] == pytest.approx(1 - (epoch - 99) / 101)
    assert factors[-1] == pytest.approx(1 / 101)
    for total in (1, 2, 3, 7):
        assert all(0 < config.lr_factor(s, total) <= 1 for s in range(total))


def test_constant_schedule() -> None:
    assert {MethodConfig().lr_factor(s, 5) for s in range(5)} == {1.0}


# Legal sizes ------------------------------------------------------------------------------------

FIT_CASES: list[tuple[str, dict[str, object], int]] = [
    ("munit", {}, 2),
    ("munit", dict(n_downsample=2, n_style_downsample=4, dis_scales=1), 4),
    ("munit", dict(dis_layers=3, dis_scales=3, pad="zero", dis_pad="zero"), 2),
    ("munit", dict(dis_norm="in", dis_layers=3, dis_pad="replicate", pad="replicate"), 2),
    ("munit", dict(n_downsample=0, n_style_downsample=1, dis_layers=1, dis_scales=1), 1),
    ("unit-release", dict(dis_layers=3), 2),
    ("unit", dict(n_downsample=2, dis_layers=5, dis_scales=1), 4),
    ("unit", dict(dis_layers=5, dis_scales=1, dis_pad="reflect"), 2),
    ("cyclegan", dict(dis_layers=3), 4),
    ("cyclegan", {}, 4),
    ("cyclegan-noise", dict(depth=3, dis_layers=2), 8),
    ("bicyclegan", dict(depth=2, enc_blocks=4), 4),
    ("bicyclegan", dict(depth=2, enc_kind="conv", enc_blocks=3), 4),
    ("bicyclegan", dict(depth=3, dis_layers=2, where="input", dis_scales=1), 8),
]


def trains(method: Method, h: int, w: int) -> bool:
    trainer = Trainer(method, 0, 1)
    try:
        trainer.step(pictures(2, h, w), pictures(2, h, w, seed=1), 0)
    except (RuntimeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(("name", "settings", "multiple"), FIT_CASES, ids=str)
def test_legal_sizes_train_and_illegal_ones_cannot(
    name: str, settings: Mapping[str, object], multiple: int
) -> None:
    method = make(name, **settings)
    legal = [s for s in range(4, 65) if method.fits(s)]
    assert legal and all(s % multiple == 0 for s in legal)
    refused = [s for s in range(4, 65) if s % multiple == 0 and s not in legal]
    for size in refused:
        assert not trains(method, size, size), f"{size} is refused but trains"
    for size in [*legal[:2], legal[-1]]:
        assert trains(method, size, size), f"{size} is legal but fails"
    assert trains(method, legal[0], legal[1])  # not square


@EVERY
def test_illegal_sizes_name_the_nearest_legal(name: str) -> None:
    method = make(name)
    legal = [s for s in range(4, 200) if method.fits(s)]
    method.check_size(legal[0], legal[-1])
    for size in (5, 17, 33, 63):
        if method.fits(size):
            continue
        with pytest.raises(UserError, match=f"size {size}x{legal[1]} is illegal") as error:
            method.check_size(size, legal[1])
        named = str(error.value).split()[-1].split("x")
        near, kept = int(named[0]), int(named[1])
        assert kept == legal[1] and method.fits(near)
        assert abs(near - size) == min(abs(s - size) for s in legal)


def test_impossible_settings_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="no size up to 4096 is legal for Munit"):
        make("munit", n_style_downsample=13).check_size(256, 256)


@EVERY
def test_the_papers_size_is_legal_by_default(name: str) -> None:
    with torch.device("meta"):
        method = make_method(name, make_config(name, {}), torch.Generator())
        for h, w in ((256, 256), (256, 512)):
            method.check_size(h, w)
            noise = {
                k: torch.empty(2, *s.shape, dtype=torch.int64 if s.kind == "seed" else None)
                for k, s in method.training_noise("generator", h, w).items()
            }
            x = torch.empty(2, 3, h, w)
            terms, fakes = method.generator_terms(x, x, noise)
            assert set(terms) == {k for k, v in method.generator_weights.items() if v}
            assert {f.shape[2:] for f in fakes.values()} == {torch.Size((h, w))}
            assert method.discriminator_loss(method.discriminator_terms(x, x, fakes)).shape == ()
