"""Stored weights translate as the checkpoints they come from, to float16, and refuse the rest."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file
from tiny_methods import fresh

from models.errors import UserError
from models.method import DIRECTIONS, Direction
from reproduce.measuring.storing import store_run
from reproduce.training.checkpoints import load_method, read_checkpoint, write_atomic
from reproduce.training.slim import Stored, probe, shrunk, stored_probe, tensors_read

SHA = "a" * 64


@pytest.fixture
def store(trained, tmp_path) -> Callable[..., Path]:
    """A function: a method's trained weights, stored for some directions."""

    def stored(method: str, directions: tuple[Direction, ...] = ("a2b",)) -> Path:
        store_run(trained(method), directions, tmp_path / "stored.safetensors", SHA)
        return tmp_path / "stored.safetensors"

    return stored


@pytest.mark.parametrize("method", ["munit", "cyclegan-noise", "bicyclegan"])
def test_stored_weights_translate_as_the_rounded_checkpoint(method, trained, store) -> None:
    full, target = trained(method), store(method)
    stored, read = load_method(target)
    whole, first = load_method(full)
    assert (read.run, read.step, read.data) == (first.run, first.step, first.data)
    assert read.stored is not None and read.stored.checkpoint_sha256 == SHA
    was, now = (probe(m, "a2b", read.run.size) for m in (whole, stored))
    assert 0 < (was - now).abs().max() < 2 / 255  # a grey level
    assert target.stat().st_size < full.stat().st_size / 4
    if method != "bicyclegan":
        with pytest.raises(UserError, match="stored for a2b .* has no weights of .*full check"):
            probe(stored, "b2a", read.run.size)


def test_an_example_gives_its_style(trained, store) -> None:
    (stored, read), (whole, _) = load_method(store("munit")), load_method(trained("munit"))
    picture = torch.linspace(-1, 1, 3 * read.run.size**2).view(1, 3, read.run.size, read.run.size)
    now, was = (m.translate_guided(picture, "a2b", picture) for m in (stored, whole))
    assert 0 < (was - now).abs().max() < 2 / 255
    with pytest.raises(UserError, match="has no weights of gen_a.style"):
        stored.style_of(picture, "b2a")


def test_rims_that_training_never_reached_come_back(trained, store) -> None:
    full, target = trained("cyclegan-noise"), store("cyclegan-noise")
    stored, read = load_method(target)
    assert read.stored is not None and read.stored.rims
    was, now = load_method(full)[0].state_dict(), stored.state_dict()
    held = load_file(target)
    for name in read.stored.rims:
        assert held[f"model.{name}"].shape[2:] == (2, 2)
        inside = torch.zeros_like(was[name], dtype=torch.bool)
        inside[..., 1:-1, 1:-1] = True
        assert torch.equal(was[name][~inside], now[name][~inside])
        assert torch.allclose(was[name], now[name], atol=1e-3)


def test_what_cannot_be_smaller_stays_as_it_is() -> None:
    first = {"w": torch.zeros(2, 2, 4, 4)}
    kernel, rims = shrunk({"w": torch.full((2, 2, 4, 4), 0.5)}, first, {"w"})
    assert (kernel["w"].shape, rims) == (torch.Size([2, 2, 4, 4]), ())
    large = {"w": torch.tensor([1e6, 1.0])}  # beyond float16
    held, _ = shrunk(large, {"w": torch.zeros(2)}, {"w"})
    assert held["w"].dtype == torch.float32 and torch.equal(held["w"], large["w"])


@pytest.mark.parametrize("directions", [("a2b",), DIRECTIONS], ids=["a2b", "both"])
def test_watching_finds_what_translating_reads_and_changes_nothing(directions, trained) -> None:
    method, read = load_method(trained("munit"))
    before = {k: t.clone() for k, t in method.state_dict().items()}
    method.train()
    names = tensors_read(method, directions, read.run.size)
    assert method.training
    assert all(torch.equal(t, before[k]) for k, t in method.state_dict().items())
    one = {"gen_a.content", "gen_b.decoder", "gen_b.style"}
    both = {f"gen_{d}.{part}" for d in "ab" for part in ("content", "decoder", "style")}
    assert {".".join(n.split(".")[:2]) for n in names} == (one if len(directions) == 1 else both)


def test_watching_is_no_batch_that_norms_count() -> None:
    method = fresh("cyclegan", norm="bn")
    before = {k: t.clone() for k, t in method.state_dict().items() if "running" in k}
    assert before
    method.train()
    names = tensors_read(method, ("a2b",), 16)
    assert {k for k in before if k.startswith("gen_ab.")} <= names
    assert all(torch.equal(method.state_dict()[k], t) for k, t in before.items())


def test_a_stored_file_that_lacks_a_tensor_is_refused(store, tmp_path) -> None:
    target, damaged = store("munit"), tmp_path / "damaged.safetensors"
    tensors, read = load_file(target), read_checkpoint(target, weights_only=True)
    name = sorted(name for name in tensors if name.startswith("model."))[3]
    about = {
        "format": "1", "run": json.dumps(read.run.as_dict()), "step": "3", "data": read.data,
        "stored": read.stored.as_text(),
    }  # fmt: skip
    lacking = {k: t for k, t in tensors.items() if k != name}
    for changed in (lacking, tensors | {name: tensors[name][:1]}):
        write_atomic(damaged, changed, about)
        with pytest.raises(UserError, match=f"not fit .*{name.removeprefix('model.')} is missing"):
            load_method(damaged)


def test_a_stored_file_tells_what_its_weights_gave(trained, store) -> None:
    target = store("munit", DIRECTIONS)
    method, read = load_method(target)
    for direction in DIRECTIONS:
        assert torch.equal(stored_probe(target, direction), probe(method, direction, read.run.size))
    with pytest.raises(UserError, match="has no stored translation to compare"):
        stored_probe(trained("munit"), "a2b")


def test_stored_weights_translate_files_but_do_not_train(store, refused, tmp_path) -> None:
    target, out = store("munit"), tmp_path / "out"
    picture = tiny.picture(tmp_path / "in" / "one.png", size=32)
    assert list(tiny.translate(target, picture, out).glob("one_*.png"))
    backwards = tiny.translate_words(target, picture, out, "--direction", "b2a")
    assert "was stored for a2b" in refused(backwards)
    with pytest.raises(UserError, match="training cannot go on"):
        read_checkpoint(target)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"checkpoint_sha256": "a", "directions": ["up"], "rims": []}', "{"]
)
def test_what_is_no_description_of_a_stored_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Stored.from_text(text)


def test_equal_runs_are_equal_files(store) -> None:
    assert store("munit").read_bytes() == store("munit").read_bytes()
