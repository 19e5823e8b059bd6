"""Domains of photographs out of well-known data sets: CIFAR-10, Oxford-IIIT Pet, ImageNet, CelebA.

Each is downloaded by torchvision, which holds it against its published checksums (and reads the
pickles of CIFAR-10 only if they match), or read from a local copy. ImageNet is not to be had
without an account, so it is always a local copy.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import shutil
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.datasets import CIFAR10, CelebA, OxfordIIITPet

from models.errors import UserError
from reproduce.tasks.celeba import celeba_root, read_faces
from reproduce.tasks.class_folders import pictures_of
from reproduce.tasks.flat import Domain, FilePicture, Picture, held_out
from reproduce.tasks.heads import MARGIN, pets_root, read_heads
from reproduce.tasks.specs import CIFAR_MODES

CIFAR_TRAIN = 2500  # pictures of each class, the first ones; all 1,000 test pictures

# Near to the paper's breeds: Bengals are striped as tabbies are, Bombays are black.
HOUSE_CATS = ("Siamese", "Bengal", "Bombay", "Abyssinian")
DOGS = ("samoyed", "shiba_inu", "pug", "beagle")
# A black panther is a leopard or a jaguar, and has no synset: jaguars take its place.
SYNSETS = {"lion": "n02129165", "tiger": "n02129604", "leopard": "n02128385", "jaguar": "n02128925"}

PETS = {"house-cats": HOUSE_CATS, "dogs": DOGS, "samoyeds": DOGS[:1], "beagles": DOGS[3:]}
IMAGENET = {"big-cats": tuple(SYNSETS), "tigers": ("tiger",), "leopards": ("leopard",)}
CIFAR = dict(zip(("animals", "vehicles"), CIFAR_MODES, strict=True))
ATTRIBUTE = "Blond_Hair"
FACES = {"without": False, "with": True}
DATA_SETS: dict[str, Mapping[str, Any]] = {
    "cifar": CIFAR,
    "pets": PETS,
    "imagenet": IMAGENET,
    "celeba": FACES,
}
NAMES = {"cifar": "CIFAR-10", "pets": "Oxford-IIIT Pet", "imagenet": "ImageNet", "celeba": "CelebA"}
# Data sets of files: what downloads one, finds it in a folder, and what it holds.
OF_FILES: dict[str, tuple[Callable[..., object], Callable[[Path], Path | None], str]] = {
    "pets": (OxfordIIITPet, pets_root, "images, annotations/xmls"),
    "celeba": (CelebA, celeba_root, "img_align_celeba, list_attr_celeba.txt"),
}

# What a download and the unpacking of it raise.
FAILURES = (
    OSError, RuntimeError, http.client.HTTPException, tarfile.TarError, zipfile.BadZipFile,
    EOFError, zlib.error,
)  # fmt: skip

Reader = Callable[[str], Domain]


@dataclass(frozen=True)
class Originals:
    """Local copies of data sets, by "cifar", "pets", "imagenet", "celeba"; the others are
    downloaded to ``downloads``. ``attribute``: of faces, which one domain has and one has not
    (None: blond hair)."""

    local: dict[str, Path]
    downloads: Path
    attribute: str | None = None
    progress: bool = True


@dataclass(frozen=True)
class PixelPicture(Picture):
    """A picture (H, W, 3) uint8 of a data set that is no folder of files, written as PNG."""

    pixels: NDArray[np.uint8]

    def mark(self) -> str:
        return ""  # Its data set has been held against a checksum: the origin tells all.

    def put(self, target: Path) -> None:
        Image.fromarray(self.pixels).save(target, format="PNG")


def data_set_of(domain: str) -> str:
    """Which data set the domain of that name is taken from."""
    return next(name for name, domains in DATA_SETS.items() if domain in domains)


def described(names: tuple[str, ...]) -> dict[str, Any]:
    """How the domains called ``names`` are made, for their truth."""
    sets = [data_set_of(name) for name in names]
    known: dict[str, dict[str, float]] = {
        "pets": {"head_margin": MARGIN},
        "cifar": {"training_pictures_a_mode": CIFAR_TRAIN},
    }
    facts = {k: v for data_set in sets for k, v in known.get(data_set, {}).items()}
    return {"from": [NAMES[data_set] for data_set in sets], **facts}


def recognise(folder: Path) -> str | None:
    """Which of the data sets lies in ``folder``, if any."""
    finders = {
        "cifar": _cifar_root, "pets": pets_root, "celeba": celeba_root, "imagenet": _synset_folders,
    }  # fmt: skip
    return next((name for name, find in finders.items() if find(folder) is not None), None)


def photo_domains(names: tuple[str, ...], originals: Originals) -> list[Domain]:
    """The domains called ``names``, found in their data sets; nothing is decoded yet.

    Where a data set does not say which pictures are for testing, a sixth of each mode is. UserError
    where a download fails or a local copy is not whole, with the remedy.
    """
    for given in originals.local:
        if given not in map(data_set_of, names):
            raise UserError(
                f"{' and '.join(names)} take nothing from {NAMES[given]}: leave out "
                f"{originals.local[given]}"
            )
    open_one = {"cifar": _cifar, "pets": _pets, "imagenet": _imagenet, "celeba": _celeba}
    readers: dict[str, Reader] = {}
    for data_set in map(data_set_of, names):
        if data_set not in readers:
            local = originals.local.get(data_set)
            readers[data_set] = open_one[data_set](local, originals)
    return [readers[data_set_of(name)](name) for name in names]


def _cifar(local: Path | None, originals: Originals) -> Reader:
    root = originals.downloads if local is None else _cifar_root(local) or local
    loaded: list[tuple[str, Any]] = []
    for split in ("train", "test"):
        make = partial(CIFAR10, root, train=split == "train", download=local is None)
        loaded.append((split, _load("cifar", make, local, originals)))

    def read(name: str) -> Domain:
        pictures = []
        for split, data in loaded:
            most, taken = CIFAR_TRAIN if split == "train" else len(data), Counter[str]()
            for i, target in enumerate(data.targets):
                mode = data.classes[target]
                taken[mode] += 1
                if mode in CIFAR[name] and taken[mode] <= most:
                    pictures.append(PixelPicture(split, mode, f"{split}/{i}", data.data[i]))
        return Domain(name, CIFAR[name], pictures)

    return read


def _pets(local: Path | None, originals: Originals) -> Reader:
    root = _root("pets", local, originals)

    def read(name: str) -> Domain:
        breeds = {breed.lower().replace("_", " "): breed for breed in PETS[name]}
        return read_heads(root, name.replace("-", " "), breeds)

    return read


def _imagenet(local: Path | None, originals: Originals) -> Reader:
    if local is None:
        raise UserError(
            "big cats are taken from ImageNet, which cannot be downloaded without an account; "
            "pass the folder that holds its synsets (n02129165, ...) with python -m reproduce data "
            "TASK --imagenet PATH, or pictures of your own, sorted as "
            "train|test/<domain>/<class>, with --source PATH"
        )
    levels = _synset_folders(local)
    if levels is None:
        raise UserError(f"{local} holds no folders of synsets (n02129165, ...); check the path")
    train, test = levels

    def read(name: str) -> Domain:
        pictures = []
        for mode in IMAGENET[name]:
            synset = SYNSETS[mode]
            found = {"train": train / synset} | ({} if test is None else {"test": test / synset})
            for folder in found.values():
                if not folder.is_dir():
                    raise UserError(f"{folder} ({mode}) does not exist; add this synset")
            paths = [(split, path) for split, at in found.items() for path in pictures_of(at)]
            chosen = set() if test is not None else held_out(len(paths), name, mode)
            for i, (split, path) in enumerate(paths):
                origin = f"{found[split].parent.name}/{synset}/{path.name}"
                split = "test" if i in chosen else split
                pictures.append(FilePicture(split, mode, origin, path))
        return Domain(name.replace("-", " "), IMAGENET[name], pictures)

    return read


def _celeba(local: Path | None, originals: Originals) -> Reader:
    root = _root("celeba", local, originals)
    return lambda name: read_faces(root, originals.attribute or ATTRIBUTE, FACES[name])


def _root(data_set: str, local: Path | None, originals: Originals) -> Path:
    """The folder of a data set of files, given or downloaded."""
    download, find, needs = OF_FILES[data_set]
    folder = originals.downloads if local is None else local
    root = find(folder)
    if root is None and local is None:
        _download(data_set, download, originals)
        root = find(folder)
    if root is None:
        raise UserError(
            f"{folder} holds no {NAMES[data_set]} ({needs}); check the path, or unpack it again"
        )
    return root


def _download(data_set: str, download: Callable[..., object], originals: Originals) -> None:
    """Have torchvision do it out of sight: it takes what it began to unpack for the whole. Archives
    stay after an interruption, since it holds them against their checksums."""
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
            with contextlib.suppress(OSError):  # of those that hold something
                path.rmdir()


def _load(data_set: str, make: Callable[[], Any], local: Path | None, originals: Originals) -> Any:
    """What ``make`` gives; torchvision speaks on standard error, if at all."""
    try:
        with contextlib.redirect_stdout(sys.stderr if originals.progress else io.StringIO()):
            if originals.progress:
                return make()
            with contextlib.redirect_stderr(io.StringIO()):
                return make()
    except FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if local is not None:
            raise UserError(
                f"{local} is not the whole of {NAMES[data_set]} as published ({reason}); "
                "get it again"
            ) from error
        raise UserError(
            f"could not download {NAMES[data_set]} to {originals.downloads} ({reason}); try again "
            "later, or get it yourself and pass the local path with --source PATH"
        ) from error


def _cifar_root(folder: Path) -> Path | None:
    if folder.name == CIFAR10.base_folder:
        folder = folder.parent
    return folder if (folder / CIFAR10.base_folder).is_dir() else None


def _synset_folders(folder: Path) -> tuple[Path, Path | None] | None:
    """The folders of ImageNet that hold synsets: for training, and for testing if there is one."""
    for root in (folder, folder / "Data" / "CLS-LOC", folder / "ILSVRC" / "Data" / "CLS-LOC"):
        train, test = root / "train", root / "val"
        if _has_synsets(train):
            return train, test if _has_synsets(test) else None
        if _has_synsets(root):
            return root, None
    return None


def _has_synsets(folder: Path) -> bool:
    return any((folder / synset).is_dir() for synset in SYNSETS.values())
