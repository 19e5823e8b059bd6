"""Readers of content: what they learn, what is recorded of it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from benchmarks.networks.content_reader import (
    CONTENT_RECIPES,
    ContentReader,
    Scale,
    load_content_reader,
)
from benchmarks.networks.content_reader_training import Described, r_squared, train_content_reader
from models.errors import UserError

RECIPE = CONTENT_RECIPES["small-content"]
SHORT = replace(RECIPE, steps=60, batch=32)
FACTORS = ("across", "down", "mood")  # the last cannot be seen
SIDE = 16


def described(count: int, seed: int, side: int = SIDE) -> Described:
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


@pytest.fixture(scope="module")
def trained() -> ContentReader:
    return train_content_reader(SHORT, FACTORS, described(400, 0), described(100, 1), seed=4)


def test_it_learns_what_can_be_seen_and_says_what_cannot(trained: ContentReader) -> None:
    assert trained.factors == FACTORS
    assert min(trained.r2["across"], trained.r2["down"]) > 0.9
    assert trained.r2["mood"] < 0.3
    assert trained.used == ("across", "down")
    assert trained.facts == {"train": 400, "held_out": 100, "seed": 4}


def test_reads_and_standardises_alike(trained: ContentReader) -> None:
    new = described(130, 2)
    read, true = trained.read(floats(new.pictures)), trained.standardised(new.values)
    assert read.shape == true.shape == (130, 2)
    assert np.abs(read - true).mean() < 0.3
    train = described(400, 0)
    scaled = trained.standardised(train.values)
    assert scaled.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert scaled.std(axis=0) == pytest.approx([1, 1])
    assert r_squared(read, true) == pytest.approx([trained.r2[f] for f in trained.used], abs=0.05)


def test_neither_order_nor_batch_matters(trained: ContentReader) -> None:
    batch = floats(described(130, 2).pictures)
    read = trained.read(batch)
    order = torch.randperm(130, generator=torch.Generator().manual_seed(0))
    assert trained.read(batch[order]) == pytest.approx(read[order.numpy()], abs=1e-5)
    assert np.concatenate([trained.read(x[None]) for x in batch[:9]]) == pytest.approx(
        read[:9], abs=1e-5
    )


def test_saved_pictures_read_the_same(trained: ContentReader, tmp_path: Path) -> None:
    picture = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    pixels = ((picture.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "0.png")
    again = torch.from_numpy(np.array(Image.open(tmp_path / "0.png"))).permute(2, 0, 1)
    assert np.array_equal(trained.read(picture[None]), trained.read(floats(again)[None]))


def test_r_squared() -> None:
    true = np.array([[0.0, 5, 1], [1, 5, 2], [2, 5, 3]])
    assert r_squared(true, true) == [1, 0, 1]  # a factor that never varies explains nothing
    mean = np.repeat(true.mean(axis=0)[None], 3, axis=0)
    assert r_squared(mean, true) == [0, 0, 0]
    assert r_squared(true[::-1], true) == [-3, 0, -3]


def test_a_constant_factor_is_not_used() -> None:
    train, held_out = described(40, 0), described(20, 1)
    for part in (train, held_out):
        part.values[:, 0] = 3
    found = train_content_reader(replace(SHORT, steps=2), FACTORS, train, held_out)
    assert found.r2["across"] == 0 and "across" not in found.used
    assert Scale.of(train.values).deviation[0] == 1


def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before() -> None:
    short, train, held_out = replace(SHORT, steps=2), described(20, 0), described(8, 1)

    def sha256(seed: int, factors: tuple[str, ...] = FACTORS) -> str:
        return train_content_reader(short, factors, train, held_out, seed=seed).sha256

    torch.rand(5)
    before = torch.random.get_rng_state()
    first = sha256(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first == sha256(0)
    assert len({first, sha256(1), sha256(0, FACTORS[::-1])}) == 3


def test_saved_and_read_back(trained: ContentReader, tmp_path: Path) -> None:
    path = tmp_path / "new" / "reader.safetensors"
    trained.save(path)
    assert [p.name for p in path.parent.iterdir()] == ["reader.safetensors"]
    again = load_content_reader(path)
    assert again.record() == trained.record()
    assert (again.used, again.name) == (trained.used, "small-content")
    new = described(9, 6)
    assert np.array_equal(again.read(floats(new.pictures)), trained.read(floats(new.pictures)))
    assert np.array_equal(again.standardised(new.values), trained.standardised(new.values))
    with safetensors.safe_open(path, "pt") as file:  # as anyone can read it
        about = json.loads(file.metadata()["content-reader"])
    assert about["sha256"] == trained.sha256
    assert dict(zip(about["factors"], about["r2"], strict=True)) == trained.r2


def test_pictures_and_contents_that_do_not_fit_are_refused(trained: ContentReader) -> None:
    batch = floats(described(4, 0).pictures)
    for wrong, message in (
        (floats(described(4, 0, side=32).pictures), "are 32x32, small-content was trained on 16x1"),
        (batch * torch.nan, "have values in"),
        (batch[0], "need real numbers"),
    ):
        with pytest.raises(UserError, match=message):
            trained.read(wrong)
    with pytest.raises(UserError, match=r"are \(4, 2\), small-content knows 3 factors"):
        trained.standardised(np.zeros((4, 2)))
    good, held_out = described(20, 0), described(8, 1)
    unknown = Described(good.pictures, good.values.copy())
    unknown.values[3, 1] = np.nan
    for train, test, factors, message in (
        (Described(good.pictures[:0], good.values), held_out, FACTORS, "at least one"),
        (good, Described(held_out.pictures.float(), held_out.values), FACTORS, "held-out.*uint8"),
        (good, held_out, FACTORS[:2], r"20 pictures of 2 factors need \(20, 2\)"),
        (unknown, held_out, FACTORS, "training pictures: down of picture 3 is NaN"),
        (good, described(8, 1, side=32), FACTORS, "held-out pictures are"),
        (good, held_out, ("a", "b", "a"), "name each once"),
        (good, held_out, (), "name one or more"),
    ):
        with pytest.raises(UserError, match=message) as error:
            train_content_reader(SHORT, factors, train, test)
        assert "\n" not in str(error.value)


def test_broken_and_foreign_files_are_refused(trained: ContentReader, tmp_path: Path) -> None:
    path = tmp_path / "reader.safetensors"
    with pytest.raises(UserError, match="no such file: remove"):
        load_content_reader(path)
    trained.save(path)
    whole = path.read_bytes()
    state = safetensors.torch.load(whole)
    about = json.loads(json.dumps(trained.record()))

    def write(changes: dict[str, torch.Tensor], **other: object) -> None:
        text = json.dumps(about | other)
        path.write_bytes(safetensors.torch.save(state | changes, {"content-reader": text}))

    write({})
    assert load_content_reader(path).sha256 == trained.sha256
    flat = about["scale"] | {"deviation": [0.0, 1.0, 1.0]}
    for changes, other in (
        ({}, {"recipe": "resnet-9000"}),
        ({}, {"factors": ["across", "down"]}),
        ({}, {"factors": ["across", "down", "down"]}),
        ({}, {"factors": ["down", "across", "mood"]}),
        ({}, {"r2": [0.9, 0.9, 0.9]}),
        ({}, {"r2": "high"}),
        ({}, {"scale": flat}),
        ({}, {"scale": {}}),
        ({}, {"size": [16]}),
        ({}, {"size": [32, 32]}),
        ({}, {"facts": 3}),
        ({}, {"sha256": "0" * 64}),
        ({"head.bias": torch.zeros(3)}, {}),
        ({"head.bias": torch.zeros(2)}, {}),
        ({"more": torch.zeros(2)}, {}),
    ):
        write(changes, **other)
        with pytest.raises(UserError, match="no content-reader of this version") as error:
            load_content_reader(path)
        assert "\n" not in str(error.value)
    path.write_bytes(whole[:5000])
    with pytest.raises(UserError, match="no content-reader of this version"):
        load_content_reader(path)
