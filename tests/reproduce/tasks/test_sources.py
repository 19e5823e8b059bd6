import os
import shutil
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from reproduce.tasks import sources
from reproduce.tasks.layouts import open_pictures
from reproduce.tasks.sources import Domains, FolderSource, HalfSource, ListSource


def write(path: Path, colour: tuple[int, int, int] = (0, 0, 0), size: tuple[int, int] = (8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write_pair(path: Path, left=(255, 0, 0), right=(0, 0, 255), size=(16, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pair = Image.new("RGB", size, left)
    pair.paste(right, (size[0] // 2, 0, *size))
    pair.save(path)


def test_ids_are_in_natural_order_and_without_suffix(tmp_path):
    for name in ("10.png", "9.JPG", "a2.PnG", "A10.png", "a1.png", "sub/3.jpeg", "sub/20.png"):
        write(tmp_path / name)
    source = FolderSource(tmp_path)
    assert source.ids == ["9", "10", "a1", "a2", "A10", "sub/3", "sub/20"]
    assert [source.path(i).name for i in (0, 4)] == ["9.JPG", "A10.png"]


def test_hidden_files_are_ignored_and_others_are_counted_once(tmp_path, caplog):
    for name in ("a.png", "in/b.png", ".hidden.png", ".cache/x.png"):
        write(tmp_path / name)
    for name in ("c.heic", "in/d.HEIC", "list.txt", "README"):
        (tmp_path / name).write_bytes(b"x")
    for _ in range(2):
        assert FolderSource(tmp_path).ids == ["a", "in/b"]
    (told,) = caplog.messages
    assert told.endswith("2 .heic, 1 .txt, 1 no suffix") and str(tmp_path) in told


def test_ids_stay_unique_where_two_files_share_a_stem(tmp_path):
    for name in ("1.png", "1.jpg", "2.png"):
        write(tmp_path / name)
    assert FolderSource(tmp_path).ids == ["1.jpg", "1.png", "2.png"]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path):
    write(tmp_path / "real" / "x.png")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "class").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "task")
    assert FolderSource(tmp_path / "task").ids == ["class/x"]


def test_empty_and_missing_folders_are_refused(tmp_path):
    for folder, told in ((tmp_path, "holds no pictures"), (tmp_path / "none", "not a folder")):
        with pytest.raises(UserError, match=told):
            FolderSource(folder)


def test_halves_are_exact(tmp_path):
    rng = np.random.default_rng(0)
    pair = rng.integers(0, 256, (10, 20, 3), dtype=np.uint8)
    Image.fromarray(pair).save(tmp_path / "1.png")
    left, right = HalfSource(tmp_path, "left"), HalfSource(tmp_path, "right")
    assert np.array_equal(np.asarray(left.read(0)), pair[:, :10])
    assert np.array_equal(np.asarray(right.read(0)), pair[:, 10:])
    assert left.ids == right.ids == ["1"]


@pytest.mark.parametrize("size", [(17, 8), (8, 8), (30, 10)])
def test_what_is_no_pair_is_refused_at_once_or_when_read(tmp_path, size):
    write_pair(tmp_path / "1.png")
    write(tmp_path / "2.png", size=size)
    told = f"2.png is {size[0]}x{size[1]} pixels, not two"
    with pytest.raises(UserError, match=told):
        HalfSource(tmp_path, "left").read(1)
    (tmp_path / "1.png").unlink()
    with pytest.raises(UserError, match=told):
        HalfSource(tmp_path, "left")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *(
            (f"1.png\n{line}\n", r"list\.txt line 2.*leads out of .*use paths relative")
            for line in ("/etc/passwd", "../x.png", "a/../../x.png", "..")
        ),
        ("1.png\n\n2.png\n", r"line 3 names 2\.png"),
        ("1.png\n./1.png\n", r"line 2 names 1\.png again \(first in line 1\)"),
        ("\n\n", "no pictures"),
        ("\xff\xfex", "UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_wrong_lists_are_refused_by_line(tmp_path, text, told):
    write(tmp_path / "x.png")
    write(tmp_path / "root" / "1.png")
    if text is not None:
        (tmp_path / "list.txt").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=told):
        ListSource(tmp_path / "list.txt", tmp_path / "root")


def test_list_of_relative_paths(tmp_path):
    for name in ("10.png", "2.png", "sub dir/1.png", "in/a.png", "unlisted.png"):
        write(tmp_path / "root" / name)
    text = "# four\n./10.png\r\n\n  2.png \nsub dir/../sub dir/1.png\nin\\a.png\n"  # as Windows
    (tmp_path / "list.txt").write_text(text)
    source = ListSource(tmp_path / "list.txt", tmp_path / "root")
    assert source.ids == ["2", "10", "in/a", "sub dir/1"]
    assert source.read(2).size == (8, 8)


def domains(folder: Path) -> Domains:
    sources = (FolderSource(folder / split) for split in ("a", "b", "ta", "tb"))
    return Domains("task", folder, *sources)


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(("a/1", "a/2", "b/1", "ta/1", "tb/1")):
        write(tmp_path / "f" / f"{name}.png", (i, 0, 0))
    return tmp_path / "f"


def test_fingerprint_belongs_to_the_pictures_not_the_place(folder, tmp_path):
    mark = domains(folder).fingerprint()
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "a" / "notes.txt").write_text("x")
    assert domains(tmp_path / "elsewhere").fingerprint() == mark


def test_every_change_changes_the_fingerprint(folder):
    def rename(one: str, other: str) -> None:
        (folder / f"{one}.png").rename(folder / f"{other}.png")

    exchange = (("a/1", "a/0"), ("a/2", "a/1"), ("a/0", "a/2"))
    changes = [
        lambda: None,
        lambda: write(folder / "tb" / "1.png", (9, 9, 9)),
        lambda: write(folder / "a" / "3.png"),
        lambda: rename("a/3", "a/4"),
        lambda: rename("a/4", "b/4"),
        lambda: [rename(*names) for names in exchange],
    ]
    marks = set()
    for change in changes:
        change()
        marks.add(domains(folder).fingerprint())
    assert len(marks) == len(changes)


def test_fingerprint_knows_where_one_split_ends(tmp_path):
    write(tmp_path / "test" / "1.png")
    test = FolderSource(tmp_path / "test")
    marks = set()
    for border in (2, 3):
        for i in range(1, 5):
            write(tmp_path / str(border) / ("a" if i <= border else "b") / f"{i}.png")
        a, b = (FolderSource(tmp_path / str(border) / domain) for domain in "ab")
        marks.add(Domains("t", tmp_path, a, b, test, test).fingerprint())
    assert len(marks) == 2


def test_fingerprint_knows_the_side_of_a_pair(tmp_path):
    write_pair(tmp_path / "1.png")
    left, right = HalfSource(tmp_path, "left"), HalfSource(tmp_path, "right")
    one = Domains("t", tmp_path, left, right, left, right)
    other = Domains("t", tmp_path, right, left, left, right)
    with_pairs = Domains("t", tmp_path, left, right, left, right, pairs=(left, right))
    assert len({d.fingerprint() for d in (one, other, with_pairs)}) == 3


def test_training_pairs_must_be_aligned(folder):
    d = domains(folder)
    with pytest.raises(UserError, match="same names"):
        Domains("t", folder, d.train_a, d.train_b, d.test_a, d.test_b, (d.train_a, d.train_b))


def test_check_decodes_every_picture(tmp_path):
    folder = tmp_path / "set"
    for split, i in product(("trainA", "trainB", "testA", "testB"), range(3)):
        write(folder / split / f"{i}.png")
    found = open_pictures(folder)
    found.check()
    damaged = folder / "trainB" / "2.png"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"trainB/2\.png"):
        found.check()


def test_a_folder_that_may_not_be_read_is_refused():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        write(root / "a.png")
        (root / "closed").mkdir(mode=0)
        before = os.geteuid()
        try:
            if before == 0:  # who may read everything
                os.seteuid(65534)
            with pytest.raises(UserError, match=r"closed cannot be read \(Permission denied\)"):
                FolderSource(root)
        finally:
            os.seteuid(before)
            (root / "closed").chmod(0o700)


def test_check_decodes_a_side_by_side_file_once(tmp_path, monkeypatch):
    for name in ("train/0", "train/1", "val/0"):
        write_pair(tmp_path / f"{name}.png")
    found, decoded = open_pictures(tmp_path), []
    assert found.pairs is not None and len(found.splits()) == 6
    read = sources.read_picture
    monkeypatch.setattr(sources, "read_picture", lambda p: decoded.append(p.name) or read(p))
    found.check()
    assert len(decoded) == 3
