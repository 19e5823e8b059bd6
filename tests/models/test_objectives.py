"""The terms of every method's objective, and what their gradients reach."""

import pytest
import torch
from tiny_methods import Features, make, pictures, training_noise
from torch import Tensor

from models.errors import UserError
from models.losses import Terms, perceptual
from models.method import Method


def terms_of(method: Method, seed: int = 5) -> Terms:
    noise = training_noise(method, "generator", 2, seed=seed)
    return method.generator_terms(pictures(2), pictures(2, seed=1), noise)[0]


def gradients(method: Method) -> dict[str, Tensor]:
    method.zero_grad()
    method.generator_loss(terms_of(method)).backward()
    return {k: p.grad for k, p in method.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("name", "settings"),
    [("munit-wo-x", {}), *((name, {"gan": 0.0}) for name in ("unit", "cyclegan", "bicyclegan"))],
)
def test_monitored_terms_change_no_gradient(name: str, settings: dict[str, object]) -> None:
    plain, monitored = make(name, **settings), make(name, **settings)
    monitored.monitor = True
    assert set(terms_of(plain)) == {k for k, w in plain.generator_weights.items() if w}
    assert set(terms_of(plain)) < set(terms_of(monitored)) <= set(plain.generator_weights)
    expected, got = gradients(plain), gradients(monitored)
    assert set(got) == set(expected)
    for key, gradient in got.items():
        torch.testing.assert_close(gradient, expected[key], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("letter", ["x", "c", "s"])
def test_an_ablation_lacks_one_term_and_keeps_the_others(letter: str) -> None:
    full, ablated, passes = make("munit"), make(f"munit-wo-{letter}"), [0, 0]
    saved = "gen_a.content" if letter == "c" else "gen_a.style"
    for k, method in enumerate((full, ablated)):
        network = method.get_submodule(saved)
        network.register_forward_hook(lambda *_, k=k: passes.__setitem__(k, passes[k] + 1))
    terms, fewer = terms_of(full), terms_of(ablated)
    assert passes[1] == passes[0] - 1
    assert set(terms) - set(fewer) == {f"recon_{letter}_a", f"recon_{letter}_b"}
    for key, value in fewer.items():
        torch.testing.assert_close(value, terms[key], rtol=1e-4, atol=1e-6)
    # What of the style encoder is left to learn from.
    found = gradients(ablated)
    assert all(v.abs().max() > 0 for k, v in found.items() if ".style." in k)
    assert sum(".style." in k for k in found) == 2 * 8


@pytest.mark.parametrize("name", ["munit", "unit"])
def test_perceptual_term_compares_a_translation_with_its_input(name: str) -> None:
    method = make(name, perceptual=1.0)
    with pytest.raises(AssertionError, match="VGG"):
        terms_of(method)
    method.features = Features()
    noise = training_noise(method, "generator", 2)
    terms, fakes = method.generator_terms(pictures(2), pictures(2, seed=1), noise)
    expected = perceptual(method.features(fakes["x_ab"]), method.features(pictures(2)))
    torch.testing.assert_close(terms["perceptual_b"], expected)
    terms["perceptual_b"].backward()
    decoder = method.gen_b.decoder if name == "munit" else method.dec_b
    assert all(p.grad is not None for p in decoder.parameters())


def test_conditional_discriminators_of_bicyclegan_see_the_input_too() -> None:
    method = make("bicyclegan", conditional=True)
    x_a, x_b = pictures(4), pictures(4, seed=1)
    noise = training_noise(method, "generator", 4)
    _, fakes = method.generator_terms(x_a, x_b, noise)
    shown = torch.cat((x_a[:2], method.gen(x_a[:2], noise["z_random"][:2])), 1)
    torch.testing.assert_close(fakes["random"], shown)
    real = torch.cat((x_a[2:], x_b[2:]), 1)
    expected = sum(m.square().mean() for m in method.dis2(shown)) + sum(
        (m - 1).square().mean() for m in method.dis2(real)
    )
    found = method.discriminator_terms(x_a, x_b, fakes)["dis2"]
    torch.testing.assert_close(found, expected)


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


def test_bicyclegan_refuses_odd_batches() -> None:
    method = make("bicyclegan")
    with pytest.raises(UserError, match="batch 3 must be even; use 4"):
        method.generator_terms(pictures(3), pictures(3), {})


@pytest.mark.parametrize(("cycle", "cycle_b"), [(0.0, 5.0), (5.0, 0.0), (2.0, None)])
def test_cyclegans_two_cycle_weights(cycle: float, cycle_b: float | None) -> None:
    method = make("cyclegan", cycle=cycle, cycle_b=cycle_b)
    second = cycle if cycle_b is None else cycle_b
    weights = method.generator_weights
    assert (weights["cycle_a"], weights["cycle_b"]) == (cycle, second)
    assert (weights["identity_a"], weights["identity_b"]) == (0.5 * cycle, 0.5 * second)
    assert {"cycle_a", "identity_b"} <= set(terms_of(method))
