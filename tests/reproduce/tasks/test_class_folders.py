"""From pictures sorted by class to a flat task: nothing is lost, and nothing is let pass."""

import os
import shutil
from pathlib import Path

import pytest
from reading import refusal
from sorted_pictures import CATS, DOGS, fill, noise, opened, packed, sorted_folder

from models.errors import UserError
from reproduce.tasks.class_folders import domain_names, is_class_folder, read_domain
from reproduce.tasks.flat import held_out
from reproduce.tasks.modes import PARTS, open_modes


def files(folder: Path) -> dict[str, Path]:
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def test_every_picture_is_there_once_under_its_true_mode(tmp_path):
    source = sorted_folder(tmp_path / "sorted")
    for split in ("train", "test"):
        fill(source / split / "cats" / "tabby", 2, ".JPG")
        fill(source / split / "cats" / "tabby" / "more", 1, ".jpeg")
    domains = opened(source, tmp_path / "data")
    assert domains.name == "sorted"
    assert domains.folder.parent == tmp_path / "data"
    modes = open_modes(domains.folder)
    assert modes.titles == {"a": "cats", "b": "dogs"}
    assert modes.names == {"a": ("siamese", "tabby"), "b": ("husky", "shiba")}
    told = {}
    for (part, name), row in modes.rows.items():
        made, origin = domains.folder / part / row["file"], source / row["origin"]
        split, domain, kind = row["origin"].split("/")[:3]
        assert part == split + {"cats": "A", "dogs": "B"}[domain]
        assert row["mode"] == kind and made.stem == name
        assert made.read_bytes() == origin.read_bytes()
        told[made] = origin
    assert sorted(told.values()) == sorted(files(source).values())
    assert sorted(told) == sorted(files(domains.folder).values())
    assert {made.suffix for made in told} == {".png", ".jpg", ".jpeg"}


def test_pictures_are_linked_where_that_can_be(tmp_path, monkeypatch):
    source = sorted_folder(tmp_path / "sorted")
    linked = opened(source, tmp_path / "data").folder
    inodes = {p.stat().st_ino for p in files(source).values()}
    assert {p.stat().st_ino for p in files(linked).values()} == inodes

    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    copied = opened(source, tmp_path / "elsewhere").folder
    assert copied.name == linked.name
    assert not {p.stat().st_ino for p in files(copied).values()} & inodes
    one, two = ({n: p.read_bytes() for n, p in files(f).items()} for f in (linked, copied))
    assert one == two


def test_it_is_made_once_and_anew_when_a_picture_changes(tmp_path):
    source = sorted_folder(tmp_path / "sorted")
    first = opened(source, tmp_path / "data").folder
    made = first.stat().st_ino
    assert opened(source, tmp_path / "data").folder == first and first.stat().st_ino == made
    noise(source / "train" / "cats" / "tabby" / "9.png")
    second = opened(source, tmp_path / "data")
    assert second.folder != first and len(second.train_a) == 8
    assert len(opened(first, tmp_path / "data").train_a) == 7


def test_equal_pictures_are_all_kept(tmp_path):
    source = sorted_folder(tmp_path / "sorted")
    first = source / "train" / "cats" / "tabby" / "0.png"
    shutil.copy(first, source / "train" / "cats" / "siamese" / "same.png")
    os.link(first, source / "train" / "cats" / "tabby" / "linked.png")
    assert len(opened(source, tmp_path / "data").train_a) == sum(CATS.values()) + 2


def test_finished_pictures_always_have_their_truth(tmp_path, monkeypatch):
    """Interrupted between the two: there is a truth without pictures, and the next try mends it."""
    source, data = sorted_folder(tmp_path / "sorted"), tmp_path / "data"
    replace, done = os.replace, []

    def interrupted(part: Path, whole: Path) -> None:
        if done:
            raise KeyboardInterrupt
        replace(part, whole)
        done.append(whole)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            opened(source, data)
    visible = [p for p in data.iterdir() if p.suffix != ".lock"]
    assert visible == done and visible[0].suffix == ".truth"
    folder = opened(source, data).folder
    assert open_modes(folder).names["a"] == ("siamese", "tabby")


def test_a_sixth_of_every_class_is_for_testing(tmp_path):
    counts = {"cats": {"many": 18, "few": 2, "some": 7}, "dogs": DOGS}
    source = sorted_folder(tmp_path / "sorted", counts, splits=())
    domain = read_domain(source, "cats")
    found = {mode: [p.split for p in domain.pictures if p.mode == mode] for mode in counts["cats"]}
    assert {mode: splits.count("test") for mode, splits in found.items()} == {
        "many": 3, "few": 1, "some": 1,
    }  # fmt: skip
    assert {mode: len(splits) for mode, splits in found.items()} == counts["cats"]
    assert read_domain(source, "cats") == domain
    assert len({tuple(held_out(6, f"{i}")) for i in range(60)}) == 6, "drawn, of each class anew"
    (source / "cats" / "few" / "1.png").unlink()
    assert "cats: few has fewer than two pictures; add" in refusal(read_domain, source, "cats")


def test_val_does_for_test_unless_both_are_there(tmp_path):
    source = sorted_folder(tmp_path / "sorted", splits=("train", "val"))
    assert len(read_domain(source, "cats").pictures) == 14
    sorted_folder(source, {"cats": {"siamese": 1, "tabby": 1}}, splits=("test",))
    assert len(read_domain(source, "cats").pictures) == 9


def test_two_domains_are_chosen_by_name(tmp_path, said, refused):
    three = {"cats": CATS, "Big_Cats": {"lion": 2, "tiger": 2}, "dogs": DOGS}
    source = sorted_folder(tmp_path / "sorted", three)
    assert domain_names(source) == ["Big_Cats", "cats", "dogs"]
    words = ["data", str(source), "--data", str(tmp_path / "data"), "--no-progress"]
    error = refused(words)
    assert "holds the domains Big_Cats, cats, dogs; choose two" in error
    assert f"data {source} --domains A B" in error
    lines = said([*words, "--domains", "dogs", "big cats"]).out.splitlines()
    assert lines[:2] == ["train_a: 8 pictures", "train_b: 4 pictures"]
    assert lines[-3:-1] == ["modes of dogs: husky, shiba", "modes of big cats: lion, tiger"]
    flat = Path(lines[-1])
    assert open_modes(flat).titles == {"a": "dogs", "b": "big cats"}
    with pytest.raises(UserError, match="leave out --domains"):
        opened(flat, tmp_path / "data", domains=("dogs", "big cats"))


@pytest.mark.parametrize(
    ("domains", "told"),
    [
        (("cats", "dgos"), "has no domain 'dgos': did you mean dogs?"),
        (("cats", "../sorted/train/dogs"), "has no domain '../sorted/train/dogs'"),
        (("cats", "cats"), "choose two different domains"),
    ],
)
def test_domains_that_are_not_there_are_refused(domains, told, tmp_path):
    with pytest.raises(UserError, match=told):
        opened(sorted_folder(tmp_path / "sorted"), tmp_path / "data", domains=domains)


def test_other_layouts_are_not_taken_for_classes(tmp_path):
    for part in PARTS:
        fill(tmp_path / "flat" / part / "sub", 1)
    for split in ("train", "val"):
        fill(tmp_path / "pairs" / split, 1)
        fill(tmp_path / "deeper" / split / "sub", 1)
    for name in ("trainA.txt", "list_trainB.txt"):
        shutil.copytree(sorted_folder(tmp_path / "s"), tmp_path / name[:-4], dirs_exist_ok=True)
        (tmp_path / name[:-4] / name).touch()
        assert not is_class_folder(tmp_path / name[:-4])
    assert not any(is_class_folder(tmp_path / name) for name in ("flat", "pairs", "deeper"))
    assert is_class_folder(tmp_path / "s")


def test_an_archive_is_unpacked_and_sorted_once(tmp_path):
    sorted_folder(tmp_path / "s" / "inner")
    archive = packed(tmp_path / "s", tmp_path / "sorted.tar.gz", "inner")
    first, second = (opened(archive, tmp_path / "data") for _ in range(2))
    assert first.folder == second.folder and first.name == "sorted"
    assert [len(source) for source in first.splits().values()] == [7, 8, 7, 8]
    assert open_modes(first.folder).names["a"] == ("siamese", "tabby")


def without(source: Path, *names: str) -> None:
    for name in names:
        shutil.rmtree(source / name)


def replaced_by_link(source: Path, name: str, target: Path) -> None:
    path = source / "train" / "cats" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda s: without(s, "train/cats/tabby"), "tabby of cats has no train pictures; add some"),
        (lambda s: without(s, "train/dogs/husky", "test/dogs/husky"), "1 class (shiba); a domain"),
        (lambda s: without(s, "test/dogs"), "test has no domain 'dogs': known: cats"),
        (lambda s: without(s, "train"), "but no folder train"),
        (lambda s: (s / "train/dogs/husky/1.png").write_bytes(b"x"), "husky/1.png is not a pict"),
        (lambda s: noise(s / "test/dogs/stray.png"), "stray.png is not in a class folder"),
        (lambda s: replaced_by_link(s, "tabby", s / "test/cats/tabby"), "tabby is a symbolic"),
        (lambda s: replaced_by_link(s, "tabby/1.png", Path("/etc/passwd")), "1.png is a symbolic"),
        (lambda s: (s / "train/cats/tabby/more").symlink_to("/etc"), "more is a symbolic link"),
        (lambda s: os.mkfifo(s / "train/cats/tabby/pipe.png"), "pipe.png is not an ordinary"),
        (lambda s: noise(s / "train/cats/tabby/\udcff.png"), "udcff.png' is no name in UTF-8"),
    ],
)
def test_what_is_wrong_is_told_by_name_and_nothing_remains(spoil, told, tmp_path):
    source, data = sorted_folder(tmp_path / "sorted"), tmp_path / "data"
    spoil(source)
    assert told in refusal(opened, source, data)
    assert not data.exists() or [p for p in data.iterdir() if p.suffix != ".lock"] == []


def test_a_task_with_known_classes_wants_them_all(tmp_path):
    animals = dict.fromkeys(("cat", "deer", "dog", "horse", "frog"), 1)
    vehicles = dict.fromkeys(("airplane", "automobile", "ship", "truck"), 1)
    source = sorted_folder(tmp_path / "s", {"animals": animals, "vehicles": vehicles})
    domains = opened("cifar-animals-vehicles", tmp_path / "data", source)
    assert open_modes(domains.folder).names == {
        "a": ("cat", "deer", "dog", "horse"), "b": tuple(vehicles),
    }  # fmt: skip
    assert len(domains.train_a) == 4  # the frog is in none of the modes
    for split in ("train", "test"):
        shutil.rmtree(source / split / "animals" / "deer")
    with pytest.raises(UserError, match="lacks the class deer of animals .found: cat, dog"):
        opened("cifar-animals-vehicles", tmp_path / "data", source)
