"""Settings that are called unread change nothing; all others change something."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator

import pytest
import torch
from tiny_methods import TINY, Features
from torch import Tensor

from models.errors import UserError
from models.zoo import make_config, make_method
from reproduce.training.trainer import Trainer

SIZE, STEPS = 16, 2
REFUSED = "refused"
# What is changed of the smallest methods: discriminators of one scale, terms that count.
BASE: dict[str, dict[str, object]] = {
    "munit": {"dis_scales": 1, "cycle": 1.0}, "unit": {},
    "unit-release": {"dis_layers": 1, "dis_scales": 1}, "cyclegan": {"depth": 3, "pool": 0},
    "cyclegan-noise": {"pool": 0, "identity": 0.5, "cycle": 0.0, "lr_policy": "step"},
    "bicyclegan": {"dis_scales": 1},
}  # fmt: skip
# Configurations: a method, and what differs from its tiny one.
CASES: list[tuple[str, dict[str, object]]] = [
    *((method, {}) for method in BASE),
    ("munit", {"gan": 0.0, "lr_policy": "linear", "perceptual": 1.0}),
    ("unit", {"recipe": "nips-faces", "dis_scales": 1}),
    ("cyclegan", {"cycle": 0.0, "cycle_b": 5.0, "gan": 0.0}),
    ("bicyclegan", {"gan": 0.0, "gan2": 0.0, "enc_blocks": 1}),
    ("bicyclegan", {"gan": 0.0, "same_discriminator": True, "where": "input", "dropout": True}),
]
# Another legal word for every setting that is one.
OTHER = {
    "gan_loss": ("lsgan", "cross-entropy"), "lr_policy": ("constant", "linear", "step"),
    "activ": ("relu", "lrelu"), "dis_activ": ("lrelu", "relu"), "pad": ("reflect", "zero"),
    "dis_pad": ("reflect", "zero"), "dis_norm": ("none", "in"), "norm": ("in", "none"),
    "init": ("gaussian", "xavier"), "generator": ("resnet", "unet"),
    "recipe": ("nips", "release"), "where": ("all", "input"), "upsample": ("basic", "bilinear"),
    "enc_kind": ("resnet", "conv"),
}  # fmt: skip


def settings_of(method: str, changes: dict[str, object]) -> dict[str, object]:
    short = {"lr": 0.01, "lr_step": 2, "lr_gamma": 0.5}
    return TINY[method] | short | BASE[method] | changes


def another(value: object, name: str) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case None:
            return 2.5
        case float():
            return 0.5 * value + 0.2
    return next(word for word in OTHER[name] if word != value)


def behaviour(method: str, settings: dict[str, object]) -> Iterator[object]:
    """All that a configuration decides: networks and first weights, then rates, loss terms and
    weights step by step, and translations. What it refuses is an answer too."""
    try:
        network = make_method(
            method, make_config(method, settings), torch.Generator().manual_seed(3)
        )
        network.check_size(SIZE, SIZE)
    except UserError:
        yield REFUSED
        return
    yield digest(network.state_dict())
    if getattr(network.config, "perceptual", 0):
        network.features = Features()
    yield [network.config.lr_factor(k, 2 * STEPS) for k in range(2 * STEPS)]
    trainer = Trainer(network, 0, 2 * STEPS)
    draws = torch.Generator().manual_seed(1)
    for k in range(STEPS):
        x_a, x_b = torch.rand((2, 2, 3, SIZE, SIZE), generator=draws) * 2 - 1
        yield trainer.step(x_a, x_b, k)
        yield digest(network.state_dict())
    with torch.no_grad():
        noise = network.draw_noise(2, SIZE, SIZE, draws)
        yield digest({d: network.translate(x_a, d, noise) for d in network.directions})


def differs(one: Iterable[object], other: Iterable[object]) -> object:
    """What is first seen of ``one`` that differs from ``other``; None: nothing."""
    pairs = itertools.zip_longest(one, other)
    return next((a for a, b in pairs if a != b), None)


def digest(tensors: dict[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name, tensor in tensors.items():
        whole.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize(("method", "changes"), CASES, ids=["-".join([m, *c]) for m, c in CASES])
def test_unread_is_what_changes_nothing(method: str, changes: dict[str, object]) -> None:
    settings = settings_of(method, changes)
    config = make_config(method, settings)
    usual = list(behaviour(method, settings))
    assert usual != [REFUSED]
    unread = config.unread()
    for field in dataclasses.fields(config):
        # Pictures are RGB; which layer of VGG-16 is compared is read by whoever builds that.
        if field.name in ("channels_a", "channels_b", "perceptual_layer"):
            continue
        # Discriminators that judge nothing are built, checked and stored all the same.
        if field.name in ("dis_norm", "dis_activ", "dis_pad") and config.gan == 0:
            continue
        value = another(getattr(config, field.name), field.name)
        changed = differs(behaviour(method, settings | {field.name: value}), usual)
        if field.name not in unread:
            assert changed is not None, f"{field.name}={value}"
        else:
            assert changed in (None, REFUSED), f"{field.name}={value}"
            # Nor does it decide what else is unread.
            assert dataclasses.replace(config, **{field.name: value}).unread() == unread


def test_a_layer_is_read_with_the_perceptual_loss_alone() -> None:
    assert "perceptual_layer" in make_config("munit", {}).unread()
    assert "perceptual_layer" not in make_config("munit", {"perceptual": 1}).unread()


@pytest.mark.parametrize(("method", "changes"), CASES)
def test_the_remedy_remedies(method: str, changes: dict[str, object]) -> None:
    settings = settings_of(method, changes)
    for name, words in make_config(method, settings).unread().items():
        remedy = dict([words.split("or set ")[1].split("=")])
        assert name not in make_config(method, settings | remedy).unread(), words
