"""Pictures sorted by class: a folder a domain, and in it a folder a class (its modes). A domain that
holds pictures and no folders is of one class, itself.

Two layouts are read: ``train|test/<domain>/<class>/*``, and ``<domain>/<class>/*``, of which a
sixth of each class, at least one, is drawn for testing. ``val`` does for
``test``, and a folder that holds nothing but one folder, as archives leave behind, is entered.
In names of domains, case, spaces, ``_`` and ``-`` make no difference. Hidden files, and files
that are no pictures by their suffix, are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.console import in_utf8
from models.errors import UserError
from models.zoo import nearest
from reproduce.tasks.flat import Domain, Picture, divided, picture_of
from reproduce.tasks.layouts import plain, subfolders
from reproduce.tasks.modes import PARTS
from reproduce.tasks.sources import SUFFIXES, natural_order

LAYOUT = "sort pictures as train|test/<domain>/<class>, or as <domain>/<class>"


def is_class_folder(folder: Path, *, classes: bool = True) -> bool:
    """Whether pictures lie sorted by domain and class there, rather than in another layout; without
    ``classes``, or by domain alone."""
    flat = {plain(split) for split in PARTS}
    if any(plain(path.stem).removeprefix("list") in flat for path in folder.iterdir()):
        return False
    levels = _levels(folder).values()
    if any(_is_picture(path) for level in levels for path in level.iterdir()):
        return False
    domains = [domain for level in levels for domain in subfolders(level)]
    kinds = [kind for domain in domains for kind in subfolders(domain)]
    if any(plain(kind.name) in flat for kind in kinds):  # data sets, side by side
        return False
    places = kinds if classes else [*kinds, *domains]
    return any(_is_picture(path) for place in places for path in place.iterdir())


def domain_names(folder: Path) -> list[str]:
    """The domains in a folder of classes, in natural order."""
    found = {plain(d.name): d.name for level in _levels(folder).values() for d in subfolders(level)}
    return sorted(found.values(), key=natural_order)


def read_domain(folder: Path, name: str, *, classes: Sequence[str] = (), fewest: int = 2) -> Domain:
    """The domain ``name`` of a folder of classes; pictures are found, not yet decoded.

    ``classes``: those that must be there, in this order; without, all that are there, of which
    there must be ``fewest``. Raises UserError, naming the folder or file, for a domain that is
    not there, a class that is missing or empty in one of the splits, pictures outside of a class,
    and symbolic links: what they lead to may lie anywhere.
    """
    domains = {split: _domain(level, name) for split, level in _levels(folder).items()}
    if "train" not in domains:
        raise UserError(f"{folder} has a folder for testing but none called train; {LAYOUT}")
    pictures: list[Picture] = []
    found: dict[str, None] = {}
    for split, domain in domains.items():
        for kind in _classes(domain):
            found[kind.name] = None
            for path in pictures_of(kind):
                origin = path.relative_to(folder).as_posix()
                in_utf8(origin)
                pictures.append(picture_of(split, kind.name, origin, path))
    for missing in [c for c in classes if c not in found]:
        raise UserError(
            f"{folder} lacks the class {missing} of {name} (there: {', '.join(found)}); add a "
            "folder of its pictures"
        )
    modes = tuple(classes) or tuple(sorted(found, key=natural_order))
    if len(modes) < fewest:
        raise UserError(
            f"{name} of {folder} has {len(modes)} class ({', '.join(modes)}); a domain needs "
            f"{fewest} of them, a folder each"
        )
    pictures = [p for p in pictures if p.mode in modes]
    if "test" not in domains:
        pictures = _split(pictures, modes, domains["train"])
    return Domain(name.replace("-", " ").replace("_", " "), modes, pictures)


def _split(pictures: list[Picture], modes: Sequence[str], domain: Path) -> list[Picture]:
    """The same pictures, a sixth of each class for testing."""
    found = list[Picture]()
    for mode in modes:
        of_class = [p for p in pictures if p.mode == mode]
        if len(of_class) < 2:
            raise UserError(f"{domain}: {mode} holds no two pictures; add some, to test with")
        found += divided(of_class, plain(domain.name), mode)
    return found


def _levels(folder: Path) -> dict[str, Path]:
    """split -> the folder of its domains; one level, called train, where nothing is split."""
    inside = subfolders(folder)
    found = _by_split(inside)
    if not found and len(inside) == 1:
        folder = inside[0]
        found = _by_split(subfolders(folder))
    return found or {"train": folder}


def _by_split(inside: list[Path]) -> dict[str, Path]:
    there = {path.name.lower(): path for path in inside}
    found = {"train": there.get("train"), "test": there.get("test") or there.get("val")}
    return {split: path for split, path in found.items() if path is not None}


def _domain(level: Path, name: str) -> Path:
    _refuse_link(level)
    there = {plain(path.name): path for path in subfolders(level)}
    if plain(name) not in there:
        names = [path.name for path in there.values()]
        told = nearest(name, names) if names else LAYOUT
        raise UserError(f"{level} has no domain '{name}': {told}")
    _refuse_link(there[plain(name)])
    return there[plain(name)]


def _classes(domain: Path) -> list[Path]:
    kinds, pictures = subfolders(domain), []
    for path in sorted(domain.iterdir()):
        _refuse_link(path)
        pictures += [path] if _is_picture(path) else []
    if kinds and pictures:
        raise UserError(f"{pictures[0]} is in no folder of a class; {LAYOUT}")
    if not kinds and not pictures:
        raise UserError(f"{domain} has no pictures, and no folders of classes; {LAYOUT}")
    return kinds or [domain]


def pictures_of(kind: Path) -> list[Path]:
    """All pictures under the folder of a class, in natural order; UserError for links."""
    _refuse_link(kind)
    found = []
    for place, folders, files in os.walk(kind):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders + [name for name in files if not name.startswith(".")]:
            _refuse_link(Path(place, name))
        found += [path for path in (Path(place, name) for name in files) if _is_picture(path)]
    return sorted(found, key=lambda path: natural_order(path.relative_to(kind).as_posix()))


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise UserError(
            f"{path} is a symbolic link, which may lead out of the folder; put the pictures "
            "themselves there"
        )


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
