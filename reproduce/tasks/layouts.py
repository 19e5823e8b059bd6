"""The layouts in which people keep two domains of pictures, and how each is opened.

==========  =======================================================================
folders     ``trainA trainB testA testB``, and for paired methods ``trainPairs``
            with side-by-side files (CycleGAN's layout); ``trainA`` and ``trainB``
            alone do to train on
domains     ``train`` and ``val`` (or ``test``), in each a folder of pictures for
            each of two domains, a first by name (AFHQ's layout; of more domains,
            ``sorting`` takes two)
pix2pix     ``train`` and ``val`` (or ``test``) with side-by-side files, domain a
            on the left, b on the right
lists       ``trainA.txt trainB.txt testA.txt testB.txt``, also ``train_A.txt`` or
            ``list_trainA.txt``: one path a line (MUNIT's layout)
==========  =======================================================================

Upper and lower case, spaces, ``_`` and ``-`` make no difference in these names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from models.errors import UserError
from reproduce.tasks.modes import PARTS
from reproduce.tasks.sources import (
    SUFFIXES,
    Domains,
    FolderSource,
    HalfSource,
    ListSource,
    Subset,
    listed_names,
    natural_order,
)

SHOWN = 8  # training pictures that stand for test pictures where there are none
ROLES = frozenset({split.lower() for split in PARTS} | {"trainpairs", "train", "val", "test"})


def open_pictures(path: str | Path, name: str | None = None) -> Domains:
    """The two domains in ``path``, whichever of the layouts it has.

    A folder that holds nothing but one folder, as archives leave behind, is entered. ``name``
    defaults to the folder's own. Raises ``UserError`` where no layout is recognised.
    """
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"{folder} does not exist; check the path")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder that holds the pictures")
    name = name or folder.resolve().name
    inside = subfolders(folder)
    if not _recognised(folder) and len(inside) == 1:
        folder = inside[0]
    if opener := _recognised(folder):
        return opener(folder, name)
    several = [sub.name for sub in subfolders(folder) if _recognised(sub)]
    if several:
        raise UserError(
            f"{folder} holds data sets ({', '.join(several)}) and is none itself; give one of them"
        )
    raise UserError(
        f"{folder} holds no data set in a known layout; expected folders {', '.join(PARTS)}, or "
        "train and val with side-by-side files or a folder for each domain, or lists trainA.txt, "
        "trainB.txt, testA.txt, testB.txt"
    )


def open_folder(folder: Path, name: str) -> Domains:
    """Two domains in the folders ``trainA trainB testA testB``, with ``trainPairs`` if present.
    Without any for testing, a few training pictures are shown in their place."""
    found = _by_role(folder)
    untested = not found.keys() & {"testa", "testb"}
    _require(folder, found, "folders", PARTS[:2] if untested else PARTS)
    pairs = found.get("trainpairs")
    train_a, train_b = (FolderSource(found[split.lower()]) for split in PARTS[:2])
    test_a, test_b = (
        Subset(of, range(min(SHOWN, len(of)))) if untested else FolderSource(found[split.lower()])
        for split, of in zip(PARTS[2:], (train_a, train_b), strict=True)
    )
    if untested:
        _tell_of_no_test(folder)
    halves = (HalfSource(pairs, "left"), HalfSource(pairs, "right")) if pairs else None
    return Domains(name, folder, train_a, train_b, test_a, test_b, halves)


def _open_domains(folder: Path, name: str) -> Domains:
    """A folder of pictures for each of two domains in ``train`` and in ``val`` (or ``test``)."""
    found = _by_role(folder)
    train, test = found["train"], found.get("val") or found.get("test")
    for split in filter(None, (train, test)):
        for path in sorted(split.iterdir()):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                raise UserError(
                    f"{path} lies beside the folders of domains; move it into one, or away"
                )
    names = two_domains(folder, [sub.name for sub in subfolders(train)])
    if test is None or any(not (test / domain).is_dir() for domain in names):
        raise UserError(f"{folder} lacks val (or test) with the folders {' and '.join(names)}")
    train_a, train_b, test_a, test_b = (
        FolderSource(split / domain) for split in (train, test) for domain in names
    )
    return Domains(name, folder, train_a, train_b, test_a, test_b)


def two_domains(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """The domains ``names`` of ``folder``; UserError where they are not two, as a task has."""
    if len(names) == 1:
        raise UserError(f"{folder} holds one domain, {names[0]}; add the folder of another")
    if len(names) != 2:
        raise UserError(
            f"{folder} holds the domains {', '.join(names)}; say which two to take: python -m "
            f"reproduce data {folder} --domains A B"
        )
    return names


def _open_pix2pix(folder: Path, name: str) -> Domains:
    """Side-by-side files in ``train`` and ``val`` (or ``test``): a on the left, b on the right.

    Both domains' training pictures then come from the same files, as in the papers; whoever
    trains without pairs draws them in unrelated orders.
    """
    found = _by_role(folder)
    train, test = found["train"], found.get("val") or found.get("test")
    if test is None:
        raise UserError(f"{folder} lacks val (or test) with side-by-side files; add it")
    train_a, train_b = HalfSource(train, "left"), HalfSource(train, "right")
    test_a, test_b = HalfSource(test, "left"), HalfSource(test, "right")
    return Domains(name, folder, train_a, train_b, test_a, test_b, (train_a, train_b))


def _open_lists(folder: Path, name: str) -> Domains:
    """Two domains in list files.

    The paths in a list start from the folder of the same split (``trainA`` beside ``trainA.txt``)
    where its first picture is there, and else from the folder that holds the list.
    """
    lists, folders = _by_role(folder, lists=True), _by_role(folder)
    _require(folder, lists, "lists")
    sources = []
    for split in PARTS:
        list_file, root = lists[split.lower()], folders.get(split.lower())
        first = next((listed for _, listed in listed_names(list_file)), "")
        inside = root is not None and (root / first).is_file()
        sources.append(ListSource(list_file, root if root is not None and inside else folder))
    train_a, train_b, test_a, test_b = sources
    return Domains(name, folder, train_a, train_b, test_a, test_b)


def _recognised(folder: Path) -> Callable[[Path, str], Domains] | None:
    """What opens it."""
    folders, splits = _by_role(folder), {split.lower() for split in PARTS}
    if splits & _by_role(folder, lists=True).keys():
        return _open_lists
    if splits & folders.keys():
        return open_folder
    if "train" not in folders:
        return None
    return _open_domains if subfolders(folders["train"]) else _open_pix2pix


def plain(name: str) -> str:
    """A name without what makes no difference in it."""
    return "".join(c for c in name.casefold() if c not in " _-")


def subfolders(folder: Path) -> list[Path]:
    """In natural order, without hidden ones."""
    found = (sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))
    return sorted(found, key=lambda sub: natural_order(sub.name))


@cache
def _tell_of_no_test(folder: Path) -> None:
    logging.getLogger("reproduce").warning(
        f"note: {folder} has no testA and testB: training shows translations of {SHOWN} training "
        "pictures, and there is nothing to measure on"
    )


def _by_role(folder: Path, lists: bool = False) -> dict[str, Path]:
    """Its folders, or lists, by what their names make them."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not ((path.suffix.lower() == ".txt" and path.is_file()) if lists else path.is_dir()):
            continue
        role = plain(path.stem).removeprefix("list") if lists else plain(path.name)
        if role not in ROLES:
            continue
        if role in found:
            raise UserError(
                f"{folder} has both {found[role].name} and {path.name}; rename or remove one"
            )
        found[role] = path
    return found


def _require(
    folder: Path, found: dict[str, Path], what: str, splits: Sequence[str] = PARTS
) -> None:
    missing = [split for split in splits if split.lower() not in found]
    if missing:
        raise UserError(
            f"{folder} lacks the {what} {', '.join(missing)}; expected {', '.join(PARTS)}"
        )
