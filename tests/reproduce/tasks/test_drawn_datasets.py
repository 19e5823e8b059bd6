"""Drawn data sets on disk: their folders, what is told of the pictures, and what is refused."""

import csv
import hashlib
import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from reproduce.tasks.animals.animal import DOMAINS, SPLITS, draw_animal
from reproduce.tasks.animals.dataset import write_animals
from reproduce.tasks.animals.render import render_animal
from reproduce.tasks.drawn.dataset import draw, write_drawn
from reproduce.tasks.drawn.render import render_edges, render_photo
from reproduce.tasks.layouts import open_folder
from reproduce.tasks.modes import open_modes

SIZE, SEED = 32, 4
NUMBERS = {"size": SIZE, "seed": SEED, "train": 62, "test": 9}  # of two chunks in training


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def digest(folder: Path, splits: dict[str, tuple[str, ...]]) -> str:
    """Of the pictures' own digests, folder by folder within a split's numbers."""
    whole = hashlib.sha256()
    for folders in splits.values():
        for name in names(folder / folders[0]):
            for part in folders:
                whole.update(hashlib.sha256(read(folder / part / name).tobytes()).digest())
    return whole.hexdigest()


def told(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))


OBJECTS = {
    "trainA": ("trainA",), "trainB": ("trainB",), "trainPairs": ("trainPairs",),
    "test": ("testA", "testB", "testMask"),
}  # fmt: skip


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "bags"
    write_drawn("handbags", folder, **NUMBERS, jobs=1)
    return folder


def test_layout_of_objects(bags: Path) -> None:
    counts = {p.name: len(list(p.glob("*.png"))) for p in bags.iterdir() if p.is_dir()}
    training, testing = ("trainA", "trainB", "trainPairs"), ("testA", "testB", "testMask")
    assert counts == dict.fromkeys(training, 62) | dict.fromkeys(testing, 9)
    assert names(bags.parent) == ["bags"]  # nothing temporary left
    # No content of training in testing.
    assert not np.array_equal(read(bags / "trainA/00003.png"), read(bags / "testA/00003.png"))
    pair = read(bags / "trainPairs/00059.png")
    content, style = draw("handbags", SEED, "trainPairs", 59)
    expected = [render_edges(content, SIZE), render_photo(content, style, SIZE)]
    np.testing.assert_array_equal(pair, np.concatenate(expected, axis=1))
    mask, photo = read(bags / "testMask/00003.png"), read(bags / "testB/00003.png")
    np.testing.assert_array_equal(mask > 0, (photo < 255).any(axis=2))


def test_factors_and_manifest_describe_the_objects(bags: Path) -> None:
    with open(bags / "factors.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 62 + 9
    assert all(row["body_rgb"] == "" for row in rows if row["split"] == "trainA")
    row = next(row for row in rows if (row["split"], row["file"]) == ("test", "00005.png"))
    content, style = draw("handbags", SEED, "test", 5)
    for name, value in (content.as_dict() | style.as_dict()).items():
        assert row[name] == str(value)
    assert told(bags / "drawn.json")["sha256"] == digest(bags, OBJECTS)


def test_processes_do_not_change_the_pictures(bags: Path, tmp_path: Path) -> None:
    write_drawn("handbags", tmp_path / "two", **NUMBERS, jobs=2)
    for name in ("drawn.json", "factors.csv", "trainPairs/00057.png"):
        assert (tmp_path / "two" / name).read_bytes() == (bags / name).read_bytes()


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("animals") / "cats-dogs"
    write_animals("house-cats", "dogs", folder, **NUMBERS, jobs=1)
    return folder


def test_the_flat_folder_tells_nothing_of_modes(animals: Path) -> None:
    assert names(animals.parent) == ["cats-dogs", "cats-dogs.truth"]
    assert names(animals) == ["drawn.json", *sorted(SPLITS)]
    for split in SPLITS:
        count = 62 if split.startswith("train") else 9
        assert names(animals / split) == [f"{i:05d}.png" for i in range(count)]
        assert all(Image.open(p).info == {} for p in (animals / split).iterdir())
    text = (animals / "drawn.json").read_text(encoding="utf-8")
    words = {word for domain, kind in DOMAINS.items() for word in (domain, kind.title, *kind.modes)}
    assert not [word for word in (*words, "mode") if word in text]
    domains = open_folder(animals, "cats-dogs")
    assert len(domains.train_a) == 62 and len(domains.test_b) == 9


def test_the_truth_describes_the_animals(animals: Path) -> None:
    modes, truth = open_modes(animals), animals.with_name("cats-dogs.truth")
    assert modes.titles == {"a": "house cats", "b": "dogs"}
    assert modes.names == {"a": DOMAINS["house-cats"].modes, "b": DOMAINS["dogs"].modes}
    for split in SPLITS:
        domain = "house-cats" if split.endswith("A") else "dogs"
        ids = [Path(name).stem for name in names(animals / split)]
        labels = modes.labels(split, ids)
        assert np.ptp(np.bincount(labels, minlength=4)) <= 1
        assert len(set(pairwise(labels.tolist()))) >= 6  # shuffled: no cycle of four
        for index in (0, len(ids) - 1):
            mode = DOMAINS[domain].modes[labels[index]]
            animal = draw_animal(domain, mode, SEED, split, index)
            picture = read(animals / split / f"{ids[index]}.png")
            np.testing.assert_array_equal(picture, render_animal(animal, SIZE))
            factors = {name: str(value) for name, value in animal.factors.items()}
            assert modes.factors(split, ids[index]) == factors
    expected = digest(animals, {split: (split,) for split in SPLITS})
    assert told(animals / "drawn.json")["sha256"] == expected
    assert told(truth / "truth.json")["made"]["sha256"] == expected


def test_some_modes_of_one_domain_make_a_task(tmp_path: Path) -> None:
    folder, husky = tmp_path / "breeds", ("dogs", ("husky",))
    write = partial(write_animals, husky, folder=folder, size=SIZE, seed=0, train=5, test=2)
    write(("dogs", ["labrador", "shiba"]))
    modes = open_modes(folder)
    assert modes.titles == {"a": "husky", "b": "labrador, shiba"}
    assert modes.names == {"a": ("husky",), "b": ("labrador", "shiba")}
    assert sorted(modes.labels("testB", ["00000", "00001"])) == [0, 1]
    write(("dogs", ["labrador", "shiba"]))
    with pytest.raises(UserError, match="other domains or modes.*remove it"):
        write(("dogs", ("shiba",)))


def test_a_truth_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder, truth = tmp_path / "x", tmp_path / "x.truth"
    truth.mkdir()
    (truth / "truth.csv").write_text("half")  # left without pictures: written again
    write = partial(write_animals, "big-cats", "dogs", folder, size=32, seed=0, train=3, test=2)
    write()
    assert open_modes(folder).labels("trainA", ["00000"]).shape == (1,)
    (truth / "truth.csv").rename(tmp_path / "away")
    with pytest.raises(UserError, match=r"truth\.csv: missing; remove"):
        write()
    (tmp_path / "away").rename(truth / "truth.csv")
    text = (truth / "truth.json").read_text(encoding="utf-8")
    for wrong, told in (
        (text.replace('"sha256": "', '"sha256": "0'), "does not belong to the pictures.*remove"),
        *((wrong, r"x\.truth.*remove") for wrong in ("[", "[]", '{"domains": {}, "made": []}')),
    ):
        (truth / "truth.json").write_text(wrong)
        with pytest.raises(UserError, match=told):
            write()
    (truth / "truth.json").write_text(text)
    write()


WRITERS = pytest.mark.parametrize(
    ("writer", "last", "what"),
    [
        (partial(write_drawn, "shoes"), "testMask", "pictures"),
        (partial(write_animals, "big-cats", "dogs"), "testB", "animals"),
    ],
    ids=["objects", "animals"],
)


@WRITERS
def test_a_finished_folder_is_kept_and_any_other_refused(writer, last, what, tmp_path):
    folder = tmp_path / "x"

    def write(**changes: int) -> None:
        writer(folder, **({"size": 32, "seed": 0, "train": 3, "test": 2} | changes))

    write()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    write()
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    for changes in ({"size": 64}, {"seed": 1}, {"test": 1}):
        with pytest.raises(UserError, match=f"{next(iter(changes))}.*remove it or choose another"):
            write(**changes)
    with pytest.raises(UserError, match="kind '.*', not 'handbags'"):
        write_drawn("handbags", folder, size=32, seed=0, train=3, test=2)
    for damage, told in (
        (lambda: (folder / last / "00001.png").unlink(), r"00001\.png: missing; remove"),
        (lambda: (folder / "drawn.json").write_text("[]"), "remove it"),
        (lambda: (folder / "drawn.json").unlink(), f"no finished drawn {what} there; remove it"),
    ):
        damage()
        with pytest.raises(UserError, match=told):
            write()
    assert (folder / last / "00000.png").exists()


@WRITERS
def test_illegal_numbers_are_refused(writer, last, what, tmp_path):
    for name, value, told in (
        ("seed", -1, "choose a number"), ("train", 0, "choose a number"),
        ("test", 10**6, "choose a number"), ("jobs", 0, "choose a number"),
        ("size", 31, "nearest is 32"), ("size", 257, "nearest is 256"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=f"{name} {value}.*{told}"):
            writer(tmp_path / "x", **({"size": 32, "seed": 0} | {name: value}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("birds", "house-cats, big-cats, dogs"),
        (("dogs", ("tiger",)), "husky, dalmatian, shiba, labrador"),
        (("dogs", ()), "choose one or more"),
        (("big-cats", ("lion", "lion")), "each once"),
        (("dogs", ("shiba",)), "both domains have the mode shiba"),
    ],
)
def test_illegal_domains_are_refused(domain: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        write_animals(domain, "dogs", tmp_path / "x", size=32, seed=0)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
