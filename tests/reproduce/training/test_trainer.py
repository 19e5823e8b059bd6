"""One update: what moves, what does not, and what happens when a loss is no number."""

import math
from collections.abc import Iterable

import pytest
import torch
from tiny_methods import EVERY, fresh, pictures
from torch import Tensor

from models.choices import PLAIN, choose
from models.method import Method
from reproduce.training.trainer import LONGEST, Trainer


def weights(method: Method) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in method.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor], *starts: str) -> bool:
    """Bit by bit, where names start so."""
    return all(torch.equal(v, other[k]) for k, v in one.items() if k.startswith(starts or ""))


def names(method: Method, weights: Iterable[Tensor]) -> list[str]:
    """Of these weights."""
    own = {id(p) for p in weights}
    return [name for name, p in method.named_parameters() if id(p) in own]


def steps(trainer: Trainer, *numbers: int) -> list[dict[str, float]]:
    return [trainer.step(pictures(2, seed=2 * k), pictures(2, seed=2 * k + 1), k) for k in numbers]


@EVERY
def test_a_step_moves_every_network_and_records_every_term(name: str) -> None:
    method = fresh(name)
    before = weights(method)
    record = steps(Trainer(method, 0, 9), 0)[0]
    used = {k for k, w in method.generator_weights.items() if w}
    used |= {k for k, w in method.discriminator_weights.items() if w}
    assert set(record) == used
    after = weights(method)
    for network in method.generators() + method.discriminators():
        own = names(method, network.parameters())
        assert not own or any((after[k] != before[k]).any() for k in own)


def test_noise_differs_between_seeds_steps_phases_and_roles() -> None:
    method = fresh("unit")
    drawn = [
        Trainer(method, seed, 9).noise(phase, role, spec, 2, step).numpy().tobytes()
        for seed in (0, 1)
        for step in (0, 1)
        for phase in method.order
        for role, spec in method.training_noise(phase, 16, 16).items()
        if spec.kind == "normal"
    ]
    assert len(set(drawn)) == len(drawn) == 2 * 2 * (2 + 4)


@pytest.mark.parametrize(
    ("name", "which"), [("unit", 0), ("cyclegan-noise", 1), ("munit", 0), ("bicyclegan", 1)]
)
def test_an_update_by_losses_that_are_no_numbers_is_not_taken(name: str, which: int) -> None:
    method = fresh(name)
    trainer = Trainer(method, 0, 9)
    steps(trainer, 0)
    batch = [pictures(2, seed=3), pictures(2, seed=4)]
    batch[which][0, 0, 3, 3] = float("nan")
    before, state = weights(method), moments(trainer)
    record = trainer.step(batch[0], batch[1], 7)
    first = trainer.untaken[0]
    assert (first.step, first.phase) == (7, method.order[0])
    assert first.why.startswith("loss term ") and first.why.endswith(" is nan")
    assert all(math.isfinite(value) for value in record.values())
    untaken = {one.phase for one in trainer.untaken}
    for phase, own in trainer.weights.items():
        after = method.state_dict()
        moved = any(not torch.equal(after[k], before[k]) for k in names(method, own))
        assert moved == (phase not in untaken)
    if len(untaken) == 2:
        assert all(torch.equal(a, b) for a, b in zip(moments(trainer), state, strict=True))
    for pool in trainer.pools.values():
        assert pool.state is not None and pool.state.isfinite().all()
    steps(trainer, 8)
    assert not trainer.untaken


def moments(trainer: Trainer) -> list[Tensor]:
    states = [s for o in trainer.optimisers.values() for s in o.state.values()]
    return [x.clone() for state in states for x in state.values()]


@pytest.mark.parametrize("name", ["munit", "bicyclegan"])
def test_pictures_of_one_colour_leave_weights_that_are_finite_and_move(name: str) -> None:
    method = fresh(name, lr=1e-3, lr_policy="constant")
    choose(method, PLAIN)  # whose rounding such a small network's gradients explode with
    trainer, all_a, untaken = Trainer(method, 0, 48), pictures(16, seed=5), 0
    all_a[3], all_a[7], all_a[11, :, :, :8] = 1, -1, 1  # white, black, white in its left half
    all_b, batch = all_a.flip(0), 2 if name == "bicyclegan" else 1
    for step in range(24):
        if step == 16:
            before = weights(method)
        own = [(step * batch + i) % 16 for i in range(batch)]
        trainer.step(all_a[own], all_b[own], step)
        untaken += len(trainer.untaken)
    assert all(x.isfinite().all() for x in [*method.state_dict().values(), *moments(trainer)])
    still = [k for k, p in method.named_parameters() if torch.equal(p, before[k])]
    assert not still
    assert untaken or name != "munit"  # others have fewer norms in a row here


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_gradient_is_taken_up_to_a_length_for_each_unit_of_weight(factor: float) -> None:
    method = fresh("munit", gan=0.0)
    trainer = Trainer(method, 0, 9)
    before = weights(method)

    def stretch(phase: str) -> None:
        own = [p.grad for p in trainer.weights[phase]]
        length = torch.cat([g.flatten() for g in own]).norm()
        for g in own:
            if length:
                g.mul_(factor * LONGEST["generator"] * (2 * 10 + 2 + 2) / length)

    trainer._after_gradients = stretch
    steps(trainer, 0)
    taken = not torch.equal(method.gen_a.style.head.weight, before["gen_a.style.head.weight"])
    assert taken == (factor < 1)
    told = [] if taken else ["the gradient's length is 2.6e+03"]
    assert [one.why for one in trainer.untaken] == told


def test_without_gan_the_discriminators_only_decay() -> None:
    method = fresh("munit", gan=0.0, lr_policy="constant", lr=1e-3, weight_decay=1e-2)
    before = weights(method)
    record = steps(Trainer(method, 0, 9), 0)[0]
    assert not any(k.startswith(("gan", "dis")) for k in record)
    for key, value in method.state_dict().items():
        if key.startswith("dis_") and key.endswith("weight"):
            # Adam's first update is lr against the sign of the gradient, here of the decay.
            expected = before[key] - 1e-3 * before[key].sign()
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-4)


def test_monitored_gan_terms_are_recorded_but_train_nothing() -> None:
    plain, monitored = fresh("munit", gan=0.0), fresh("munit", gan=0.0)
    monitored.monitor = True
    steps(Trainer(plain, 0, 9), 0)
    record = steps(Trainer(monitored, 0, 9), 0)[0]
    assert {"gan_a", "gan_b", "dis_a", "dis_b"} <= set(record)
    for key, value in monitored.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[key], rtol=0, atol=1e-6)


def test_weights_that_no_term_reaches_still_decay() -> None:
    """As in the originals, whose terms of weight zero leave gradients of zero."""
    method = fresh("munit", recon_x=0.0, recon_s=0.0, weight_decay=1e-2, lr=1e-3)
    before = weights(method)
    steps(Trainer(method, 0, 9), 0)
    key = "gen_a.style.down.1.conv.weight"
    moved = before[key] - method.state_dict()[key]
    torch.testing.assert_close(moved, 1e-3 * before[key].sign(), rtol=0, atol=1e-4)


def test_the_schedule_sets_both_learning_rates() -> None:
    method = fresh("cyclegan", lr=0.5)
    trainer = Trainer(method, 0, 4)
    for k in (0, 3):
        steps(trainer, k)
        rates = {g["lr"] for o in trainer.optimisers.values() for g in o.param_groups}
        assert rates == {0.5 * method.config.lr_factor(k, 4)}
    assert rates != {0.5}


def test_the_pool_shows_old_translations_to_the_discriminators() -> None:
    unpooled, pooled = fresh("cyclegan", pool=0), fresh("cyclegan", pool=1)
    a, b = Trainer(unpooled, 0, 20), Trainer(pooled, 0, 20)
    assert steps(a, 0) == steps(b, 0)  # the first translation fills the pool and is shown
    steps(a, *range(1, 8)), steps(b, *range(1, 8))
    assert b.pools["x_ab"].count == 1
    assert not same(weights(unpooled), weights(pooled), "dis_")


@pytest.mark.parametrize("name", ["cyclegan-noise", "munit"])
def test_mixed_precision_trains_float32_weights(name: str) -> None:
    method = fresh(name)
    record = steps(Trainer(method, 0, 9, precision="bf16"), 0)[0]
    exact = steps(Trainer(fresh(name), 0, 9), 0)[0]
    assert all(p.dtype == torch.float32 for p in method.parameters())
    for term, value in record.items():
        assert value == pytest.approx(exact[term], rel=0.1, abs=0.05), term
