"""Classifiers: what they learn, that they repeat, and that bad files and labels are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from benchmarks.networks.classifier_training import Labelled, train_classifier
from benchmarks.networks.classifiers import RECIPES, Classifier, load_classifier, network_input
from benchmarks.networks.colours import oklab
from models.errors import UserError

HEADS = {"colour": ("red", "green", "blue"), "pattern": ("plain", "stripes")}
SHORT = replace(RECIPES["small-resnet-2"], steps=60, batch=16)


def labelled(count: int, seed: int) -> Labelled:
    """Squares of 16 pixels in three colours, half of them striped."""
    draws = np.random.default_rng([3, seed])
    colour, pattern = draws.integers(0, 3, count), draws.integers(0, 2, count)
    shades = draws.integers(140, 256, count)
    pictures = torch.zeros(count, 3, 16, 16, dtype=torch.uint8)
    for i in range(count):
        pictures[i, colour[i]] = int(shades[i])
        if pattern[i]:
            pictures[i, :, :, ::4] = 255
    return Labelled(pictures, {"colour": colour, "pattern": pattern})


@pytest.fixture(scope="module")
def trained() -> Classifier:
    return train_classifier(SHORT, HEADS, labelled(200, 0), labelled(100, 1), seed=4)


def test_it_learns_both_heads(trained):
    assert trained.accuracy["colour"] > 0.95
    assert trained.accuracy["pattern"] > 0.95
    assert trained.facts == {"train": 200, "held_out": 100, "size": [16, 16], "seed": 4}


def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before(trained):
    torch.rand(5)
    before = torch.random.get_rng_state()
    again = train_classifier(SHORT, HEADS, labelled(200, 0), labelled(100, 1), seed=4)
    assert again.sha256 == trained.sha256
    assert torch.equal(torch.random.get_rng_state(), before)
    short = replace(SHORT, steps=2)
    one, two = (
        train_classifier(short, HEADS, labelled(50, 0), labelled(9, 1), seed=seed)
        for seed in (0, 1)
    )
    assert one.sha256 != two.sha256


def test_probabilities_sum_to_1_and_batches_do_not_matter(trained):
    pictures = labelled(20, 2).pictures
    features, probabilities = trained(pictures)
    assert features.shape == (20, 64)
    assert {k: v.shape for k, v in probabilities.items()} == {"colour": (20, 3), "pattern": (20, 2)}
    assert probabilities["colour"].sum(axis=1) == pytest.approx(np.ones(20), abs=1e-12)
    for i in range(20):
        alone, p = trained(pictures[i : i + 1])
        assert torch.allclose(alone[0], features[i], atol=1e-4)
        assert p["pattern"][0] == pytest.approx(probabilities["pattern"][i], abs=1e-5)
    with pytest.raises(UserError, match="needs torch.uint8"):
        trained(pictures.float())


def test_the_network_sees_oklab_and_differences():
    pictures = labelled(4, 3).pictures
    seen = network_input(pictures, 64)
    assert seen.shape == (4, 5, 16, 16)
    lab = oklab(pictures.permute(0, 2, 3, 1).numpy() / 255)
    assert seen[:, 0].numpy() == pytest.approx(lab[..., 0] * 2 - 1, abs=1e-5)
    assert seen[:, 1:3].numpy() == pytest.approx(np.moveaxis(lab[..., 1:], 3, 1) * 5, abs=1e-5)
    scaled = lab * [2, 5, 5]
    right = np.linalg.norm(np.diff(scaled, axis=2), axis=3)
    assert seen[:, 4, :, :-1].numpy() == pytest.approx(right, abs=1e-5)
    assert seen[:, 4, :, -1].eq(0).all()
    down = np.linalg.norm(np.diff(scaled, axis=1), axis=3)
    assert seen[:, 3, :-1].numpy() == pytest.approx(down, abs=1e-5)


def test_large_pictures_are_averaged_down():
    small = labelled(3, 5).pictures
    large = small.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)  # 128 pixels
    assert torch.allclose(network_input(large, 16), network_input(small, 16), atol=1e-5)
    assert network_input(large, 64).shape == (3, 5, 64, 64)
    assert network_input(large[:, :, :64], 64).shape == (3, 5, 32, 64)


def test_saved_and_read_back(trained, tmp_path):
    path = tmp_path / "new" / "classifier.safetensors"
    trained.save(path)
    assert [p.name for p in path.parent.iterdir()] == ["classifier.safetensors"]
    again = load_classifier(path)
    assert again.sha256 == trained.sha256
    assert (again.heads, again.accuracy, again.facts) == (
        trained.heads, trained.accuracy, trained.facts,
    )  # fmt: skip
    pictures = labelled(5, 6).pictures
    assert torch.equal(again(pictures)[0], trained(pictures)[0])


def test_inaccurate_classifiers_are_refused(trained):
    trained.require({"colour": 0.9})
    bad = Classifier(
        trained.recipe, trained.heads, trained.network, {"colour": 0.41, "pattern": 1.0}, {}
    )
    with pytest.raises(UserError, match=r"is 0.410 accurate at colour, under the floor of 0.9"):
        bad.require({"pattern": 0.9, "colour": 0.9})
    broken = Classifier(trained.recipe, trained.heads, trained.network, {"colour": np.nan}, {})
    with pytest.raises(UserError, match="under the floor"):
        broken.require({"colour": 0.1})


def test_labels_that_do_not_fit_are_refused():
    good, held_out = labelled(30, 0), labelled(5, 1)
    for labels, message in (
        ({"colour": good.labels["colour"]}, "need as many labels of pattern"),
        (good.labels | {"colour": good.labels["colour"][:-1]}, "need as many labels of colour"),
        (good.labels | {"colour": good.labels["colour"] + 1}, "labels of colour go from 0 to 2"),
        (good.labels | {"colour": np.zeros(30, np.int64)}, "no training picture of colour 'green'"),
    ):
        with pytest.raises(UserError, match=message):
            train_classifier(SHORT, HEADS, Labelled(good.pictures, labels), held_out)
    empty = Labelled(good.pictures[:0], {})
    with pytest.raises(UserError, match="held-out pictures: .* at least one"):
        train_classifier(SHORT, HEADS, good, empty)


def test_broken_and_foreign_files_are_refused(trained, tmp_path):
    path = tmp_path / "classifier.safetensors"
    with pytest.raises(UserError, match="no such file: remove"):
        load_classifier(path)
    trained.save(path)
    whole = path.read_bytes()
    state = safetensors.torch.load(whole)
    length = int.from_bytes(whole[:8], "little")
    about = json.loads(json.loads(whole[8 : 8 + length])["__metadata__"]["classifier"])

    def write(changes: dict[str, torch.Tensor], **other: object) -> None:
        text = json.dumps(about | other)
        path.write_bytes(safetensors.torch.save(state | changes, {"classifier": text}))

    write({})
    load_classifier(path)
    path.write_bytes(whole[:5000])
    with pytest.raises(UserError, match="no classifier of this version"):
        load_classifier(path)
    for changes, other in (
        ({}, {"recipe": "resnet-9000"}),
        ({}, {"heads": {"colour": ["red"]}}),
        ({}, {"heads": "colour"}),
        ({}, {"accuracy": {}}),
        ({}, {"facts": 3}),
        ({"stem.weight": torch.zeros(2)}, {}),
        ({"more": torch.zeros(2)}, {}),
    ):
        write(changes, **other)
        with pytest.raises(UserError, match="no classifier of this version"):
            load_classifier(path)
    for wrong in (state["stem.weight"] * torch.nan, state["stem.weight"].double()):
        write({"stem.weight": wrong})
        with pytest.raises(UserError, match="weights are not finite float32 numbers"):
            load_classifier(path)
    safetensors.torch.save_file(state, path)
    with pytest.raises(UserError, match="no classifier of this version"):
        load_classifier(path)
