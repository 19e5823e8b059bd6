"""Faces with and without an attribute, from CelebA (Liu et al., ICCV 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.files import foreign
from models.errors import UserError
from models.zoo import nearest
from reproduce.tasks.flat import Domain, held_out, picture_of

if TYPE_CHECKING:
    import pandas

PICTURES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"  # 0 training, 1 validation, 2 test
SPLIT_OF = {0: "train", 2: "test"}
REMEDY = "download the list again"


def celeba_root(folder: Path) -> Path | None:
    """Return the root of CelebA: ``folder`` or its subfolder ``celeba``; None if neither is one."""
    for root in (folder, folder / "celeba"):
        if _find(root, ATTRIBUTES) and _find(root, PICTURES):
            return root
    return None


def read_faces(root: Path, attribute: str, has: bool) -> Domain:
    """Find the aligned faces with ``attribute`` (``has``) or without it, as a domain of one mode.

    Training and test pictures follow the published partition, without its validation pictures; if
    the partition's list is missing, a sixth of the pictures is for testing. Raises UserError for
    an unknown attribute, a broken list and a missing picture.
    """
    listed, images = _find(root, ATTRIBUTES), _find(root, PICTURES)
    if listed is None or images is None:
        raise UserError(f"{root} lacks {ATTRIBUTES} or {PICTURES}; download CelebA again")
    title = attribute if has else f"not {attribute}"
    there = {path.name for path in images.iterdir() if path.is_file() and not path.is_symlink()}
    names = _with_value(listed, attribute, 1 if has else -1)
    for name in names:
        if name not in there:
            raise UserError(
                f"{listed} lists {name}, which is missing from {images}; unpack the pictures again"
            )
    partition = _find(root, PARTITION)
    if partition is None:
        test = held_out(len(names), title)
        splits = {name: "test" if i in test else "train" for i, name in enumerate(names)}
    else:
        told = _table(partition, names=["name", "part"], index_col="name")["part"].to_dict()
        if strange := [name for name, part in told.items() if part not in (0, 1, 2)]:
            raise UserError(f"{partition}: {strange[0]} is not in part 0, 1 or 2; {REMEDY}")
        splits = {name: SPLIT_OF[told[name]] for name in names if told.get(name) in SPLIT_OF}
    pictures = [
        picture_of(split, title, f"{PICTURES}/{name}", images / name)
        for name, split in splits.items()
    ]
    return Domain(title, (title,), pictures)


def _find(root: Path, name: str) -> Path | None:
    """Find a file or folder: torchvision keeps all in one folder, the archives in three."""
    for place in (root, root / "Anno", root / "Eval", root / "Img"):
        if (place / name).exists():
            return place / name
    return None


def _with_value(path: Path, attribute: str, value: int) -> list[str]:
    table = _table(path, skiprows=1)
    if attribute not in table:
        raise UserError(f"{path} has no attribute '{attribute}': {nearest(attribute, table)}")
    told = table.isin([1, -1]).all(axis=1)
    if not told.all():
        raise UserError(f"{path}: {told.idxmin()} has values other than 1 and -1; {REMEDY}")
    return list(map(str, table.index[table[attribute] == value]))


def _table(path: Path, **how: Any) -> pandas.DataFrame:
    import pandas

    with foreign(f"{path} is not a table", REMEDY):
        return pandas.read_csv(path, sep=r"\s+", **how)
