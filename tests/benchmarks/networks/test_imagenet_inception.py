"""Inception-v3 fine-tuned on modes, begun from a file of drawn weights at the real size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torchvision.models import inception_v3

from benchmarks.networks import mode_recipes
from benchmarks.networks.classifier_training import Labelled
from benchmarks.networks.mode_classifiers import load_mode_classifier, train_mode_classifier
from benchmarks.networks.mode_recipes import MODE_RECIPES, imagenet_weights, inception
from models.errors import UserError
from models.init import initialise

RECIPE = replace(MODE_RECIPES["inception-v3-finetune"], side=139, steps=0)
MODES = ("cat", "dog")


def labelled(count: int) -> Labelled:
    draws = np.random.default_rng(count)
    pictures = draws.integers(0, 256, (count, 3, 40, 40), dtype=np.uint8)
    return Labelled(torch.from_numpy(pictures), {"mode": np.arange(count) % 2})


def drawn_state() -> dict[str, torch.Tensor]:
    """Of torchvision's layout and size, of numbers that nobody trained."""
    with torch.device("meta"):
        network = inception(1000)
    network.to_empty(device="cpu")
    initialise(network, "kaiming", torch.Generator().manual_seed(0))
    for name, tensor in network.state_dict().items():
        if ".bn." in name:
            tensor.fill_(1 if name.endswith(("weight", "running_var")) else 0)
    # Old files, as torchvision's own is, have no counters.
    return {k: v for k, v in network.state_dict().items() if "num_batches" not in k}


def test_it_begins_as_torchvisions_network_sees_pictures_and_is_read_back(tmp_path: Path) -> None:
    state, file, held_out = drawn_state(), tmp_path / "inception.safetensors", labelled(4)
    safetensors.torch.save_file(state, file)
    weights = imagenet_weights(file)
    start = train_mode_classifier(RECIPE, MODES, labelled(2), held_out, weights=weights)
    with torch.device("meta"):
        theirs = inception_v3(weights=None, init_weights=False, transform_input=True).eval()
    theirs.load_state_dict(state, strict=False, assign=True)
    theirs.fc = start.network.inception.fc
    x = torch.nn.functional.interpolate(
        held_out.pictures.float() / 255, (139, 139), mode="bilinear", antialias=True
    )
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])  # as its weights were published
    x = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        expected = (theirs(x).double() / start.temperature).softmax(1)
    found = start.probabilities(held_out.pictures.float() / 127.5 - 1)
    assert found == pytest.approx(expected.numpy(), abs=1e-5)
    assert np.abs(found - 0.5).max() > 1e-3  # so that the comparison can fail
    assert start.name == "inception-v3-finetune-unverified"
    assert start.facts["weights"] == {"file": file.name, "sha256": weights.sha256}
    assert not [name for name in start.network.state_dict() if "AuxLogits" in name]
    start.save(tmp_path / "modes.safetensors")
    assert load_mode_classifier(tmp_path / "modes.safetensors").record() == start.record()
    with pytest.raises(UserError, match="small-drawn starts from no weights"):
        train_mode_classifier(
            MODE_RECIPES["small-drawn"], MODES, labelled(2), held_out, weights=weights
        )


def test_the_auxiliary_head_counts_two_fifths():
    network = mode_recipes.InceptionNetwork(299, 3).train()
    heads = (network.inception.fc, network.inception.AuxLogits.fc)
    for head in heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    loss = network.loss(labelled(2).pictures, torch.tensor([0, 1]))
    # Both heads say 1/3 for each mode.
    assert loss.item() == pytest.approx(1.4 * np.log(3), abs=1e-5)
    gradients = torch.autograd.grad(loss, [head.bias for head in heads])
    expected = torch.tensor([1 / 3 - 1 / 2, 1 / 3 - 1 / 2, 1 / 3])
    for gradient, weight in zip(gradients, (1.0, 0.4), strict=True):
        assert torch.allclose(gradient, weight * expected, atol=1e-6)


def test_missing_and_foreign_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(UserError, match="allow the download, pass torchvision's inception_v3"):
        imagenet_weights()
    with torch.device("meta"):
        wanted = inception(1000).state_dict()
    # One stored number, expanded.
    one = torch.ones(()).half()
    small = {k: one.expand(v.shape) for k, v in wanted.items() if "num_b" not in k}
    torch.save(small, tmp_path / "halves.pth")
    with pytest.raises(UserError, match="not float32: pass torchvision's"):
        imagenet_weights(tmp_path / "halves.pth")
    # A file in torch's cache that is not the one of its name.
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / mode_recipes.PUBLISHED.url.rsplit("/", 1)[-1]).write_bytes(b"other")
    with pytest.raises(UserError, match="sha256 is .* expected 0cc3c7bd"):
        imagenet_weights()
