"""Classifiers of modes: what they learn, what is recorded of it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from benchmarks.networks.classifier_training import Labelled
from benchmarks.networks.mode_classifier_training import train_mode_classifier
from benchmarks.networks.mode_classifiers import ModeClassifier, Trial, load_mode_classifier
from benchmarks.networks.mode_recipes import MODE_RECIPES
from models.errors import UserError

MODES = ("plain red", "striped red", "plain blue", "striped blue")
SHORT = replace(MODE_RECIPES["small-drawn"], steps=40, batch=16)


def labelled(count: int, seed: int, side: int = 16, wrong: float = 0.0) -> Labelled:
    """Squares, plain or striped, red or blue; a share of the labels is drawn blindly."""
    draws = np.random.default_rng([7, seed])
    modes = np.arange(count) % 4
    pictures = torch.zeros(count, 3, side, side, dtype=torch.uint8)
    for i, mode in enumerate(modes):
        pictures[i, 2 if mode >= 2 else 0] = int(draws.integers(140, 256))
        if mode % 2:
            pictures[i, :, :, ::4] = 255
    blind = draws.random(count) < wrong
    return Labelled(pictures, {"mode": np.where(blind, draws.integers(0, 4, count), modes)})


def floats(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.float() / 127.5 - 1


@pytest.fixture(scope="module")
def trained() -> ModeClassifier:
    return train_mode_classifier(SHORT, MODES, labelled(200, 0), labelled(100, 1), seed=4)


def test_it_learns_the_modes_and_is_tried_on_held_out_pictures(trained: ModeClassifier):
    assert trained.accuracy > 0.95
    assert trained.confusion.shape == (4, 4)
    assert trained.confusion.sum(axis=1).tolist() == [25] * 4
    assert np.trace(trained.confusion) == round(100 * trained.accuracy)
    assert trained.facts == {"train": 200, "held_out": 100, "seed": 4}
    calibration = trained.calibration
    assert (calibration.fitted_on, calibration.measured_on) == (52, 48)
    held_out = labelled(100, 1)
    named = trained.probabilities(floats(held_out.pictures)).argmax(axis=1)
    for true, row in enumerate(trained.confusion):
        assert np.bincount(named[held_out.labels["mode"] == true], minlength=4).tolist() == [*row]


def test_rows_of_the_confusion_are_true_modes_and_columns_named_ones():
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    named = np.array([0, 1, 1, 2, 1, 1, 2, 0])
    trial = Trial.of(np.eye(3)[named] * 5.0, labels)
    assert trial.confusion.tolist() == [[1, 2, 1], [0, 2, 0], [1, 0, 1]]
    assert trial.accuracy == 0.5
    assert Trial.from_dict(trial.as_dict(), 3).as_dict() == trial.as_dict()


def test_probabilities(trained: ModeClassifier):
    batch = floats(labelled(130, 2).pictures)
    p = trained.probabilities(batch)
    assert (p.shape, p.dtype) == ((130, 4), np.float64)
    assert np.abs(p.sum(axis=1) - 1).max() < 1e-12
    order = torch.randperm(130, generator=torch.Generator().manual_seed(0))
    assert trained.probabilities(batch[order]) == pytest.approx(p[order.numpy()], abs=1e-5)
    single = np.concatenate([trained.probabilities(x[None]) for x in batch[:9]])
    assert single == pytest.approx(p[:9], abs=1e-5)


def test_saved_pictures_have_the_same_probabilities(trained: ModeClassifier, tmp_path: Path):
    batch = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    read = []
    for i, picture in enumerate(batch):
        pixels = (picture.permute(1, 2, 0).numpy() + 1) * 127.5
        Image.fromarray(pixels.round().astype(np.uint8)).save(tmp_path / f"{i}.png")
        read.append(np.asarray(Image.open(tmp_path / f"{i}.png")))
    again = floats(torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2))
    assert np.array_equal(trained.probabilities(batch), trained.probabilities(again))


def test_other_held_out_labels_change_the_trial_and_temperature_alone(trained: ModeClassifier):
    """Where half of the labels are blind, a classifier that is sure of itself is too sure."""
    held_out = labelled(400, 1, wrong=0.5)
    found = train_mode_classifier(SHORT, MODES, labelled(200, 0), held_out, seed=4)
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(tensor, found.network.state_dict()[name])
    assert found.accuracy == pytest.approx(0.5 + 0.5 / 4, abs=0.07)
    calibration = found.calibration
    assert trained.calibration.temperature < 1.5 < calibration.temperature
    assert trained.calibration.error < 0.05 < calibration.error < calibration.error_before - 0.1
    batch = floats(held_out.pictures)
    softened, before = (c.probabilities(batch).max(axis=1).mean() for c in (found, trained))
    assert softened < 0.7 < 0.9 < before
    assert found.sha256 != trained.sha256


def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before(trained: ModeClassifier):
    torch.rand(5)
    before = torch.random.get_rng_state()
    again = train_mode_classifier(SHORT, MODES, labelled(200, 0), labelled(100, 1), seed=4)
    assert again.sha256 == trained.sha256
    assert torch.equal(torch.random.get_rng_state(), before)
    short = replace(SHORT, steps=1)
    train, held_out = labelled(20, 0), labelled(8, 1)
    hashes = {
        train_mode_classifier(short, modes, train, held_out, seed=seed).sha256
        for seed, modes in ((0, MODES), (1, MODES), (0, MODES[::-1]))
    }
    assert len(hashes) == 3


def test_saved_and_read_back(trained: ModeClassifier, tmp_path: Path):
    path = tmp_path / "new" / "modes.safetensors"
    trained.save(path)
    assert [p.name for p in path.parent.iterdir()] == ["modes.safetensors"]
    again = load_mode_classifier(path)
    assert again.record() == trained.record()
    assert again.name == trained.name == "small-drawn"
    batch = floats(labelled(9, 6).pictures)
    assert np.array_equal(again.probabilities(batch), trained.probabilities(batch))
    with safetensors.safe_open(path, "pt") as file:  # as anyone can read it
        about = json.loads(file.metadata()["mode-classifier"])
    assert about["sha256"] == trained.sha256
    assert about["held_out"]["accuracy"] == trained.accuracy
    assert about["held_out"]["confusion"] == trained.confusion.tolist()
    assert about["held_out"]["calibration"]["error"] == trained.calibration.error
    assert about["modes"] == list(MODES)


def test_classifiers_under_the_floor_or_of_other_modes_are_refused(trained: ModeClassifier):
    trained.require()
    trained.require(0.9)
    trained.require_modes(MODES)
    counts = np.full((4, 4), 25) + 25 * np.eye(4, dtype=np.int64)  # 0.4
    poor = ModeClassifier(
        SHORT, MODES, (16, 16), trained.network, Trial(counts, trained.calibration), True, {}
    )
    assert poor.accuracy == 0.4
    poor.require(0.4)
    with pytest.raises(UserError, match=r"plain red, .* is 0.400 .* under the floor of 0.95: tra"):
        poor.require()
    with pytest.raises(UserError, match="tells plain red, .* wanted are cat, dog: train one"):
        trained.require_modes(("cat", "dog"))
    with pytest.raises(UserError, match="train one"):
        trained.require_modes(MODES[::-1])


def test_pictures_that_do_not_fit_are_refused(trained: ModeClassifier):
    batch = floats(labelled(4, 0).pictures)
    for wrong, message in (
        (floats(labelled(4, 0, side=32).pictures), "are 32x32, small-drawn was trained on 16x16"),
        (batch * torch.nan, "have values in"),
        (batch * 3, "have values in"),
        (batch[0], "need real numbers"),
        (labelled(4, 0).pictures, "need real numbers"),
    ):
        with pytest.raises(UserError, match=message):
            trained.probabilities(wrong)


def test_labels_and_modes_that_do_not_fit_are_refused():
    good, held_out = labelled(40, 0), labelled(8, 1)
    no_blue = Labelled(good.pictures, {"mode": good.labels["mode"] % 2})
    single = Labelled(held_out.pictures[:7], {"mode": held_out.labels["mode"][:7]})
    for train, test, modes, message in (
        (no_blue, held_out, MODES, "no training picture of mode 'plain blue': use more"),
        (good, single, MODES, "only 1 held-out picture of mode 'striped blue': use more"),
        (good, labelled(8, 1, side=32), MODES, "held-out pictures are"),
        (good, held_out, MODES[:3], "labels of mode go from 0 to 2"),
        (Labelled(good.pictures, {}), held_out, MODES, "need as many labels of mode"),
        (good, Labelled(held_out.pictures[:0], {}), MODES, "at least one"),
        (good, held_out, ("a", "b", "b", "c"), "each once"),
        (good, held_out, ("a",), "two or more"),
    ):
        with pytest.raises(UserError, match=message):
            train_mode_classifier(SHORT, modes, train, test)
    with pytest.raises(UserError, match="inception-v3-finetune starts from ImageNet weights"):
        train_mode_classifier(MODE_RECIPES["inception-v3-finetune"], MODES, good, held_out)


def test_broken_and_foreign_files_are_refused(trained: ModeClassifier, tmp_path: Path):
    path = tmp_path / "modes.safetensors"
    with pytest.raises(UserError, match="no such file: remove"):
        load_mode_classifier(path)
    trained.save(path)
    whole = path.read_bytes()
    state = safetensors.torch.load(whole)
    about = json.loads(json.dumps(trained.record()))
    trial = about["held_out"]
    calibration = trial["calibration"]

    def write(changes: dict[str, torch.Tensor], **other: object) -> None:
        text = json.dumps(about | other)
        path.write_bytes(safetensors.torch.save(state | changes, {"mode-classifier": text}))

    write({})
    assert load_mode_classifier(path).sha256 == trained.sha256
    stem = "resnet.stem.weight"
    more = [[k + 1 for k in row] for row in trial["confusion"]]
    for changes, other in (
        ({}, {"recipe": "resnet-9000"}),
        ({}, {"recipe": "inception-v3-finetune"}),
        ({}, {"modes": ["a", "b"]}),
        ({}, {"modes": "four"}),
        ({}, {"modes": [*MODES[:3], MODES[0]]}),
        ({}, {"size": [16]}),
        ({}, {"size": [32, 32]}),
        ({}, {"facts": 3}),
        ({}, {"verified": False}),
        ({}, {"sha256": "0" * 64}),
        ({}, {"held_out": {}}),
        ({}, {"held_out": trial | {"confusion": [[1, 2], [3]]}}),
        ({}, {"held_out": trial | {"confusion": [[-1, 1], [0, 1]]}}),
        ({}, {"held_out": trial | {"confusion": [[float("nan")] * 4] * 4}}),
        ({}, {"held_out": trial | {"confusion": more}}),
        ({}, {"held_out": trial | {"calibration": calibration | {"temperature": float("nan")}}}),
        ({}, {"held_out": trial | {"calibration": calibration | {"temperature": 5.0}}}),
        ({}, {"held_out": trial | {"calibration": calibration | {"bins": []}}}),
        ({stem: state[stem] + 1}, {}),
        ({stem: torch.zeros(2)}, {}),
        ({"more": torch.zeros(2)}, {}),
    ):
        write(changes, **other)
        with pytest.raises(UserError, match="no mode-classifier of this version") as error:
            load_mode_classifier(path)
        assert "\n" not in str(error.value)
    path.write_bytes(whole[:5000])
    with pytest.raises(UserError, match="no mode-classifier of this version"):
        load_mode_classifier(path)
    torch.save(state, path)
    with pytest.raises(UserError, match="no mode-classifier of this version"):
        load_mode_classifier(path)
    broken = load_network_with(trained, torch.nan)
    broken.save(path)
    with pytest.raises(UserError, match="weights are not finite float32 numbers"):
        load_mode_classifier(path)


def load_network_with(trained: ModeClassifier, value: float) -> ModeClassifier:
    """A classifier whose record fits its weights, one of which is ``value``."""
    network = SHORT.network(4)
    network.load_state_dict(trained.network.state_dict())
    with torch.no_grad():
        network.resnet.stem.weight[0, 0, 0, 0] = value
    return ModeClassifier(SHORT, MODES, (16, 16), network, trained.trial, True, {})
