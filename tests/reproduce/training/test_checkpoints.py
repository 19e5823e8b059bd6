"""Checkpoints: whole or not there, and never trusted."""

import json
import os
import pickle
import stat
from pathlib import Path

import pytest
import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms.functional import normalize

from models.errors import UserError
from reproduce.training.checkpoints import (
    load_method,
    read_checkpoint,
    read_pickle,
    remove_parts,
    write_atomic,
)
from reproduce.training.vgg import vgg_features


class Evil:
    """Leaves a file behind if unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.write_text, (self.trace, "ran")


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_a_checkpoint_holds_everything_once(trained):
    last = trained("cyclegan")
    checkpoint = read_checkpoint(last)
    assert checkpoint.step == checkpoint.run.steps == 3
    assert checkpoint.run.method == "cyclegan" and checkpoint.run.settings["pool"] == 5
    pools = {name: tuple(t.shape) for name, t in checkpoint.part("pool").items()}
    assert pools == dict.fromkeys(("x_ab", "x_ba"), (5, 3, 32, 32))
    moments = checkpoint.part("optimiser.generator")
    assert float(moments["0.step"]) == 3 and bool((moments["0.exp_avg_sq"] >= 0).all())
    weights = len([k for k in checkpoint.part("model") if k.startswith("gen")])
    assert len(moments) == 3 * weights
    assert set(metadata_of(last)) == {"format", "run", "step", "data"}


def test_others_may_read_it_as_the_umask_says(trained):
    last = trained("munit")
    plain = last.with_name("plain")
    plain.touch()
    assert stat.S_IMODE(last.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    plain.unlink()


def test_where_links_are_unknown_the_last_is_still_kept(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)  # as on FAT
    path, keep = tmp_path / "deep" / "x.safetensors", tmp_path / "deep" / "y.safetensors"
    for number in range(2):
        write_atomic(path, {"a": torch.full((2,), number)}, {}, keep=keep)
    assert load_file(path)["a"][0] == 1 and load_file(keep)["a"][0] == 0


def test_a_failed_write_changes_nothing(tmp_path):
    path = tmp_path / "x.safetensors"
    write_atomic(path, {"a": torch.ones(2)}, {})
    before = path.read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^cannot write .*below\.safetensors"):
        write_atomic(tmp_path / "file" / "below.safetensors", {"a": torch.ones(2)}, {})
    with pytest.raises(UserError, match="cannot write"):
        write_atomic(path, {"a": torch.zeros(2)}, {}, keep=tmp_path / "missing" / "keep")
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "x.safetensors"]


def test_only_unfinished_files_are_removed(tmp_path):
    (tmp_path / ".last.safetensors.1.part").mkdir()
    (tmp_path / ".last.safetensors.1.part" / "new").write_bytes(b"half")
    (tmp_path / ".run.json.1.part").touch()
    for name in (".lock", "last.safetensors", "mine.part"):
        (tmp_path / name).touch()
    remove_parts(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "last.safetensors", "mine.part"]


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_truncated_checkpoint_is_refused(keep, trained, tmp_path):
    content = trained("munit").read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[:keep])
    with pytest.raises(UserError, match=r"cut\.safetensors is no readable checkpoint .*truncated"):
        read_checkpoint(path)


def test_no_file_a_folder_and_a_stranger_are_refused(tmp_path, trained):
    with pytest.raises(UserError, match="no checkpoint .*missing"):
        read_checkpoint(tmp_path / "missing")
    with pytest.raises(UserError, match=r"is a folder: name its checkpoint, e.g. .*last.safetens"):
        read_checkpoint(trained("munit").parent)
    save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"other\.safetensors is safetensors but no checkpoint"):
        read_checkpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", ["evil.safetensors", "evil.pt"])
def test_a_pickle_that_runs_code_is_not_run(name, tmp_path):
    trace = tmp_path / "trace"
    for write in (lambda f: pickle.dump(Evil(trace), f, 2), lambda f: torch.save(Evil(trace), f)):
        with (tmp_path / name).open("wb") as file:
            write(file)
        with pytest.raises(UserError, match=f"{name} is no readable checkpoint"):
            load_method(tmp_path / name)
        with pytest.raises(UserError, match=f"{name} is (refused|truncated)"):
            read_pickle(tmp_path / name)
    assert not trace.exists()


@pytest.mark.parametrize("junk", ["", -1, 1e400, True])
def test_a_checkpoint_with_a_mad_configuration_is_refused(junk, trained, tmp_path):
    good = trained("munit")
    tensors = {k: t for k, t in load_file(good).items() if k.startswith("model.")}
    metadata = metadata_of(good)
    run = json.loads(metadata["run"])
    path = tmp_path / "mad.safetensors"
    mad = [junk, run | {"extra": junk}]
    mad += [run | {key: junk} for key in ("size", "steps", "settings", "method", "precision")]
    mad += [run | {"settings": run["settings"] | {key: junk}} for key in ("dim", "lr", "pad")]
    for values in mad:
        save_file(tensors, path, metadata | {"run": json.dumps(values)})
        if values == run:
            continue
        try:
            load_method(path)
        except UserError as error:
            assert "mad.safetensors" in str(error) and "\n" not in str(error)
        else:
            # Only the learning rate may be another without the weights noticing.
            assert values["settings"]["lr"] != run["settings"]["lr"] or values["steps"] == 1


def test_weights_of_another_size_are_refused(trained, tmp_path):
    good = trained("munit")
    tensors, metadata = load_file(good), metadata_of(good)
    first = next(k for k in tensors if k.startswith("model."))
    path = tmp_path / "mad.safetensors"
    for changed in (
        {k: t for k, t in tensors.items() if k != first},
        tensors | {first: torch.zeros(2, 2)},
        tensors | {"model.extra": torch.zeros(2)},
        load_file(trained("cyclegan")),
    ):
        save_file(changed, path, metadata)
        with pytest.raises(UserError, match=r"mad\.safetensors does not fit .*model\."):
            load_method(path)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A file as torchvision publishes it, with random numbers."""
    layers = {f"features.{k}": t for k, t in make_layers(cfgs["D"]).state_dict().items()}
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(layers | {"classifier.0.bias": torch.ones(9)}, path)
    return path


def test_the_perceptual_loss_trains_and_its_network_is_not_saved(vgg, data, tmp_path):
    for steps in (1, 2):  # the second goes on from the first
        last = tiny.train(
            "munit", tmp_path / "run", data, "--vgg", str(vgg), "--resume", perceptual=1, batch=1,
            perceptual_layer="relu4_3", steps=steps, lr_policy="constant",
        )  # fmt: skip
    assert not [k for k in load_file(last) if "features" in k]
    assert last.stat().st_size < 2_000_000
    assert "perceptual_a" in last.with_name("progress.json").read_text()
    load_method(last)  # without any VGG-16


def test_vgg_features_are_torchvisions(vgg):
    network, state = make_layers(cfgs["D"]), torch.load(vgg, weights_only=True)
    del state["classifier.0.bias"]
    network.load_state_dict({k.removeprefix("features."): t for k, t in state.items()})
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    standard = normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    for layer, last, shape in (("relu4_3", 22, (2, 512, 4, 4)), ("relu5_3", 29, (2, 512, 2, 2))):
        with torch.no_grad():
            found = vgg_features(layer, 32, vgg)(x * 2 - 1)
            expected = network[: last + 1](standard)
        assert found.shape == shape and bool((found >= 0).all())
        assert isinstance(network[last], torch.nn.ReLU)
        assert isinstance(network[last + 1], torch.nn.MaxPool2d)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_bad_vgg_files_are_refused(tmp_path):
    for state in ({"features.0.weight": 3}, {}, {"features.0.weight": torch.ones(2)}):
        torch.save(state, tmp_path / "bad.pth")
        with pytest.raises(UserError, match=r"bad\.pth holds no torchvision VGG-16"):
            vgg_features("relu5_3", 32, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=r"none\.pth does not exist: download https://"):
        vgg_features("relu5_3", 32, tmp_path / "none.pth")
    with pytest.raises(UserError, match="unknown perceptual_layer 'relu9': use relu4_3 or relu5_3"):
        vgg_features("relu9", 32)
    with pytest.raises(UserError, match="needs size=32 at least"):
        vgg_features("relu5_3", 16)


def test_a_network_that_translates_computes_as_it_is_measured(trained, monkeypatch):
    cudnn = torch.backends.cudnn
    for switch, value in (("allow_tf32", True), ("deterministic", False)):
        monkeypatch.setattr(cudnn, switch, value)
    load_method(trained("munit"))
    assert (cudnn.allow_tf32, cudnn.deterministic) == (False, True)
