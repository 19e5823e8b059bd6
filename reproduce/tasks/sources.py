"""Sources of pictures: files with stable names, read one at a time and never cached.

``layouts.py`` recognises the folder layouts of data sets.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal, NoReturn, Protocol

from PIL import Image
from tqdm import tqdm

from models.errors import UserError
from reproduce.tasks.pictures import read_picture

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
)

# Side-by-side files hold two roughly square pictures.
LEAST_ASPECT, MOST_ASPECT = 1.6, 2.5


class PictureSource(Protocol):
    """A finite, ordered set of pictures."""

    ids: list[str]
    """Unique names in natural order ("2" before "10"), the same on every machine."""
    part: str
    """Which part of each file the picture is: "whole", "left" or "right"."""

    def __len__(self) -> int: ...

    def path(self, index: int) -> Path:
        """The file that picture ``index`` is read from."""
        ...

    def read(self, index: int) -> Image.Image:
        """Decode and return picture ``index`` in RGB."""
        ...


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a sort key that treats digits as numbers and ignores case; ties go by the name."""
    pieces = re.split(r"([0-9]+)", name)
    return [int(p) if i % 2 else p.casefold() for i, p in enumerate(pieces)], name


class Subset:
    """Some pictures of a source, selected by index."""

    def __init__(self, source: PictureSource, indices: Sequence[int]) -> None:
        self._source, self._indices = source, list(indices)
        self.ids, self.part = [source.ids[i] for i in self._indices], source.part

    def __len__(self) -> int:
        return len(self._indices)

    def path(self, index: int) -> Path:
        """The file that picture ``index`` is read from."""
        return self._source.path(self._indices[index])

    def read(self, index: int) -> Image.Image:
        """Decode and return picture ``index`` in RGB."""
        return self._source.read(self._indices[index])


class _Files:
    """Pictures in files under ``root``, named by their relative paths."""

    part = "whole"

    def __init__(self, root: Path, names: list[str]) -> None:
        self.root = root
        self._names = sorted(names, key=natural_order)
        bare = [str(PurePosixPath(name).with_suffix("")) for name in self._names]
        # Without suffixes, a drawing in PNG and its photo in JPEG have the same id.
        self.ids = bare if len(set(bare)) == len(bare) else list(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def path(self, index: int) -> Path:
        return self.root / self._names[index]

    def read(self, index: int) -> Image.Image:
        return read_picture(self.path(index))


class FolderSource(_Files):
    """All pictures under a folder, at any depth. Hidden files and folders are ignored; a note lists
    other skipped files once."""

    def __init__(self, path: str | Path) -> None:
        root = Path(path)
        if not root.is_dir():
            raise UserError(f"{root} is not a folder; give a folder of pictures")
        files = list(_files_under(root))
        names = [name for name in files if _suffix(name) in SUFFIXES]
        if not names:
            raise UserError(
                f"{root} holds no pictures; put some there ({', '.join(sorted(SUFFIXES))})"
            )
        if others := Counter(_suffix(name) or "no suffix" for name in {*files}.difference(names)):
            _tell_of_others(root, ", ".join(f"{n} {kind}" for kind, n in sorted(others.items())))
        super().__init__(root, names)


class HalfSource(FolderSource):
    """The left or right halves of side-by-side files, the format of pix2pix's pairs.

    Files are cut when they are read, so no picture is compressed again.
    """

    def __init__(self, path: str | Path, side: Literal["left", "right"]) -> None:
        if side not in ("left", "right"):
            raise ValueError(f"side must be 'left' or 'right', not {side!r}")
        super().__init__(path)
        self.part = side
        self.read(0)  # Refuse a folder of ordinary pictures now, not hours later.

    def read(self, index: int) -> Image.Image:
        """Return this side of file ``index`` in RGB."""
        both = super().read(index)
        width, height = both.size
        if width % 2 or not LEAST_ASPECT <= width / height <= MOST_ASPECT:
            raise UserError(
                f"{self.path(index)} is {width}x{height} pixels, not two pictures side by side "
                "(even width, about twice the height); remove it, or use separate trainA and "
                "trainB folders"
            )
        middle = width // 2
        left = 0 if self.part == "left" else middle
        return both.crop((left, 0, left + middle, height))


class ListSource(_Files):
    """The pictures in a list file: one path per line, relative to ``root`` (MUNIT's format)."""

    def __init__(self, list_file: str | Path, root: str | Path) -> None:
        list_file, root = Path(list_file), Path(root)
        first_line: dict[str, int] = {}
        for number, name in listed_names(list_file):
            where = f"{list_file} line {number}"
            if name in first_line:
                raise UserError(
                    f"{where} names {name} again (first in line {first_line[name]}); remove one"
                )
            if not (root / name).is_file():
                raise UserError(
                    f"{where} names {name}, which is not in {root}; correct or remove the line"
                )
            first_line[name] = number
        if not first_line:
            raise UserError(f"{list_file} names no pictures; write one relative path a line")
        super().__init__(root, list(first_line))


def listed_names(list_file: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, normalised relative path) for every line of a list file, except blank
    lines and comments (#)."""
    try:
        lines = list_file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{list_file} cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{list_file} is not UTF-8 text; save the list as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        name = os.path.normpath(written.replace("\\", "/"))  # Windows paths
        if os.path.isabs(name) or name.split(os.sep)[0] == ".." or "\0" in name:
            raise UserError(
                f"{list_file} line {number}: {written!r} leads out of the list's folder; "
                "use paths relative to it"
            )
        yield number, name


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


@cache
def _tell_of_others(root: Path, others: str) -> None:
    logging.getLogger("reproduce").warning(
        f"note: passed over in {root}, as no pictures that are read here: {others}"
    )


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(
        f"{error.filename} cannot be read ({error.strerror}): give yourself the right to, or move it "
        "out of the pictures' folder"
    ) from None


def _files_under(root: Path) -> Iterator[str]:
    # Links are followed, since large data sets are often linked, but no folder is visited twice.
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=_unreadable):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for file in files:
            if not file.startswith("."):
                yield os.path.relpath(os.path.join(folder, file), root)


@dataclass(frozen=True)
class Domains:
    """The pictures of one task: training and test pictures of two domains.

    ``pairs`` are aligned training pairs (equal ids), which only supervised methods may see.
    ``paired_test`` is true if ``test_a`` and ``test_b`` have the same ids, so that every test input
    has a ground truth.
    """

    name: str
    folder: Path
    train_a: PictureSource
    train_b: PictureSource
    test_a: PictureSource
    test_b: PictureSource
    pairs: tuple[PictureSource, PictureSource] | None = None

    def __post_init__(self) -> None:
        if self.pairs is not None and self.pairs[0].ids != self.pairs[1].ids:
            raise UserError(
                f"{self.folder}: the training pairs do not carry the same names on both sides; "
                "give every pair one name"
            )

    @property
    def paired_test(self) -> bool:
        """Whether the test pictures of the two domains form pairs."""
        return self.test_a.ids == self.test_b.ids

    def splits(self) -> dict[str, PictureSource]:
        """Return the sources by split name."""
        named = {
            "train_a": self.train_a,
            "train_b": self.train_b,
            "test_a": self.test_a,
            "test_b": self.test_b,
        }
        if self.pairs is not None:
            named |= {"pairs_a": self.pairs[0], "pairs_b": self.pairs[1]}
        return named

    def check(self, *, progress: bool = False) -> None:
        """Decode every picture once, to raise UserError for an unreadable one before training."""
        # By file: the halves of a side-by-side file are decoded together.
        todo = {s.path(i): (s, i) for s in self.splits().values() for i in range(len(s))}
        for source, i in tqdm(todo.values(), desc=f"reading {self.name}", disable=not progress):
            source.read(i)

    def fingerprint(self, *, progress: bool = False) -> str:
        """Return a sha256 (hex) over the split, id, part, size and bytes of every picture.

        It does not change when the folder is moved or renamed; it does when a picture is changed,
        added, removed, renamed or moved. Every file is read once.
        """
        return fingerprint(self.splits(), f"checksums of {self.name}", progress=progress)


def fingerprint(
    splits: Mapping[str, PictureSource], about: str = "checksums", *, progress: bool = False
) -> str:
    """Return ``Domains.fingerprint`` of pictures under any names of splits."""
    files = {source.path(i): "" for source in splits.values() for i in range(len(source))}
    for path in tqdm(files, desc=about, disable=not progress):
        files[path] = _size_and_digest(path)
    whole = hashlib.sha256()
    for split, source in splits.items():
        for i, name in enumerate(source.ids):
            line = f"{split}\0{name}\0{source.part}\0{files[source.path(i)]}\n"
            whole.update(line.encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _size_and_digest(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); restore it") from error
    return f"{len(data)}\0{hashlib.sha256(data).hexdigest()}"
