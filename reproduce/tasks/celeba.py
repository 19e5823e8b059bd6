"""Faces with and without an attribute, by the lists of CelebA (Liu et al., ICCV 2015)."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.files import foreign
from models.errors import UserError
from models.zoo import nearest
from reproduce.tasks.flat import Domain, FilePicture, held_out

PICTURES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"  # 0 training, 1 validation, 2 test
SPLIT_OF = {"0": "train", "2": "test"}
REMEDY = "get the list again"


def celeba_root(folder: Path) -> Path | None:
    """The folder that holds CelebA at or just under ``folder``, if any."""
    for root in (folder, folder / "celeba"):
        if _find(root, ATTRIBUTES) and _find(root, PICTURES):
            return root
    return None


def read_faces(root: Path, attribute: str, has: bool) -> Domain:
    """The aligned faces that have ``attribute``, or those that have not; one mode.

    Training and test pictures are those of the published partition, whose validation pictures are
    left out; where its list is missing a sixth is for testing. Raises UserError for an unknown
    attribute, a broken list and a picture that is not there.
    """
    listed, images = _find(root, ATTRIBUTES), _find(root, PICTURES)
    if listed is None or images is None:
        raise UserError(f"{root} lacks {ATTRIBUTES} or {PICTURES}; get CelebA again")
    title = attribute if has else f"not {attribute}"
    names = _with_value(listed, attribute, "1" if has else "-1")
    there = {path.name for path in images.iterdir() if path.is_file() and not path.is_symlink()}
    for name in names:
        if name not in there:
            raise UserError(
                f"{listed} names {name}, which is no file in {images}; unpack the pictures again"
            )
    partition = _find(root, PARTITION)
    if partition is None:
        test = held_out(len(names), title)
        splits = {name: "test" if i in test else "train" for i, name in enumerate(names)}
    else:
        parts = _partition(partition)
        splits = {name: SPLIT_OF[parts[name]] for name in names if parts.get(name) in SPLIT_OF}
    pictures = [
        FilePicture(split, title, f"{PICTURES}/{name}", images / name)
        for name, split in splits.items()
    ]
    return Domain(title, (title,), pictures)


def _find(root: Path, name: str) -> Path | None:
    """Torchvision keeps all in one folder; the published archives in three."""
    for place in (root, root / "Anno", root / "Eval", root / "Img"):
        if (place / name).exists():
            return place / name
    return None


def _with_value(path: Path, attribute: str, value: str) -> list[str]:
    lines = _lines(path)
    header = lines[1].split() if len(lines) > 1 else []
    if attribute not in header:
        raise UserError(f"{path} knows no attribute '{attribute}': {nearest(attribute, header)}")
    column = 1 + header.index(attribute)
    found = []
    for number, line in enumerate(lines[2:], start=3):
        words = line.split()
        if len(words) != 1 + len(header) or words[column] not in ("1", "-1"):
            raise UserError(
                f"{path} line {number} is not a file and {len(header)} values; {REMEDY}"
            )
        if words[column] == value:
            if not re.fullmatch(r"\w+\.(jpg|png)", words[0]):
                raise UserError(
                    f"{path} line {number}: {words[0]!r} is not the name of a picture; {REMEDY}"
                )
            found.append(words[0])
    return found


def _partition(path: Path) -> dict[str, str]:
    parts = {}
    for number, line in enumerate(_lines(path), start=1):
        words = line.split()
        if len(words) != 2 or words[1] not in ("0", "1", "2"):
            raise UserError(f"{path} line {number} is not a file and 0, 1 or 2; {REMEDY}")
        parts[words[0]] = words[1]
    return parts


def _lines(path: Path) -> list[str]:
    with foreign(f"{path} cannot be read", REMEDY):
        return path.read_text(encoding="utf-8").splitlines()
