"""Domains of photographs from well-known data sets: CIFAR-10, Oxford-IIIT Pet, ImageNet, CelebA.

Each is downloaded by torchvision, which verifies the published checksums (and reads CIFAR-10's
pickles only if they match), or read from a local copy. ImageNet requires an account, so it is
always read from a local copy.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from torchvision.datasets import CIFAR10, CelebA, OxfordIIITPet

from benchmarks.files import foreign
from models.errors import UserError
from reproduce.tasks.celeba import celeba_root, read_faces
from reproduce.tasks.class_folders import pictures_of
from reproduce.tasks.flat import Domain, Picture, divided, picture_of
from reproduce.tasks.heads import MARGIN, pets_root, read_heads
from reproduce.tasks.specs import CIFAR_MODES

CIFAR_TRAIN = 2500  # pictures of each class, the first ones; all 1,000 test pictures

# Close to the paper's breeds: Bengals are striped like tabbies, Bombays are black.
HOUSE_CATS = ("Siamese", "Bengal", "Bombay", "Abyssinian")
DOGS = ("samoyed", "shiba_inu", "pug", "beagle")
# A black panther is a leopard or a jaguar and has no synset; jaguars replace it.
SYNSETS = {"lion": "n02129165", "tiger": "n02129604", "leopard": "n02128385", "jaguar": "n02128925"}

Reader = Callable[[str, tuple[str, ...]], Domain]


@dataclass(frozen=True)
class Originals:
    """Local copies of data sets by key ("cifar", "pets", "imagenet", "celeba"); the others are
    downloaded to ``downloads``. ``attribute`` separates the two domains of faces (None: blond
    hair)."""

    local: dict[str, Path]
    downloads: Path
    attribute: str | None = None
    progress: bool = True


def data_set_of(domain: str) -> str:
    """Return the key of the data set that ``domain`` comes from."""
    return next(name for name, of in DATA_SETS.items() if domain in of.domains)


def described(names: Sequence[str]) -> dict[str, Any]:
    """Describe how the domains called ``names`` are made, for the truth folder."""
    sets = [DATA_SETS[data_set_of(name)] for name in names]
    facts = {key: value for data_set in sets for key, value in data_set.facts.items()}
    return {"from": [data_set.title for data_set in sets], **facts}


def recognise(folder: Path) -> str | None:
    """Return the key of the data set in ``folder``; None if there is none."""
    return next((name for name, of in DATA_SETS.items() if of.find(folder) is not None), None)


def photo_domains(names: Sequence[str], originals: Originals) -> list[Domain]:
    """Find the domains called ``names`` in their data sets, without decoding pictures.

    If a data set has no published split, a sixth of each mode is for testing. Raises UserError for
    a failed download and for an incomplete or unused local copy.
    """
    sets = [data_set_of(name) for name in names]
    for given, path in originals.local.items():
        if given not in sets:
            raise UserError(
                f"{' and '.join(names)} do not use {DATA_SETS[given].title}: leave out {path}"
            )
    known = {of: DATA_SETS[of] for of in sets}
    readers = {key: of.open(originals.local.get(key), originals) for key, of in known.items()}
    return [
        readers[of](name, known[of].domains[name]) for of, name in zip(sets, names, strict=True)
    ]


def _cifar(local: Path | None, originals: Originals) -> Reader:
    root = originals.downloads if local is None else _cifar_root(local) or local
    loaded = list[tuple[str, Any]]()
    for split in ("train", "test"):
        make = partial(CIFAR10, root, train=split == "train", download=local is None)
        loaded.append((split, _load("cifar", make, local, originals)))

    def read(name: str, modes: tuple[str, ...]) -> Domain:
        pictures = []
        for split, data in loaded:
            most, taken = CIFAR_TRAIN if split == "train" else len(data), Counter[str]()
            for i, target in enumerate(data.targets):
                mode = data.classes[target]
                taken[mode] += 1
                if mode in modes and taken[mode] <= most:
                    put = partial(Image.fromarray(data.data[i]).save, format="PNG")
                    # The data set's checksum is verified, so the origin needs no mark.
                    pictures.append(Picture(split, mode, f"{split}/{i}", put))
        return Domain(name, modes, pictures)

    return read


def _pets(local: Path | None, originals: Originals) -> Reader:
    root = _root("pets", OxfordIIITPet, "images, annotations/xmls", local, originals)

    def read(name: str, breeds: tuple[str, ...]) -> Domain:
        modes = {breed.lower().replace("_", " "): breed for breed in breeds}
        return read_heads(root, name.replace("-", " "), modes)

    return read


def _imagenet(local: Path | None, originals: Originals) -> Reader:
    if local is None:
        raise UserError(
            "big cats come from ImageNet, which cannot be downloaded without an account; pass the "
            "folder with its synsets (n02129165, ...) by python -m reproduce data TASK --imagenet "
            "PATH, or pictures of your own, sorted as train|test/<domain>/<class>, by --source PATH"
        )
    levels = _synset_folders(local)
    if levels is None:
        raise UserError(f"{local} has no synset folders (n02129165, ...); check the path")

    def read(name: str, modes: tuple[str, ...]) -> Domain:
        pictures = list[Picture]()
        for mode in modes:
            found = list[Picture]()
            for split, level in levels.items():
                folder = level / SYNSETS[mode]
                if not folder.is_dir():
                    raise UserError(f"{folder} ({mode}) does not exist; add this synset")
                for path in pictures_of(folder):
                    origin = f"{level.name}/{folder.name}/{path.name}"
                    found.append(picture_of(split, mode, origin, path))
            pictures += found if "test" in levels else divided(found, name, mode)
        return Domain(name.replace("-", " "), modes, pictures)

    return read


def _celeba(local: Path | None, originals: Originals) -> Reader:
    needs = "img_align_celeba, list_attr_celeba.txt"
    root = _root("celeba", CelebA, needs, local, originals)
    return lambda name, _: read_faces(root, originals.attribute or "Blond_Hair", name == "with")


def _root(
    data_set: str,
    download: Callable[..., object],
    needs: str,
    local: Path | None,
    originals: Originals,
) -> Path:
    """Return the root of a data set, local or downloaded."""
    find = DATA_SETS[data_set].find
    folder = originals.downloads if local is None else local
    root: Path | None = find(folder)
    if root is None and local is None:
        _download(data_set, download, originals)
        root = find(folder)
    if root is None:
        raise UserError(
            f"{folder} holds no {DATA_SETS[data_set].title} ({needs}); check the path, or unpack it "
            "again"
        )
    return root


def _download(data_set: str, download: Callable[..., object], originals: Originals) -> None:
    """Download into a hidden folder, since torchvision takes a partly unpacked archive for a whole
    one. Archives survive an interruption, since torchvision verifies their checksums."""
    part = originals.downloads / f".{data_set}"
    for unpacked in part.glob("*/*/"):
        shutil.rmtree(unpacked)
    try:
        _load(data_set, partial(download, part, download=True), None, originals)
        for path in part.iterdir():
            shutil.rmtree(originals.downloads / path.name, ignore_errors=True)
            path.rename(originals.downloads / path.name)
    finally:
        for path in (*part.glob("*"), part):
            with contextlib.suppress(OSError):  # if it is not empty
                path.rmdir()


def _load(data_set: str, make: Callable[[], Any], local: Path | None, originals: Originals) -> Any:
    """Return ``make()``, with torchvision's output on standard error, or nowhere."""
    title = DATA_SETS[data_set].title
    what, remedy = f"{local} is not a complete copy of {title}", "download it again"
    if local is None:
        what = f"could not download {title} to {originals.downloads}"
        remedy = "try again later, or download it yourself and pass its path with --source PATH"
    to = sys.stderr if originals.progress else io.StringIO()
    with foreign(what, remedy), contextlib.redirect_stdout(to), contextlib.redirect_stderr(to):
        return make()


def _cifar_root(folder: Path) -> Path | None:
    if folder.name == CIFAR10.base_folder:
        folder = folder.parent
    return folder if (folder / CIFAR10.base_folder).is_dir() else None


def _synset_folders(folder: Path) -> dict[str, Path] | None:
    """Map each split to its folder of ImageNet synsets; there may be no "test"."""
    for root in (folder, folder / "Data" / "CLS-LOC", folder / "ILSVRC" / "Data" / "CLS-LOC"):
        levels = {"train": root / "train", "test": root / "val"}
        found = {split: level for split, level in levels.items() if _has_synsets(level)}
        if "train" in found:
            return found
        if _has_synsets(root):
            return {"train": root}
    return None


def _has_synsets(folder: Path) -> bool:
    return any((folder / synset).is_dir() for synset in SYNSETS.values())


class DataSet(NamedTuple):
    """A data set: title; domains and their modes (breeds, synsets, ...); functions that find it in
    a folder and open it; further facts for the truth folder."""

    title: str
    domains: Mapping[str, tuple[str, ...]]
    find: Callable[[Path], Any]
    open: Callable[[Path | None, Originals], Reader]
    facts: Mapping[str, float] = {}


DATA_SETS = {
    "cifar": DataSet(
        "CIFAR-10", dict(zip(("animals", "vehicles"), CIFAR_MODES, strict=True)), _cifar_root,
        _cifar, {"training_pictures_a_mode": CIFAR_TRAIN},
    ),
    "pets": DataSet(
        "Oxford-IIIT Pet",
        {"house-cats": HOUSE_CATS, "dogs": DOGS, "samoyeds": DOGS[:1], "beagles": DOGS[3:]},
        pets_root, _pets, {"head_margin": MARGIN},
    ),
    "celeba": DataSet("CelebA", {"without": (), "with": ()}, celeba_root, _celeba),
    "imagenet": DataSet(
        "ImageNet",
        {"big-cats": tuple(SYNSETS), "tigers": ("tiger",), "leopards": ("leopard",)},
        _synset_folders, _imagenet,
    ),
}  # fmt: skip
