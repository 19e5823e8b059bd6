"""Stored weights translate as the checkpoints they come from, to float16, and refuse the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file

from models.errors import UserError
from models.method import DIRECTIONS, Direction
from models.zoo import make_config, make_method
from reproduce.commands.cli import main
from reproduce.measuring.storing import store_run
from reproduce.training.checkpoints import load_method, read_checkpoint, write_atomic
from reproduce.training.slim import Stored, probe, shrunk, stored_probe, tensors_read

METHODS = ("munit", "munit-wo-s", "unit", "cyclegan", "cyclegan-noise", "bicyclegan")
SHA = "a" * 64
both = pytest.mark.parametrize("directions", [("a2b",), DIRECTIONS], ids=["a2b", "both"])


@pytest.mark.parametrize("method", METHODS)
def test_stored_weights_translate_as_the_rounded_checkpoint(method, trained, tmp_path) -> None:
    full = trained(method)
    target = tmp_path / "stored.safetensors"
    store_run(full, ("a2b",), target, SHA)
    stored, read = load_method(target)
    whole, first = load_method(full)
    assert (read.run, read.step, read.data) == (first.run, first.step, first.data)
    assert read.stored is not None and read.stored.checkpoint_sha256 == SHA
    was, now = (probe(m, "a2b", read.run.size) for m in (whole, stored))
    assert 0 < (was - now).abs().max() < 2 / 255  # a grey level
    assert target.stat().st_size < full.stat().st_size / 4


def _networks(path: Path) -> set[str]:
    """The first names of the weights in a file."""
    return {".".join(key.split(".")[:3]) for key in load_file(path) if key.startswith("model.")}


def test_only_what_translating_reads_is_stored(trained, tmp_path) -> None:
    target = tmp_path / "stored.safetensors"
    store_run(trained("munit"), ("a2b",), target, SHA)
    networks = _networks(target)
    assert networks == {"model.gen_a.content", "model.gen_b.decoder", "model.gen_b.style"}
    store_run(trained("munit"), DIRECTIONS, target, SHA)
    networks = _networks(target)
    parts = ("content", "decoder", "style")
    assert networks == {f"model.gen_{d}.{part}" for d in "ab" for part in parts}


@pytest.mark.parametrize("method", ["munit", "unit", "cyclegan"])
def test_a_direction_that_is_not_stored_is_refused(method, trained, tmp_path) -> None:
    target = tmp_path / "stored.safetensors"
    store_run(trained(method), ("a2b",), target, SHA)
    stored, read = load_method(target)
    probe(stored, "a2b", read.run.size)
    with pytest.raises(UserError, match="stored for a2b .* holds no weights of .*own checkpoint"):
        probe(stored, "b2a", read.run.size)


def test_an_example_gives_its_style(trained, tmp_path) -> None:
    full, target = trained("munit"), tmp_path / "stored.safetensors"
    store_run(full, ("a2b",), target, SHA)
    (stored, read), (whole, _) = load_method(target), load_method(full)
    picture = torch.linspace(-1, 1, 3 * read.run.size**2).view(1, 3, read.run.size, read.run.size)
    now, was = (m.translate_guided(picture, "a2b", picture) for m in (stored, whole))
    assert 0 < (was - now).abs().max() < 2 / 255
    with pytest.raises(UserError, match="holds no weights of gen_a.style"):
        stored.style_of(picture, "b2a")


def test_rims_that_training_never_reached_come_back(trained, tmp_path) -> None:
    full, target = trained("cyclegan-noise"), tmp_path / "stored.safetensors"
    store_run(full, ("a2b",), target, SHA)
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


def test_a_kernel_that_training_changed_keeps_its_rim() -> None:
    first = {"w": torch.zeros(2, 2, 4, 4)}
    trained_all = {"w": torch.full((2, 2, 4, 4), 0.5)}
    held, rims = shrunk(trained_all, first, {"w"})
    assert (held["w"].shape, rims) == (torch.Size([2, 2, 4, 4]), ())


def test_weights_beyond_float16_stay_as_they_are() -> None:
    large = {"w": torch.tensor([1e6, 1.0])}
    held, _ = shrunk(large, {"w": torch.zeros(2)}, {"w"})
    assert held["w"].dtype == torch.float32 and torch.equal(held["w"], large["w"])


@both
def test_watching_changes_nothing(directions: tuple[Direction, ...], trained) -> None:
    method, read = load_method(trained("unit"))
    before = {k: t.clone() for k, t in method.state_dict().items()}
    method.train()
    names = tensors_read(method, directions, read.run.size, guided=False)
    assert method.training and names
    assert all(torch.equal(t, before[k]) for k, t in method.state_dict().items())
    assert ("enc_b" in {n.split(".")[0] for n in names}) == (len(directions) == 2)


def test_watching_is_no_batch_that_norms_count() -> None:
    method = make_method(
        "cyclegan", make_config("cyclegan", {"dim": 2, "norm": "bn"}), torch.Generator()
    )
    before = {k: t.clone() for k, t in method.state_dict().items() if "running" in k}
    assert before
    method.train()
    names = tensors_read(method, ("a2b",), 16, guided=False)
    assert {k for k in before if k.startswith("gen_ab.")} <= names
    assert all(torch.equal(method.state_dict()[k], t) for k, t in before.items())


def test_a_stored_file_that_lacks_a_tensor_is_refused(trained, tmp_path) -> None:
    target, damaged = tmp_path / "stored.safetensors", tmp_path / "damaged.safetensors"
    store_run(trained("munit"), ("a2b",), target, SHA)
    tensors, read = load_file(target), read_checkpoint(target, weights_only=True)
    name = sorted(name for name in tensors if name.startswith("model."))[3]
    about = {
        "format": "1", "run": json.dumps(read.run.as_dict()), "step": "3", "data": read.data,
        "stored": read.stored.as_text(),
    }  # fmt: skip
    write_atomic(damaged, {k: t for k, t in tensors.items() if k != name}, about)
    with pytest.raises(UserError, match=f"does not fit .*{name.removeprefix('model.')} is missing"):
        load_method(damaged)
    tensors[name] = tensors[name][:1]
    write_atomic(damaged, tensors, about)
    with pytest.raises(UserError, match="does not fit"):
        load_method(damaged)


def test_a_stored_file_tells_what_its_weights_gave(trained, tmp_path) -> None:
    target = tmp_path / "stored.safetensors"
    store_run(trained("unit"), DIRECTIONS, target, SHA)
    method, read = load_method(target)
    for direction in DIRECTIONS:
        assert torch.equal(stored_probe(target, direction), probe(method, direction, read.run.size))
    with pytest.raises(UserError, match="holds no translation to compare with"):
        stored_probe(trained("unit"), "a2b")


def test_training_does_not_go_on_from_stored_weights(trained, tmp_path) -> None:
    target = tmp_path / "stored.safetensors"
    store_run(trained("munit"), ("a2b",), target, SHA)
    with pytest.raises(UserError, match="training cannot go on"):
        read_checkpoint(target)


def test_stored_weights_translate_pictures_of_the_command_line(trained, tmp_path) -> None:
    target, out = tmp_path / "stored.safetensors", tmp_path / "out"
    store_run(trained("munit"), ("a2b",), target, SHA)
    tiny.picture(tmp_path / "in" / "one.png", size=32)
    words = ["translate", str(target), str(tmp_path / "in"), "--out", str(out), "--no-progress"]
    assert main(words) == 0
    assert list(out.glob("one_*.png"))
    assert main([*words, "--direction", "b2a"]) == 2


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"checkpoint_sha256": "a", "directions": ["up"], "rims": []}', "{"]
)
def test_what_is_no_description_of_a_stored_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Stored.from_text(text)


def test_a_description_is_read_back() -> None:
    stored = Stored(SHA, ("a2b", "b2a"), ("gen.down.2.weight",))
    assert Stored.from_text(stored.as_text()) == stored
    assert Stored.from_text(replace(stored, rims=()).as_text()).rims == ()


def test_equal_runs_are_equal_files(trained, tmp_path: Path) -> None:
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    for path in (one, two):
        store_run(trained("cyclegan"), ("a2b",), path, SHA)
    assert one.read_bytes() == two.read_bytes()
