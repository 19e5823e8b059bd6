"""Faces with and without an attribute, out of small lists and pictures in CelebA's format."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sorted_pictures import celeba, opened, origins
from torchvision.datasets import CelebA

from models.errors import UserError
from reproduce.tasks.modes import open_modes


def numbers(names: list[str]) -> list[int]:
    return [int(Path(name).stem) for name in names]


def test_faces_are_divided_by_an_attribute(tmp_path):
    root = celeba(tmp_path / "celeba")
    found = origins(opened("faces", tmp_path / "data", tmp_path))
    assert {part: numbers(names) for part, names in found.items()} == {
        "trainA": [1, 2, 4, 5, 7, 8], "trainB": [3, 6], "testA": [11], "testB": [12],
    }  # fmt: skip
    domains = opened("faces", tmp_path / "data", root, attribute="Smiling")
    assert open_modes(domains.folder).titles == {"a": "not Smiling", "b": "Smiling"}
    assert numbers(origins(domains)["trainB"]) == [2, 4, 6, 8]


def test_the_folders_of_the_published_archives_do_too(tmp_path):
    root = celeba(tmp_path / "CelebA")
    for place, name in (("Anno", "list_attr_celeba.txt"), ("Img", "img_align_celeba")):
        (root / place).mkdir()
        (root / name).rename(root / place / name)
    (root / "list_eval_partition.txt").unlink()
    domains = opened("faces", tmp_path / "data", root)
    # No partition: a sixth is for testing.
    assert [len(source) for source in domains.splits().values()] == [7, 3, 1, 1]


def replace_line(path: Path, number: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("file", "line", "text", "told"),
    [
        ("list_attr_celeba.txt", 5, "000003.jpg -1 1", "000003.jpg has values other than 1 and -1"),
        ("list_attr_celeba.txt", 5, "000003.jpg -1 0 1", "000003.jpg has values other than"),
        ("list_attr_celeba.txt", 5, "000003.jpg -1 1 1 1", "not a table .*download the list"),
        ("list_attr_celeba.txt", 5, "../x.jpg -1 1 1", "lists ../x.jpg, which is missing from"),
        ("list_attr_celeba.txt", 5, "000099.jpg -1 1 1", "lists 000099.jpg, which is missing"),
        ("list_attr_celeba.txt", 2, "Bald Blonde_Hair", "'Blond_Hair': did you mean Blonde_Hair"),
        ("list_eval_partition.txt", 3, "000003.jpg 4", "000003.jpg is not in part 0, 1 or 2"),
    ],
)
def test_broken_lists_are_told_by_name(file, line, text, told, tmp_path):
    root = celeba(tmp_path / "celeba")
    replace_line(root / file, line, text)
    with pytest.raises(UserError, match=told):
        opened("faces", tmp_path / "data", root)


def test_faces_come_by_torchvision_or_by_hand(tmp_path, monkeypatch):
    """Its files lie where only an extra package of Python can reach; the remedy is the other way."""
    monkeypatch.setattr(CelebA, "file_list", [("id", "0" * 32, "list_attr_celeba.txt")])
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(UserError, match="could not download CelebA to .*--source PATH"):
        opened("faces", tmp_path / "data")
