"""Make a task's flat folder from sorted photographs: choose the domains and write them."""

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
    """Options for sorting photographs into two domains.

    ``domains``: the two to choose in a folder of domains. ``pets``, ``imagenet``: local copies of
    these data sets. ``attribute``: the CelebA attribute that the faces in domain b have.
    """

    domains: tuple[str, str] | None = None
    pets: Path | None = None
    imagenet: Path | None = None
    attribute: str | None = None

    @property
    def local(self) -> dict[str, Path]:
        """The given local copies by data set."""
        copies = {"pets": self.pets, "imagenet": self.imagenet}
        return {name: path for name, path in copies.items() if path is not None}


AS_NAMED = Sorting()


def refuse_unread(name: str, spec: TaskSpec | None, source: Path | None, sorting: Sorting) -> None:
    """Raise UserError for a sorting option that the task would ignore."""
    if sorting.local and (spec is None or spec.kind != "photos" or source is not None):
        told = " and ".join(f"--{kind}" for kind in sorting.local)
        remedy = f"leave out {told}" + (" or --source" if spec and spec.kind == "photos" else "")
        raise UserError(f"{told} has no effect on these pictures of {name}; {remedy}")
    if sorting.attribute is not None and name != "faces":
        raise UserError(f"{name} has no attributes; --attribute is for faces")
    if sorting.domains is not None and source is None:
        raise UserError(f"{name} has fixed domains; --domains is for class folders (--source)")


def sort_out(
    spec: TaskSpec, local: dict[str, Path], sorting: Sorting, data_dir: Path, progress: bool
) -> Domains:
    """Make and open the domains of a task from its data sets, local or downloaded."""
    # Imported late: torchvision's data sets take a second to import.
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
    """Write two domains to the flat ``folder``, unless it exists, and open it."""
    with only_process(folder):
        if not folder.exists():
            write_flat(folder, a, b, {"task": name, **made}, progress)
    return open_folder(folder, name)


def sort_classes(
    source: Path, name: str, spec: TaskSpec | None, sorting: Sorting, data_dir: Path, progress: bool
) -> Domains:
    """Make and open two domains from a class folder, for a task or (``spec`` None) for none."""
    known = spec.domains if spec else None
    names = sorting.domains or known or two_domains(source, domain_names(source))
    if names[0] == names[1]:
        raise UserError(f"--domains {names[0]} {names[1]}: choose two different domains")
    # The task's own domains have fixed classes.
    own = spec is not None and names == spec.domains
    fixed = spec.modes if spec is not None and own and spec.modes else ((), ())
    fewest = spec.fewest_modes if spec else 1 + is_class_folder(source)
    a, b = (
        read_domain(source, domain, classes=classes, fewest=fewest)
        for domain, classes in zip(names, fixed, strict=True)
    )
    folder = data_dir / f"{name}-{mark_of(a, b)}"
    return _open_made(a, b, name, folder, {"from": "a folder of classes"}, progress)
