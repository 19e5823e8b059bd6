"""Small pictures sorted by class, as people and data sets keep them, for tests of such tasks."""

import hashlib
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from reproduce.tasks.modes import open_modes
from reproduce.tasks.registry import open_task
from reproduce.tasks.sorting import Sorting
from reproduce.tasks.sources import Domains

CATS = {"siamese": 3, "tabby": 4}
DOGS = {"husky": 3, "shiba": 5}


def noise(path: Path, size: int | tuple[int, int] = 24) -> Path:
    """A picture of its own for every path's last three parts."""
    address = hashlib.sha256("/".join(path.parts[-3:]).encode("utf-8", "surrogateescape")).digest()
    width, height = (size, size) if isinstance(size, int) else size
    draws = np.random.default_rng(list(address))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draws.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


def fill(folder: Path, count: int, suffix: str = ".png") -> Path:
    for i in range(count):
        noise(folder / f"{i}{suffix}")
    return folder


def sorted_folder(
    folder: Path,
    domains: Mapping[str, Mapping[str, int]] | None = None,
    splits: Iterable[str] = ("train", "test"),
) -> Path:
    """``split/domain/class/*`` with the stated number of pictures each; no splits: without."""
    domains = domains or {"cats": CATS, "dogs": DOGS}
    for place in [folder / split for split in splits] or [folder]:
        for domain, classes in domains.items():
            for name, count in classes.items():
                fill(place / domain / name, count)
    return folder


def opened(name: str | Path, data: Path, source: Path | None = None, **sorting: object) -> Domains:
    """A task, by its name or path, with options of the command ``data``."""
    return open_task(
        str(name), data_dir=data, size=32, source=source, sorting=Sorting(**sorting), progress=False
    )


def origins(domains: Domains) -> dict[str, list[str]]:
    """Where the pictures of each part come from."""
    found: dict[str, list[str]] = {}
    for (part, _), row in open_modes(domains.folder).rows.items():
        found.setdefault(part, []).append(row["origin"])
    return {part: sorted(names) for part, names in found.items()}


def packed(root: Path, archive: Path, *names: str) -> Path:
    """A .tar.gz of some of what lies in ``root``."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for name in names:
            tar.add(root / name, name)
    return archive


def pix2pix(folder: Path, shade: int = 0) -> Path:
    """Side-by-side pictures as published, in ``folder``/edges2shoes: 4 for training, 3 for testing."""
    for split, count in (("train", 4), ("val", 3)):
        (folder / "edges2shoes" / split).mkdir(parents=True)
        for i in range(count):
            pair = Image.new("RGB", (64, 32), (40 * i, 90, shade))
            pair.save(folder / "edges2shoes" / split / f"{i}.png")
    return folder / "edges2shoes"


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


# Attributes.
HEADER = ("Bald", "Blond_Hair", "Smiling")


def celeba(root: Path, count: int = 12) -> Path:
    """Every third is blond, every second smiles; the last four are for validation and testing."""
    lines = [str(count), " ".join(HEADER) + " "]
    parts = []
    for i in range(1, count + 1):
        name = f"{i:06d}.jpg"
        noise(root / "img_align_celeba" / name, (18, 22))
        values = [-1, 1 if i % 3 == 0 else -1, 1 if i % 2 == 0 else -1]
        lines.append(f"{name} " + " ".join(f"{value:2d}" for value in values))
        parts.append(f"{name} {0 if i <= count - 4 else 1 if i <= count - 2 else 2}")
    (root / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    (root / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return root
