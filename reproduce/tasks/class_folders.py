"""Pictures sorted by class: one folder per domain, with one folder per class (its modes) in it.

Two layouts are read: ``train|test/<domain>/<class>/*``, and ``<domain>/<class>/*``, where a
random sixth of each class (at least one picture) is for testing. A domain folder with pictures
and no subfolders is a single class. ``val`` may replace ``test``. If a folder contains only one
folder, as unpacked archives often do, that one is read. Case, spaces, ``_`` and ``-`` in domain
names are ignored, as are hidden files and files without a picture's suffix.
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
    """Return whether ``folder`` holds pictures sorted by domain and class (with ``classes=False``,
    also by domain alone) rather than another layout."""
    flat = {plain(split) for split in PARTS}
    if any(plain(path.stem).removeprefix("list") in flat for path in folder.iterdir()):
        return False
    levels = _levels(folder).values()
    if any(_is_picture(path) for level in levels for path in level.iterdir()):
        return False
    domains = [domain for level in levels for domain in subfolders(level)]
    kinds = [kind for domain in domains for kind in subfolders(domain)]
    if any(plain(kind.name) in flat for kind in kinds):  # several data sets, side by side
        return False
    places = kinds if classes else [*kinds, *domains]
    return any(_is_picture(path) for place in places for path in place.iterdir())


def domain_names(folder: Path) -> list[str]:
    """Return the names of the domains in a class folder, in natural order."""
    found = {plain(d.name): d.name for level in _levels(folder).values() for d in subfolders(level)}
    return sorted(found.values(), key=natural_order)


def read_domain(folder: Path, name: str, *, classes: Sequence[str] = (), fewest: int = 2) -> Domain:
    """Find the pictures of domain ``name`` in a class folder, without decoding them.

    ``classes`` are the required classes, in order; by default all classes found, at least
    ``fewest``. Raises UserError, naming the folder or file, for a missing domain, a class that is
    missing or empty in one of the splits, pictures outside a class folder, and symbolic links
    (they may lead out of the folder).
    """
    domains = {split: _domain(level, name) for split, level in _levels(folder).items()}
    if "train" not in domains:
        raise UserError(f"{folder} has a test folder but no folder train; {LAYOUT}")
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
            f"{folder} lacks the class {missing} of {name} (found: {', '.join(found)}); add a "
            "folder with its pictures"
        )
    modes = tuple(classes) or tuple(sorted(found, key=natural_order))
    if len(modes) < fewest:
        raise UserError(
            f"{name} of {folder} has {len(modes)} class ({', '.join(modes)}); a domain needs at "
            f"least {fewest} classes, each in a folder of its own"
        )
    pictures = [p for p in pictures if p.mode in modes]
    if "test" not in domains:
        pictures = _split(pictures, modes, domains["train"])
    return Domain(name.replace("-", " ").replace("_", " "), modes, pictures)


def _split(pictures: list[Picture], modes: Sequence[str], domain: Path) -> list[Picture]:
    """Assign a sixth of each class to testing."""
    found = list[Picture]()
    for mode in modes:
        of_class = [p for p in pictures if p.mode == mode]
        if len(of_class) < 2:
            raise UserError(f"{domain}: {mode} has fewer than two pictures; add some for testing")
        found += divided(of_class, plain(domain.name), mode)
    return found


def _levels(folder: Path) -> dict[str, Path]:
    """Map each split to the folder of its domains; "train" alone if there are no splits."""
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
        raise UserError(f"{pictures[0]} is not in a class folder; {LAYOUT}")
    if not kinds and not pictures:
        raise UserError(f"{domain} has neither pictures nor class folders; {LAYOUT}")
    return kinds or [domain]


def pictures_of(kind: Path) -> list[Path]:
    """Return all pictures under the folder of a class, in natural order; UserError for links."""
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
            f"{path} is a symbolic link, which may lead out of the folder; copy the pictures "
            "there instead"
        )


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
