"""From sorted photographs to a task: which domains are taken from where, and the flat folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import UserError
from reproduce.tasks.class_folders import domain_names, is_class_folder, read_domain
from reproduce.tasks.flat import Domain, mark_of, write_flat
from reproduce.tasks.layouts import open_folder, two_domains
from reproduce.tasks.locks import only_process
from reproduce.tasks.sources import Domains
from reproduce.tasks.specs import TaskSpec


@dataclass(frozen=True)
class Sorting:
    """How photographs are sorted into two domains, beyond what a task's name says.

    ``domains``: which two of a folder of domains. ``pets``, ``imagenet``: local copies of these
    data sets. ``attribute``: of CelebA, which the faces in domain b have.
    """

    domains: tuple[str, str] | None = None
    pets: Path | None = None
    imagenet: Path | None = None
    attribute: str | None = None

    @property
    def local(self) -> dict[str, Path]:
        """The local copies by name."""
        copies = {"pets": self.pets, "imagenet": self.imagenet}
        return {name: path for name, path in copies.items() if path is not None}


AS_NAMED = Sorting()


def refuse_unread(name: str, spec: TaskSpec | None, source: Path | None, sorting: Sorting) -> None:
    """UserError for what was told of sorting and nothing would read."""
    if sorting.local and (spec is None or spec.kind != "photos" or source is not None):
        told = " and ".join(f"--{kind}" for kind in sorting.local)
        remedy = "leave out --source, or it" if spec and spec.kind == "photos" else "leave it out"
        raise UserError(f"{told} has no effect on these pictures of {name}; {remedy}")
    if sorting.attribute is not None and name != "faces":
        raise UserError(f"{name} has no attribute to choose; --attribute is for faces")
    if sorting.domains is not None and source is None:
        raise UserError(
            f"{name} has domains of its own; --domains is for folders of classes (--source)"
        )


def sort_out(
    spec: TaskSpec, local: dict[str, Path], sorting: Sorting, data_dir: Path, progress: bool
) -> Domains:
    """The domains of a task out of data sets, local copies or downloads."""
    # Imported late: torchvision's data sets take a second, and the other tasks need none.
    from reproduce.tasks.photos import Originals, described, photo_domains

    originals = Originals(local, data_dir / "downloads", sorting.attribute, progress)
    with only_process(originals.downloads):
        a, b = photo_domains(spec.domains, originals)
    mark = f"-{mark_of(a, b)}" if local or sorting != AS_NAMED else ""
    folder = data_dir / f"{spec.name}{mark}"
    return _open_made(a, b, spec.name, folder, described(spec.domains), progress)


def _open_made(
    a: Domain, b: Domain, name: str, folder: Path, made: dict[str, Any], progress: bool
) -> Domains:
    """Two domains as the flat ``folder``."""
    with only_process(folder):
        if not folder.exists():
            write_flat(folder, a, b, {"task": name, **made}, progress)
    return open_folder(folder, name)


def sort_classes(
    source: Path, name: str, spec: TaskSpec | None, sorting: Sorting, data_dir: Path, progress: bool
) -> Domains:
    """The domains of a task, or of nobody's in particular, out of a folder of classes."""
    known = spec.domains if spec else None
    names = sorting.domains or known or two_domains(source, domain_names(source))
    if names[0] == names[1]:
        raise UserError(f"--domains {names[0]} {names[1]}: choose two different ones")
    # Classes are fixed where the task's own domains are asked for.
    own = spec is not None and names == spec.domains
    fixed = spec.modes if spec is not None and own and spec.modes else ((), ())
    fewest = spec.fewest_modes if spec else 1 + is_class_folder(source)
    a, b = (
        read_domain(source, domain, classes=classes, fewest=fewest)
        for domain, classes in zip(names, fixed, strict=True)
    )
    folder = data_dir / f"{name}-{mark_of(a, b)}"
    return _open_made(a, b, name, folder, {"from": "a folder of classes"}, progress)
