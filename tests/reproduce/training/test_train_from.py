"""Trainings that begin with the weights of others."""

import json

import tiny
import torch
from tiny import train_words

from benchmarks.files import sha256_file
from models.munit import Munit
from reproduce.training.checkpoints import (
    begin_from,
    describe,
    model_tensors,
    new_method,
    read_checkpoint,
    write_atomic,
)


def test_a_run_begins_with_the_weights_of_another(trained, data, tmp_path):
    start, out = trained("munit"), tmp_path / "run"
    last = tiny.train("munit", out, data, f"--from={start}", lr=0, seed=7)
    given, found = (read_checkpoint(path) for path in (start, last))
    assert found.step == 3 and not found.run.settings["lr"]
    for name, tensor in given.part("model").items():
        assert torch.equal(tensor, found.part("model")[name]), name
    told = json.loads((out / "run.json").read_text())
    assert told["begun_from_sha256"] == sha256_file(start)


def test_it_goes_on_without_being_told_again_but_not_from_others(trained, data, tmp_path, refused):
    start, out = trained("munit"), tmp_path / "run"
    constant = {"lr_policy": "constant"}
    tiny.train("munit", out, data, f"--from={start}", steps=1, **constant)
    other = tiny.train("munit", out, data, "--resume", steps=2, **constant)
    assert json.loads((out / "run.json").read_text())["begun_from_sha256"] == sha256_file(start)
    words = train_words("munit", out, data, "--resume", f"--from={other}", steps=3, **constant)
    assert "began otherwise" in refused(words)


def test_a_converted_original_lacks_discriminators_which_are_drawn(trained, tmp_path):
    read = read_checkpoint(trained("munit"))
    generators = {
        f"model.{k}": t + 1 for k, t in read.part("model").items() if not k.startswith("dis")
    }
    path = tmp_path / "imported.safetensors"
    write_atomic(path, generators, describe(read.run, 0, ""))
    method, drawn = new_method(read.run), model_tensors(new_method(read.run))
    assert isinstance(method, Munit)
    begin_from(path, method, read.run)
    for name, tensor in model_tensors(method).items():
        assert torch.equal(tensor, generators.get(name, drawn[name])), name


def test_other_networks_are_refused_by_name(trained, data, tmp_path, refused):
    start, out = trained("munit"), tmp_path / "run"
    for method, settings, told in (
        ("munit", {"dim": 8}, "dim=8 (there: 4)"),
        ("cyclegan", {}, "method=cyclegan (there: munit)"),
    ):
        error = refused(train_words(method, out, data, f"--from={start}", **settings))
        assert str(start) in error and told in error and not out.exists()


def test_weights_that_are_not_finite_are_refused(trained, data, tmp_path, refused):
    read = read_checkpoint(trained("munit"))
    tensors = {f"model.{k}": t.clone() for k, t in read.part("model").items()}
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    path = tmp_path / "nan.safetensors"
    write_atomic(path, tensors, describe(read.run, 0, ""))
    assert "not finite" in refused(train_words("munit", tmp_path / "run", data, f"--from={path}"))
