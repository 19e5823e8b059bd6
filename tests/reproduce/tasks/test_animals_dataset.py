"""Two domains of drawn animals on disk: the flat folder, its truth, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from reproduce.tasks.animals import DOMAINS, SPLITS, draw_animal, render_animal, write_animals
from reproduce.tasks.layouts import open_folder
from reproduce.tasks.modes import open_modes

SIZE = 32


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("animals") / "cats-dogs"
    write_animals("house-cats", "dogs", folder, size=SIZE, seed=4, train=62, test=9, jobs=1)
    return folder


def test_the_flat_folder_tells_nothing_of_modes(made: Path) -> None:
    assert sorted(p.name for p in made.parent.iterdir()) == ["cats-dogs", "cats-dogs.truth"]
    assert sorted(p.name for p in made.iterdir()) == ["drawn.json", *sorted(SPLITS)]
    for split in SPLITS:
        count = 62 if split.startswith("train") else 9
        assert sorted(p.name for p in (made / split).iterdir()) == [
            f"{i:05d}.png" for i in range(count)
        ]
        assert all(Image.open(p).info == {} for p in (made / split).iterdir())
    text = (made / "drawn.json").read_text(encoding="utf-8")
    words = {word for domain, kind in DOMAINS.items() for word in (domain, kind.title, *kind.modes)}
    assert not [word for word in (*words, "mode") if word in text]
    domains = open_folder(made)
    assert len(domains.train_a) == 62 and len(domains.test_b) == 9


def test_the_truth_describes_the_pictures(made: Path) -> None:
    modes = open_modes(made)
    assert modes.titles == {"a": "house cats", "b": "dogs"}
    assert modes.names == {"a": DOMAINS["house-cats"].modes, "b": DOMAINS["dogs"].modes}
    for split in SPLITS:
        domain = "house-cats" if split.endswith("A") else "dogs"
        ids = sorted(p.stem for p in (made / split).iterdir())
        labels = modes.labels(split, ids)
        assert np.ptp(np.bincount(labels, minlength=4)) <= 1
        assert len(set(pairwise(labels.tolist()))) >= 6  # shuffled: no cycle of four
        for index in (0, len(ids) - 1):
            mode = DOMAINS[domain].modes[labels[index]]
            animal = draw_animal(domain, mode, 4, split, index)
            np.testing.assert_array_equal(
                read(made / split / f"{ids[index]}.png"), render_animal(animal, SIZE)
            )
            told = modes.factors(split, ids[index])
            assert told == {name: str(value) for name, value in animal.factors.items()}
    with open(made.with_name("cats-dogs.truth") / "truth.csv", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    assert columns[:5] == ["folder", "file", "mode", "yaw", "tilt"]


def test_the_sum_is_of_all_pictures(made: Path) -> None:
    sha = hashlib.sha256()
    for split in SPLITS:
        for path in sorted((made / split).iterdir()):
            sha.update(hashlib.sha256(read(path).tobytes()).digest())
    for file in (made / "drawn.json", made.with_name("cats-dogs.truth") / "truth.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        assert found.get("made", found)["sha256"] == sha.hexdigest()


def test_processes_do_not_change_the_pictures(made: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    write_animals("house-cats", "dogs", two, size=SIZE, seed=4, train=62, test=9, jobs=2)
    assert (two / "drawn.json").read_bytes() == (made / "drawn.json").read_bytes()
    for name in ("truth.csv", "truth.json"):
        one = made.with_name("cats-dogs.truth") / name
        assert (tmp_path / "two.truth" / name).read_bytes() == one.read_bytes()


def test_some_modes_of_one_domain_make_a_task(tmp_path: Path) -> None:
    folder = tmp_path / "breeds"
    husky, rest = ("dogs", ("husky",)), ("dogs", ["labrador", "shiba"])
    write_animals(husky, rest, folder, size=SIZE, seed=0, train=5, test=2)
    modes = open_modes(folder)
    assert modes.titles == {"a": "husky", "b": "labrador, shiba"}
    assert modes.names == {"a": ("husky",), "b": ("labrador", "shiba")}
    assert sorted(modes.labels("testB", ["00000", "00001"])) == [0, 1]
    write_animals(husky, rest, folder, size=SIZE, seed=0, train=5, test=2)
    with pytest.raises(UserError, match="other domains or modes.*remove it"):
        write_animals(husky, ("dogs", ("shiba",)), folder, size=SIZE, seed=0, train=5, test=2)


def test_finished_folder_is_kept_and_any_other_refused(tmp_path: Path) -> None:
    folder, truth = tmp_path / "x", tmp_path / "x.truth"

    def write(**changes: int) -> None:
        numbers = {"size": 32, "seed": 0, "train": 3, "test": 2} | changes
        write_animals("big-cats", "dogs", folder, **numbers)

    write()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    write()
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    for changes in ({"size": 64}, {"seed": 1}, {"train": 4}, {"test": 1}):
        with pytest.raises(UserError, match=f"{next(iter(changes))}.*remove it or choose another"):
            write(**changes)
    (truth / "truth.csv").rename(tmp_path / "away")
    with pytest.raises(UserError, match=r"truth\.csv: missing; remove"):
        write()
    (tmp_path / "away").rename(truth / "truth.csv")
    told = (truth / "truth.json").read_text(encoding="utf-8")
    (truth / "truth.json").write_text(told.replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(UserError, match="other pictures.*remove"):
        write()
    for text in ("[", "[]", '{"domains": {}, "made": []}'):
        (truth / "truth.json").write_text(text)
        with pytest.raises(UserError, match=r"x\.truth.*remove"):
            write()
    (truth / "truth.json").write_text(told)
    write()
    (folder / "testB" / "00001.png").unlink()
    with pytest.raises(UserError, match=r"00001\.png: missing; remove"):
        write()
    (folder / "drawn.json").write_text("[")
    with pytest.raises(UserError, match="no finished drawn animals"):
        write()


def test_a_truth_left_without_pictures_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "x.truth").mkdir()
    (tmp_path / "x.truth" / "truth.csv").write_text("half")
    write_animals("big-cats", "dogs", tmp_path / "x", size=32, seed=0, train=2, test=1)
    assert open_modes(tmp_path / "x").labels("trainA", ["00000"]).shape == (1,)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"seed": -1}, "seed -1: choose a number"),
        ({"train": 0}, "train 0: choose a number"),
        ({"test": 10**6}, "test 1000000: choose a number"),
        ({"jobs": 0}, "jobs 0: choose a number"),
        ({"size": 257}, "size 257.*nearest is 256"),
        ({"domain_a": "birds"}, "house-cats, big-cats, dogs"),
        ({"domain_a": ("dogs", ("tiger",))}, "husky, dalmatian"),
        ({"domain_a": ("dogs", ())}, "choose one or more"),
        ({"domain_a": ("big-cats", ("lion", "lion"))}, "each once"),
        ({"domain_a": ("dogs", ("shiba",))}, "both domains have the mode shiba"),
    ],
)
def test_illegal_arguments_are_refused(bad: dict[str, object], words: str, tmp_path: Path) -> None:
    arguments = {"domain_a": "big-cats", "domain_b": "dogs", "size": 32, "seed": 0} | bad
    with pytest.raises(UserError, match=words):
        write_animals(folder=tmp_path / "x", **arguments)
    assert not list(tmp_path.iterdir())
