"""A recorded step, repeated with other pictures, is the step computed kernel by kernel."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tape import Tape, Tapes, Unable
from tiny_methods import UNLIKE, fresh, make, pictures
from torch import Tensor

import models.convolutions
from models.choices import ALL, PLAIN, choose
from models.method import Method
from reproduce.training.distributed import World
from reproduce.training.graphed import TRIALS, WARMUP, GraphedTrainer, recordable
from reproduce.training.shared import make_trainer
from reproduce.training.trainer import Trainer

STEPS = WARMUP + TRIALS + 2


def go(trainer: Trainer, steps: int = STEPS, first: int = 0) -> list[dict[str, float]]:
    return [
        trainer.step(pictures(2, seed=2 * k), pictures(2, seed=2 * k + 1), k)
        for k in range(first, first + steps)
    ]


def assert_same(plain: Method, graphed: Trainer, **how: str) -> None:
    """Steps and weights of ``graphed`` are those of kernels one by one."""
    one = Trainer(plain, graphed.seed, graphed.total_steps, **how)
    assert go(one) == go(graphed)
    theirs = graphed.method.state_dict()
    assert all(torch.equal(x, theirs[name]) for name, x in plain.state_dict().items())
    for name, pool in one.pools.items():
        found = graphed.pools[name].state
        assert pool.state is not None and found is not None and torch.equal(pool.state, found)


@pytest.mark.parametrize(
    ("name", "precision"), [*((name, "float32") for name in UNLIKE.args[1]), ("munit", "bf16")]
)
def test_repeated_steps_are_those_of_kernels_one_by_one(name, precision, capsys, monkeypatch):
    monkeypatch.setattr(models.convolutions, "WORTH", 0)
    tapes = Tapes()
    graphed = GraphedTrainer(make(name), 3, 12, tapes, precision=precision)
    assert_same(make(name), graphed, precision=precision)
    # Each of two phases in each step from the first trial on; once more when it was recorded.
    assert tapes.repeated == 2 * (STEPS - WARMUP)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cyclegan", {"pool": 3}),
        ("munit", {"gan": 0.0}),
        ("bicyclegan", {"dropout": True}),
        ("unit", {"lr_step": 2}),
    ],
)
def test_what_the_host_decides_is_decided_in_every_step(name, settings):
    graphed = GraphedTrainer(make(name, **settings), 0, 12, Tapes())
    assert_same(make(name, **settings), graphed)


@pytest.mark.parametrize(
    ("broken", "ways", "phases"),
    [(float("nan"), ALL, ["discriminator", "generator"]), (1.0, PLAIN, ["generator"])],
)
def test_a_repeated_step_by_no_numbers_or_exploding_gradients_is_not_taken(broken, ways, phases):
    method = fresh("munit")
    choose(method, ways)
    trainer = GraphedTrainer(method, 0, 20, Tapes())
    go(trainer)
    before = {k: v.clone() for k, v in method.gen_a.state_dict().items()}
    trainer.step(torch.full((2, 3, 16, 16), broken), pictures(2), STEPS)
    assert [one.phase for one in trainer.untaken] == phases
    assert all(torch.equal(v, before[k]) for k, v in method.gen_a.state_dict().items())
    go(trainer, 1, STEPS + 1)
    assert not trainer.untaken


class Deaf(Tapes):
    """A recorder that repeats what it saw once, whatever is there now."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        work()
        return lambda: None


class Turned(Tapes):
    """A recorder whose repetitions leave other numbers than they should."""

    trainer: GraphedTrainer

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        again = super().record(work)
        return lambda: (again(), self.spoil())[1]

    def spoil(self) -> None:
        for p in self.trainer.method.parameters():
            if p.grad is not None:
                p.grad.data.neg_()  # their norm is what it was


class Emptied(Turned):
    def spoil(self) -> None:
        for fake in (self.trainer._made.fakes or {}).values():
            fake.zero_()


@pytest.mark.parametrize(
    ("name", "recorder", "told"),  # generators first and last
    [
        ("cyclegan-noise", Deaf, "repeated, "),
        ("munit", Unable, "operation not permitted"),
        ("cyclegan", Turned, "gradients of the"),
        ("cyclegan", Emptied, "translations of the"),
    ],
)
def test_a_recording_that_is_wrong_or_impossible_is_given_up(name, recorder, told, capsys):
    tapes = recorder()
    tapes.trainer = trainer = GraphedTrainer(make(name), 0, 12, tapes)
    assert_same(make(name), trainer)
    assert trainer.given_up
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no CUDA graph" in said and told in said


def test_too_little_memory_for_both_is_no_end(capsys, monkeypatch):
    trainer = GraphedTrainer(make("munit"), 0, 12, Tapes())
    compute, calls = Trainer._compute, 0

    def short(self: Trainer, *given: Any) -> Any:
        nonlocal calls
        if self is trainer and self._again and not self.given_up:
            calls += 1
            if calls == 2:  # the first is the recording of the second phase
                raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(self, *given)

    monkeypatch.setattr(Trainer, "_compute", short)
    assert_same(make("munit"), trainer)
    assert trainer.given_up and calls == 2
    assert "memory" in capsys.readouterr().err


def test_the_tape_refuses_what_a_graph_would() -> None:
    for asks in (lambda: torch.ones(2).sum().item(), lambda: torch.tensor([1.0, 2.0]) + 1):
        with pytest.raises(RuntimeError, match="capturing"), Tape():
            asks()


@UNLIKE
def test_nothing_of_a_step_is_made_on_the_host(name: str) -> None:
    """On a GPU a number of the host's would be copied there, and waited for."""
    seen: set[str] = set()

    class Devices(Tape):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            out = func(*args, **(kwargs or {}))
            for x in torch.utils._pytree.tree_leaves((args, kwargs, out)):
                if isinstance(x, Tensor) and x.device.type != "meta":
                    seen.add(func.overloadpacket.__name__)
            return out

    class Shapes(Trainer):
        def _finish(self, *given: object) -> dict[str, float]:
            return {}

        def _noise_of(self, *given: object) -> dict[str, Tensor]:
            with torch.utils._python_dispatch._disable_current_modes():
                return super()._noise_of(*given)  # type: ignore[arg-type]

    method = make(name).to("meta")
    method.fast = method.fast - {"optimiser"}
    trainer = Shapes(method, 0, 9)
    trainer.pools = {}
    x = pictures(2).to("meta")
    with Devices():
        trainer.step(x, x.clone(), 0)
    assert not seen


def test_graphs_are_of_a_gpu_of_one_process_and_of_no_batch_norm() -> None:
    method = fresh("munit")
    assert type(make_trainer(method, 0, 9, World(), "float32")) is Trainer
    assert recordable(method)
    assert not recordable(fresh("munit", dis_norm="bn"))
