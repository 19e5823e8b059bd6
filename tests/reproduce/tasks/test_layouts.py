from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from reproduce.tasks.layouts import open_pictures
from reproduce.tasks.modes import PARTS
from reproduce.tasks.own import own_task
from reproduce.tasks.registry import open_task
from reproduce.tasks.sorting import Sorting

CHOSEN = Sorting(domains=("wild", "cat"))


def fill(folder: Path, count: int = 2, size: tuple[int, int] = (8, 8), red: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("RGB", size, (red, i, 0)).save(folder / f"{i}.png")


def counts(domains) -> list[int]:
    return [len(s) for s in list(domains.splits().values())[:4]]


def fill_folders(folder: Path, names=PARTS) -> None:
    for count, name in enumerate(names, start=1):
        fill(folder / name, count, red=10 * count)


def refused(told: str, folder: Path) -> None:
    with pytest.raises(UserError, match=told):
        open_pictures(folder)


@pytest.mark.parametrize("names", [PARTS, ("TRAINA", "trainb", "test_A", "test-b")])
def test_folders_in_any_spelling(tmp_path, names):
    fill_folders(tmp_path / "cats2dogs", names)
    domains = open_pictures(tmp_path / "cats2dogs")
    assert domains.name == "cats2dogs" and counts(domains) == [1, 2, 3, 4]
    assert [s.read(0).getpixel((0, 0))[0] for s in domains.splits().values()] == [10, 20, 30, 40]
    assert domains.pairs is None and not domains.paired_test


def test_folders_with_training_pairs_and_more(tmp_path):
    fill_folders(tmp_path)
    fill(tmp_path / "trainPairs", 5, size=(16, 8))
    fill(tmp_path / "testMask", 9)
    (tmp_path / "factors.csv").write_text("id\n")
    domains = open_pictures(tmp_path, "drawn")
    assert domains.name == "drawn"
    assert [(len(s), s.part) for s in domains.pairs] == [(5, "left"), (5, "right")]


def test_missing_and_doubled_splits_are_named(tmp_path):
    fill_folders(tmp_path, ("trainA", "trainB", "testA"))
    refused("lacks the folders testB", tmp_path)
    (tmp_path / "trainA.txt").write_text("0.png\n")
    refused("lacks the lists trainB, testA, testB", tmp_path)
    (tmp_path / "trainA.txt").unlink()
    fill(tmp_path / "testB")
    fill(tmp_path / "test_b")
    refused("both testB and test_b", tmp_path)


def test_pix2pix(tmp_path):
    for name, count in (("train", 3), ("val", 2)):
        fill(tmp_path / name, count, size=(16, 8))
        pair = Image.new("RGB", (16, 8), "white")
        pair.paste((200, 0, 0), (8, 0, 16, 8))
        pair.save(tmp_path / name / "0.png")
    domains = open_pictures(tmp_path)
    assert counts(domains) == [3, 3, 2, 2] and domains.paired_test
    assert domains.train_a.read(0).getpixel((0, 0)) == (255, 255, 255)
    assert domains.train_b.read(0).getpixel((0, 0)) == (200, 0, 0)
    assert domains.test_b.read(0).size == (8, 8)
    assert domains.pairs[0].ids == domains.pairs[1].ids == ["0", "1", "2"]


def test_validation_pictures_come_before_test_pictures(tmp_path):
    fill(tmp_path / "train", 1, size=(16, 8))
    refused(r"lacks val \(or test\)", tmp_path)
    fill(tmp_path / "test", 3, size=(16, 8))
    assert len(open_pictures(tmp_path).test_a) == 3
    fill(tmp_path / "val", 2, size=(16, 8))
    assert len(open_pictures(tmp_path).test_a) == 2
    fill(tmp_path / "val", 2)
    refused("side by side", tmp_path)


@pytest.mark.parametrize(
    ("pattern", "line", "name"),
    [
        ("list_{}{}.txt", "# one\n\n0.png\n", "0"),
        ("{}{}.txt", "# one\n\n0.png\n", "0"),
        ("{}_{}.txt", "{}{}/0.png\n", "trainA/0"),  # from the lists' own folder
    ],
)
def test_lists_beside_folders_choose_from_them(tmp_path, pattern, line, name):
    fill_folders(tmp_path)
    for split in PARTS:
        part = split[:-1], split[-1]
        (tmp_path / pattern.format(*part)).write_text(line.format(*part))
    domains = open_pictures(tmp_path)
    assert domains.train_a.ids == [name] and counts(domains) == [1, 1, 1, 1]
    assert domains.test_b.read(0).getpixel((0, 0)) == (40, 0, 0)


def test_a_single_folder_in_between_is_entered(tmp_path):
    fill_folders(tmp_path / "task" / "inner")
    (tmp_path / "task" / ".DS_Store").touch()
    domains = open_pictures(tmp_path / "task")
    assert domains.name == "task" and counts(domains) == [1, 2, 3, 4]


def test_unknown_layouts_say_what_was_expected(tmp_path):
    fill(tmp_path / "cats")
    fill(tmp_path / "dogs")
    refused("expected folders trainA, trainB, testA, testB", tmp_path)
    refused("does not exist", tmp_path / "none")
    refused("not a folder", tmp_path / "cats" / "0.png")


def test_a_folder_for_each_domain_is_read_as_afhq_has_them(tmp_path):
    for split, count in (("train", 3), ("val", 2)):
        fill(tmp_path / split / "dog", count, red=10)
        fill(tmp_path / split / "cat", count + 2, red=90)
    domains = open_pictures(tmp_path)
    assert counts(domains) == [5, 3, 4, 2]
    assert domains.train_a.read(0).getpixel((0, 0))[0] == 90
    with pytest.raises(UserError, match="no domain folders to choose from; leave out --domains"):
        open_task("drawn-shoes", data_dir=tmp_path, size=8, source=tmp_path, sorting=CHOSEN)
    Image.new("RGB", (8, 8)).save(tmp_path / "val" / "stray.png")
    refused("val/stray.png is outside the domain folders", tmp_path)
    (tmp_path / "val" / "stray.png").unlink()
    (tmp_path / "train" / "dog").rename(tmp_path / "dog")
    refused("holds only one domain, cat; add a folder for another", tmp_path)
    (tmp_path / "dog").rename(tmp_path / "train" / "dog")
    (tmp_path / "val" / "dog").rename(tmp_path / "val" / "dogs")
    refused(r"lacks val \(or test\) with the folders cat and dog", tmp_path)


def test_two_of_afhqs_three_domains_are_a_task(tmp_path):
    """In the order in which they are told; nothing is known of classes in them."""
    for split, count in (("train", 4), ("test", 2)):
        for domain, more in (("cat", 0), ("dog", 1), ("wild", 2)):
            fill(tmp_path / "afhq" / split / domain, count + more, red=10 * more)
    told = "the domains cat, dog, wild; choose two .*afhq --domains A B"
    refused(told, tmp_path / "afhq")
    data = tmp_path / "data"
    domains = open_task(str(tmp_path / "afhq"), data_dir=data, size=8, sorting=CHOSEN)
    assert counts(domains) == [6, 4, 4, 2]
    assert domains.train_a.read(0).getpixel((0, 0))[0] == 20
    spec, _ = own_task(str(domains.folder), data, progress=False)
    assert spec.tables == (1,), "table 2 is of several modes in a domain"


def test_training_folders_alone_do_to_train_on(tmp_path, caplog):
    fill(tmp_path / "trainA", 3)
    fill(tmp_path / "trainB", 20)
    domains = open_pictures(tmp_path)
    assert counts(domains) == [3, 20, 3, 8] and not domains.paired_test
    assert "cannot be measured" in caplog.messages[0]
    fill(tmp_path / "testA")
    refused("lacks the folders testB", tmp_path)


def test_several_data_sets_are_none(tmp_path):
    for name in ("one", "two"):
        fill_folders(tmp_path / name)
    with pytest.raises(UserError, match=r"data sets \(one, two\) but is not one; give one"):
        open_task(str(tmp_path), data_dir=tmp_path / "data", size=8)
