"""Pictures of 12 bits in 16-bit files, and of floats, by the range that is told of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from reproduce.tasks.pictures import read_picture
from reproduce.tasks.registry import open_task

VALUES = np.array([[0, 1023, 4095] * 4] * 12)
GREYS = [0, 64, 255]  # 255 x 1023 / 4095, rounded, in the middle


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """A data set of which domain a has 12 bits, in PNG and TIFF, and b the usual eight."""
    folder = tiny.data_set(tmp_path / "dark", count=2)
    for split in ("trainA", "testA"):
        Image.fromarray(VALUES.astype(np.uint16)).save(folder / split / "0.png")
        (folder / split / "1.png").unlink()
        Image.fromarray(VALUES.astype(np.float32)).save(folder / split / "1.tif")
    return folder


def words(task: object, *more: object) -> list[object]:
    return ["data", task, *more, "--no-progress"]


def test_they_are_scaled_and_the_task_remembers_it(dark: Path, tmp_path: Path, said) -> None:
    there = tmp_path / "data"
    given = words("edges2shoes", "--data", there, "--source", dark, "--range", 0, 4095)
    said(given)
    domains = open_task("edges2shoes", data_dir=there, size=32, progress=False)
    for source in (domains.train_a, domains.test_a):
        for number in range(len(source)):
            row = np.asarray(source.read(number))[0, :3]
            assert row.tolist() == [[grey] * 3 for grey in GREYS]
    before = read_picture(dark / "trainB" / "0.png")
    assert domains.train_b.read(0).tobytes() == before.tobytes()
    note = json.loads((domains.folder / ".scaled.json").read_text())
    assert note == {"folder": str(dark), "range": [0, 4095]}
    made = sorted(there.iterdir())
    said(given)
    assert sorted(there.iterdir()) == made


def test_a_folder_of_ones_own_is_copied(dark: Path, tmp_path: Path, said) -> None:
    told = said(words(dark, "--data", tmp_path / "data", "--range", 0, 4095)).out
    copy = Path(told.splitlines()[-1])
    assert copy.parent == tmp_path / "data" and copy.name.startswith("dark-")
    assert read_picture(copy / "testA" / "0.png").getextrema() == ((0, 255),) * 3


def test_ranges_that_cannot_be_are_refused(dark, tmp_path, refused):
    own = tiny.data_set(tmp_path / "own")
    for task, *ends, told in (
        (dark, 0, 255, "0.png has values from 0 to 4095, outside --range 0 255"),
        (dark, 5, 5, "must exceed the first"),
        (own, 0, 4095, "own holds no picture of more than 8 bits"),
        ("drawn-shoes", 0, 4095, "--range needs a folder of pictures"),
    ):
        assert told in refused(words(task, "--data", tmp_path / "data", "--range", *ends))
        assert not (tmp_path / "data").exists()
