"""Networks that are trained here: what they learn, that they repeat, their files, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from benchmarks.networks import content_reader
from benchmarks.networks.classifier_training import Labelled, train_classifier
from benchmarks.networks.classifiers import RECIPES, Classifier, load_classifier, network_input
from benchmarks.networks.colours import oklab
from benchmarks.networks.content_reader import Described, r_squared
from benchmarks.networks.mode_classifiers import (
    ModeClassifier,
    fit_temperature,
    load_mode_classifier,
    train_mode_classifier,
)
from benchmarks.networks.mode_recipes import MODE_RECIPES
from benchmarks.pictures import to_bytes
from models.errors import UserError

HEADS = {"colour": ("red", "green", "blue"), "pattern": ("plain", "stripes")}
MODES = ("plain red", "striped red", "plain blue", "striped blue")
FACTORS = ("across", "down", "mood")  # the last cannot be seen
BROAD = replace(RECIPES["small-resnet-2"], steps=60, batch=16)
OF_MODES = replace(MODE_RECIPES["small-drawn"], steps=40, batch=16)
OF_CONTENT = replace(content_reader.CONTENT_RECIPES["small-content"], steps=60, batch=32)


def striped(colours: np.ndarray, stripes: np.ndarray, draws: np.random.Generator, side: int) -> Any:
    pictures = torch.zeros(len(colours), 3, side, side, dtype=torch.uint8)
    for i, colour in enumerate(colours):
        pictures[i, colour] = int(draws.integers(140, 256))
        if stripes[i]:
            pictures[i, :, :, ::4] = 255
    return pictures


def labelled(count: int, seed: int) -> Labelled:
    draws = np.random.default_rng([3, seed])
    colour, pattern = draws.integers(0, 3, count), draws.integers(0, 2, count)
    labels = {"colour": colour, "pattern": pattern}
    return Labelled(striped(colour, pattern, draws, 16), labels)


def moded(count: int, seed: int, side: int = 16, wrong: float = 0.0) -> Labelled:
    """A share ``wrong`` of the labels is drawn blindly."""
    draws, modes = np.random.default_rng([7, seed]), np.arange(count) % 4
    pictures = striped(2 * (modes // 2), modes % 2, draws, side)
    blind = draws.random(count) < wrong
    return Labelled(pictures, {"mode": np.where(blind, draws.integers(0, 4, count), modes)})


def described(count: int, seed: int, side: int = 16) -> Described:
    """A white square somewhere on a ground of any colour; values in pixels and in no unit."""
    draws = np.random.default_rng([11, seed])
    across, down = draws.integers(0, side - 5, (2, count))
    pictures = torch.empty(count, 3, side, side, dtype=torch.uint8)
    for i in range(count):
        pictures[i] = torch.from_numpy(draws.integers(0, 120, (3, 1, 1))).byte()
        pictures[i, :, down[i] : down[i] + 5, across[i] : across[i] + 5] = 255
    return Described(pictures, np.stack([across, down, draws.standard_normal(count)], axis=1))


def floats(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.float() / 127.5 - 1


@dataclass(frozen=True)
class Case:
    """How one kind is trained (steps, seed), read back, and asked about pictures."""

    train: Callable[[int, int], Any]
    load: Callable[[Path], Any]
    ask: Callable[[Any, torch.Tensor], np.ndarray]
    wrong: tuple[dict[str, object], ...]


CASES = {
    "classifier": Case(
        lambda steps, seed: train_classifier(
            replace(BROAD, steps=steps), HEADS, labelled(200, 0), labelled(100, 1), seed=seed
        ),
        load_classifier,
        lambda of, pictures: of(pictures)[1]["colour"],
        ({"heads": {"colour": ["red"]}}, {"accuracy": {}}),
    ),
    "mode-classifier": Case(
        lambda steps, seed: train_mode_classifier(
            replace(OF_MODES, steps=steps), MODES, moded(200, 0), moded(100, 1), seed=seed
        ),
        load_mode_classifier,
        lambda of, pictures: of.probabilities(floats(pictures)),
        (
            {"recipe": "inception-v3-finetune"}, {"modes": [*MODES[:3], MODES[0]]},
            {"size": [32, 32]}, {"verified": False}, {"temperature": 5.0}, {"accuracy": "high"},
        ),
    ),
    "content-reader": Case(
        lambda steps, seed: content_reader.train_content_reader(
            replace(OF_CONTENT, steps=steps), FACTORS, described(400, 0), described(100, 1), seed=seed
        ),
        content_reader.load_content_reader,
        lambda of, pictures: of.read(floats(pictures)),
        (
            {"factors": ["down", "across", "mood"]}, {"r2": [0.9, 0.9, 0.9]}, {"size": [32, 32]},
            {"scale": {"mean": [0.0] * 3, "deviation": [0.0, 1.0, 1.0]}},
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    steps = {"classifier": 60, "mode-classifier": 40, "content-reader": 60}
    return {kind: CASES[kind].train(steps[kind], 4) for kind in CASES}


@pytest.mark.parametrize("kind", CASES)
def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before(kind: str) -> None:
    train = CASES[kind].train
    torch.rand(5)
    before = torch.random.get_rng_state()
    first = train(2, 0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.sha256 == train(2, 0).sha256 != train(2, 1).sha256


@pytest.mark.parametrize("kind", CASES)
def test_neither_order_nor_batch_matters(known: dict[str, Any], kind: str) -> None:
    pictures, ask, of = moded(130, 2).pictures, CASES[kind].ask, known[kind]
    found = ask(of, pictures)
    assert ask(of, pictures.flip(0)) == pytest.approx(found[::-1], abs=1e-4)
    assert ask(of, pictures[:1]) == pytest.approx(found[:1], abs=1e-4)
    if kind != "content-reader":
        assert np.abs(found.sum(axis=1) - 1).max() < 1e-12


@pytest.mark.parametrize("kind", CASES)
def test_saved_and_read_back(known: dict[str, Any], kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.safetensors"
    known[kind].save(path)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]
    again, pictures = CASES[kind].load(path), moded(9, 6).pictures
    assert again.record() == known[kind].record()
    ask = CASES[kind].ask
    assert np.array_equal(ask(again, pictures), ask(known[kind], pictures))


@pytest.mark.parametrize("kind", CASES)
def test_broken_and_foreign_files_are_refused(known, kind, tmp_path):
    path, load = tmp_path / "x.safetensors", CASES[kind].load
    with pytest.raises(UserError, match="no such file: remove"):
        load(path)
    known[kind].save(path)
    whole = path.read_bytes()
    state = safetensors.torch.load(whole)
    about = json.loads(json.dumps(known[kind].record()))
    weight = next(name for name in state if name.endswith("stem.weight"))

    def saved(changes: dict[str, torch.Tensor], **other: object) -> bytes:
        return safetensors.torch.save(state | changes, {kind: json.dumps(about | other)})

    for content in (
        *(saved({}, **wrong) for wrong in CASES[kind].wrong),
        *(saved({}, **wrong) for wrong in ({"recipe": "x"}, {"facts": 3}, {"sha256": "0" * 64})),
        saved({weight: torch.zeros(2)}),
        saved({weight: state[weight] + 1}),
        saved({"more": torch.zeros(2)}),
        whole[:5000],
        safetensors.torch.save(state),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"no {kind} of this version") as error:
            load(path)
        assert "\n" not in str(error.value)


def test_weights_that_are_no_numbers_are_refused(known: dict[str, Any], tmp_path: Path) -> None:
    of = known["mode-classifier"]
    network = OF_MODES.network(4)
    network.load_state_dict(of.network.state_dict())
    with torch.no_grad():
        network.resnet.stem.weight[0, 0, 0, 0] = torch.nan
    broken = ModeClassifier(OF_MODES, MODES, (16, 16), network, of.temperature, 1.0, True, {})
    broken.save(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="weights are not finite float32 numbers"):
        load_mode_classifier(tmp_path / "x.safetensors")


@pytest.mark.parametrize("kind", ["mode-classifier", "content-reader"])
def test_pictures_of_another_size_are_refused(known: dict[str, Any], kind: str) -> None:
    with pytest.raises(UserError, match="are 32x32, small-.* was trained on 16x16: train one"):
        CASES[kind].ask(known[kind], torch.zeros(4, 3, 32, 32, dtype=torch.uint8))


@pytest.mark.parametrize("kind", ["mode-classifier", "content-reader"])
def test_pictures_are_rounded_to_bytes(known: dict[str, Any], kind: str) -> None:
    of = known[kind]
    ask = of.probabilities if kind == "mode-classifier" else of.read
    pictures = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert np.array_equal(ask(pictures), ask(floats(to_bytes(pictures))))


def test_a_classifier_learns_both_heads(known: dict[str, Any]) -> None:
    of: Classifier = known["classifier"]
    assert min(of.accuracy.values()) > 0.95
    assert of.facts == {"train": 200, "held_out": 100, "size": [16, 16], "seed": 4}


def test_modes_are_learned_and_tried_on_held_out_pictures(known: dict[str, Any]) -> None:
    of: ModeClassifier = known["mode-classifier"]
    assert (of.name, of.facts) == ("small-drawn", {"train": 200, "held_out": 100, "seed": 4})
    held_out = moded(100, 1)
    named = of.probabilities(floats(held_out.pictures)).argmax(axis=1)
    assert of.accuracy == (named == held_out.labels["mode"]).mean() > 0.95


def test_other_held_out_labels_change_accuracy_and_temperature_alone(known: dict[str, Any]) -> None:
    """Where half of the labels are blind, a classifier that is sure of itself is too sure."""
    held_out, sure = moded(400, 1, wrong=0.5), known["mode-classifier"]
    found = train_mode_classifier(OF_MODES, MODES, moded(200, 0), held_out, seed=4)
    for name, tensor in sure.network.state_dict().items():
        assert torch.equal(tensor, found.network.state_dict()[name])
    assert found.accuracy == pytest.approx(0.5 + 0.5 / 4, abs=0.07)
    assert sure.temperature < 1.5 < found.temperature
    batch = floats(held_out.pictures)
    softened, before = (c.probabilities(batch).max(axis=1).mean() for c in (found, sure))
    assert softened < 0.7 < 0.9 < before and found.sha256 != sure.sha256


def test_the_temperature_is_that_of_least_loss() -> None:
    draws = np.random.default_rng(0)
    logits = draws.normal(size=(4000, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < draws.random((4000, 1))).sum(axis=1)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)
    assert fit_temperature(logits / 2, labels) == 1  # never sharpened
    assert fit_temperature(1000 * logits, labels) == 10


def test_content_is_read_where_it_can_be_seen(known: dict[str, Any]) -> None:
    of: content_reader.ContentReader = known["content-reader"]
    assert min(of.r2["across"], of.r2["down"]) > 0.9 and of.r2["mood"] < 0.3
    assert (of.factors, of.used) == (FACTORS, ("across", "down"))
    assert of.facts == {"train": 400, "held_out": 100, "seed": 4}
    new = described(130, 2)
    read, true = of.read(floats(new.pictures)), of.standardised(new.values)
    assert r_squared(read, true) == pytest.approx([of.r2[f] for f in of.used], abs=0.05)


def test_r_squared_and_constant_factors() -> None:
    true = np.array([[0.0, 5, 1], [1, 5, 2], [2, 5, 3]])
    assert r_squared(true, true) == [1, 0, 1]  # a factor that never varies explains nothing
    assert r_squared(np.repeat(true.mean(axis=0)[None], 3, axis=0), true) == [0, 0, 0]
    assert r_squared(true[::-1], true) == [-3, 0, -3]
    assert content_reader.Scale.of(true).deviation[1] == 1


def test_the_network_sees_oklab_and_differences_averaged_down() -> None:
    pictures = labelled(4, 3).pictures
    seen = network_input(pictures, 64)
    lab = oklab(pictures.permute(0, 2, 3, 1).numpy() / 255)
    assert seen[:, 0].numpy() == pytest.approx(lab[..., 0] * 2 - 1, abs=1e-5)
    assert seen[:, 1:3].numpy() == pytest.approx(np.moveaxis(lab[..., 1:], 3, 1) * 5, abs=1e-5)
    scaled = lab * [2, 5, 5]
    right, down = (np.linalg.norm(np.diff(scaled, axis=k), axis=3) for k in (2, 1))
    assert seen[:, 4, :, :-1].numpy() == pytest.approx(right, abs=1e-5)
    assert seen[:, 4, :, -1].eq(0).all()
    assert seen[:, 3, :-1].numpy() == pytest.approx(down, abs=1e-5)
    large = pictures.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)  # 128 pixels
    assert torch.allclose(network_input(large, 16), network_input(pictures, 16), atol=1e-5)
    assert network_input(large[:, :, :64], 64).shape == (4, 5, 32, 64)


def test_classifiers_under_their_floor_are_refused(known: dict[str, Any]) -> None:
    broad, modes = known["classifier"], known["mode-classifier"]
    broad.require({"colour": 0.9})
    modes.require()
    for accuracy in (0.41, np.nan):
        bad = Classifier(broad.recipe, HEADS, broad.network, {"colour": accuracy}, {})
        with pytest.raises(UserError, match=r"accurate at colour, under the floor of 0.9"):
            bad.require({"colour": 0.9})
    poor = ModeClassifier(OF_MODES, MODES, (16, 16), modes.network, 1.0, 0.4, True, {})
    with pytest.raises(UserError, match=r"plain red, .* is 0.400 .* under the floor of 0.95: tra"):
        poor.require()


def test_training_that_cannot_work_is_refused() -> None:
    many, good = labelled(30, 0), moded(40, 0)
    one = Labelled(many.pictures, many.labels | {"colour": np.zeros(30, np.int64)})
    with pytest.raises(UserError, match="no training picture of colour 'green'"):
        train_classifier(BROAD, HEADS, one, many)
    for recipe, held_out, message in (
        (OF_MODES, moded(7, 1), "only 1 held-out picture of mode 'striped blue': use more"),
        (OF_MODES, moded(8, 1, side=32), "held-out pictures are"),
        (MODE_RECIPES["inception-v3-finetune"], moded(8, 1), "starts from ImageNet weights"),
    ):
        with pytest.raises(UserError, match=message):
            train_mode_classifier(recipe, MODES, good, held_out)
