"""Recognise and open the common folder layouts of two picture domains.

==========  =======================================================================
folders     ``trainA trainB testA testB``, and for paired methods ``trainPairs``
            with side-by-side files (CycleGAN's layout); ``trainA`` and ``trainB``
            alone suffice for training
domains     ``train`` and ``val`` (or ``test``), each with one folder of pictures
            per domain; domain a is the first by name (AFHQ's layout; ``sorting``
            selects two of several domains)
pix2pix     ``train`` and ``val`` (or ``test``) with side-by-side files, domain a
            on the left, b on the right
lists       ``trainA.txt trainB.txt testA.txt testB.txt``, also ``train_A.txt`` or
            ``list_trainA.txt``: one path per line (MUNIT's layout)
==========  =======================================================================

Case, spaces, ``_`` and ``-`` are ignored in these names.
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

SHOWN = 8  # training pictures that are shown if there are no test pictures
ROLES = frozenset({split.lower() for split in PARTS} | {"trainpairs", "train", "val", "test"})


def open_pictures(path: str | Path, name: str | None = None) -> Domains:
    """Open the two domains in the folder ``path``, in any of the layouts.

    If the folder contains only one folder, as unpacked archives often do, that one is opened.
    ``name`` defaults to the folder's name. Raises ``UserError`` if no layout is recognised.
    """
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"{folder} does not exist; check the path")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder with the pictures")
    name = name or folder.resolve().name
    inside = subfolders(folder)
    if not _recognised(folder) and len(inside) == 1:
        folder = inside[0]
    if opener := _recognised(folder):
        return opener(folder, name)
    several = [sub.name for sub in subfolders(folder) if _recognised(sub)]
    if several:
        raise UserError(
            f"{folder} contains data sets ({', '.join(several)}) but is not one; give one of them"
        )
    raise UserError(
        f"{folder} holds no data set in a known layout; expected folders {', '.join(PARTS)}, or "
        "train and val with side-by-side files or one folder per domain, or lists trainA.txt, "
        "trainB.txt, testA.txt, testB.txt"
    )


def open_folder(folder: Path, name: str) -> Domains:
    """Open the folders ``trainA trainB testA testB``, and ``trainPairs`` if present. Without test
    folders, the first ``SHOWN`` training pictures take their place."""
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
    """Open ``train`` and ``val`` (or ``test``) with one folder of pictures per domain."""
    found = _by_role(folder)
    train, test = found["train"], found.get("val") or found.get("test")
    for split in filter(None, (train, test)):
        for path in sorted(split.iterdir()):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                raise UserError(
                    f"{path} is outside the domain folders; move it into one, or remove it"
                )
    names = two_domains(folder, [sub.name for sub in subfolders(train)])
    if test is None or any(not (test / domain).is_dir() for domain in names):
        raise UserError(f"{folder} lacks val (or test) with the folders {' and '.join(names)}")
    train_a, train_b, test_a, test_b = (
        FolderSource(split / domain) for split in (train, test) for domain in names
    )
    return Domains(name, folder, train_a, train_b, test_a, test_b)


def two_domains(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """Return ``names``, the domains in ``folder``; UserError unless there are two."""
    if len(names) == 1:
        raise UserError(f"{folder} holds only one domain, {names[0]}; add a folder for another")
    if len(names) != 2:
        raise UserError(
            f"{folder} holds the domains {', '.join(names)}; choose two of them: python -m "
            f"reproduce data {folder} --domains A B"
        )
    return names


def _open_pix2pix(folder: Path, name: str) -> Domains:
    """Open side-by-side files in ``train`` and ``val`` (or ``test``): a is left, b is right.

    Both domains' training pictures come from the same files, as in the papers; unpaired methods
    draw them in independent orders.
    """
    found = _by_role(folder)
    train, test = found["train"], found.get("val") or found.get("test")
    if test is None:
        raise UserError(f"{folder} lacks val (or test) with side-by-side files; add it")
    train_a, train_b = HalfSource(train, "left"), HalfSource(train, "right")
    test_a, test_b = HalfSource(test, "left"), HalfSource(test, "right")
    return Domains(name, folder, train_a, train_b, test_a, test_b, (train_a, train_b))


def _open_lists(folder: Path, name: str) -> Domains:
    """Open two domains from list files.

    Paths in a list are relative to the folder of the same split (``trainA`` beside ``trainA.txt``)
    if the list's first picture is there, and otherwise to the folder that holds the list.
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
    """Return the function that opens the layout of ``folder``; None for an unknown layout."""
    folders, splits = _by_role(folder), {split.lower() for split in PARTS}
    if splits & _by_role(folder, lists=True).keys():
        return _open_lists
    if splits & folders.keys():
        return open_folder
    if "train" not in folders:
        return None
    return _open_domains if subfolders(folders["train"]) else _open_pix2pix


def plain(name: str) -> str:
    """Return ``name`` without case, spaces, ``_`` and ``-``."""
    return "".join(c for c in name.casefold() if c not in " _-")


def subfolders(folder: Path) -> list[Path]:
    """Return the subfolders of ``folder`` in natural order, without hidden ones."""
    found = (sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))
    return sorted(found, key=lambda sub: natural_order(sub.name))


@cache
def _tell_of_no_test(folder: Path) -> None:
    logging.getLogger("reproduce").warning(
        f"note: {folder} has no testA and testB: training shows translations of {SHOWN} training "
        "pictures, and the result cannot be measured"
    )


def _by_role(folder: Path, lists: bool = False) -> dict[str, Path]:
    """Map each role (``traina``, ``val``, ...) in ``folder`` to its subfolder, or its list file."""
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
