"""Open the two picture domains of a task, given its name, a folder or an archive."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from benchmarks.files import write_text
from models.errors import UserError
from models.zoo import nearest
from reproduce.tasks.archives import extract_tar
from reproduce.tasks.class_folders import is_class_folder
from reproduce.tasks.download import fetch
from reproduce.tasks.layouts import open_folder, open_pictures
from reproduce.tasks.locks import only_process
from reproduce.tasks.modes import PARTS
from reproduce.tasks.sorting import AS_NAMED, Sorting, refuse_unread, sort_classes, sort_out
from reproduce.tasks.sources import Domains
from reproduce.tasks.specs import OWN_DIGITS
from reproduce.tasks.specs import TASKS as TASKS
from reproduce.tasks.specs import TaskSpec as TaskSpec

OUTSIDE_DIGESTS = "pictures are named by their fingerprint"
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")


def open_task(
    name_or_path: str,
    *,
    data_dir: Path,
    size: int,
    seed: int = 0,
    train: int = 4000,
    test: int = 200,
    source: Path | None = None,
    sorting: Sorting = AS_NAMED,
    progress: bool = True,
) -> Domains:
    """Draw, download or find the pictures of a task, and open them.

    ``name_or_path`` is a name in ``TASKS``, the path of a folder or ``.tar.gz`` archive, or the
    name of an own task. ``source`` is a local folder or archive with the named task's pictures; for
    published and own tasks it defaults to the one given to ``keep_source``, if any. Pictures sorted
    by class are written to a flat folder, with their modes hidden beside it. Drawing, downloading,
    unpacking and sorting happen once, in ``data_dir``, which several processes may share. ``size``
    (pixels), ``seed``, ``train`` and ``test`` (pictures per domain) only affect drawn tasks, and
    ``sorting`` only photographs.
    """
    spec, name = TASKS.get(name_or_path), name_or_path
    if spec is None and source is None and Path(name_or_path).exists():
        source = Path(name_or_path)
        name = _bare_name(source)
    elif spec is None and source is not None and Path(name_or_path).exists():
        raise UserError(
            f"{name_or_path} holds pictures of its own, and --source is for a task given by name: "
            "give one of the two folders as the task"
        )
    elif spec is None:
        source = (source or _kept_source(name, data_dir)) if is_own(name) else None
        if source is None:
            raise UserError(
                f"unknown task '{name}', and no folder or archive has that name: "
                f"{nearest(name, TASKS)}"
            )
    refuse_unread(name_or_path, spec, source, sorting)
    if source is not None:
        folder = _unpacked(source, name, data_dir, progress)
        return _open_local(folder, name, spec, sorting, data_dir, progress)
    assert spec is not None
    if spec.drawn:
        return _open_drawn(spec, data_dir, progress, size, seed, train, test)
    if spec.kind == "photos":
        return _open_photos(spec, sorting, data_dir, progress)
    return _open_published(spec, data_dir, progress)


def _open_photos(spec: TaskSpec, sorting: Sorting, data_dir: Path, progress: bool) -> Domains:
    if sorting == AS_NAMED:
        there = _kept_source(spec.name, data_dir) or data_dir / spec.name
        if there.exists():
            return _open_local(there, spec.name, spec, sorting, data_dir, progress)
    return sort_out(spec, sorting.local, sorting, data_dir, progress)


def drawn_folder(
    name: str, data_dir: Path, size: int, train: int, test: int, seed: int = 0
) -> Path | None:
    """Return the folder of a drawn task's pictures, existing or not; None for any other task."""
    if name not in TASKS or not TASKS[name].drawn:
        return None
    return data_dir / f"{name}-{size}px-seed{seed}-{train}x{test}"


def _open_drawn(
    spec: TaskSpec, data_dir: Path, progress: bool, size: int, seed: int, train: int, test: int
) -> Domains:
    folder = drawn_folder(spec.name, data_dir, size, train, test, seed)
    assert folder is not None
    numbers: dict[str, Any] = {"size": size, "seed": seed, "train": train, "test": test}
    # Imported late: other tasks do not need the drawing code.
    with only_process(folder):
        if spec.kind == "drawn":
            from reproduce.tasks.drawn.dataset import write_drawn

            write_drawn(spec.subject, folder, progress=progress, **numbers)
        else:
            _draw_animals(spec, folder, numbers, progress)
    return open_folder(folder, spec.name)


def _draw_animals(spec: TaskSpec, folder: Path, numbers: dict[str, Any], progress: bool) -> None:
    from reproduce.tasks.animals.animal import GENERATOR_VERSION
    from reproduce.tasks.animals.dataset import write_animals
    from reproduce.tasks.drawn.drawing import check_pictures

    if not folder.exists():
        some = spec.modes or ((), ())
        pairs = zip(spec.domains, some, strict=True)
        a, b = ((name, modes) if modes else name for name, modes in pairs)
        write_animals(a, b, folder, progress=progress, **numbers)
        return
    # A full check would read the truth, which training must not see.
    try:
        made = json.loads((folder / "drawn.json").read_text(encoding="utf-8"))
        version = made["generator_version"]
    except (OSError, ValueError, LookupError, TypeError):
        version = "unknown"
    if version != GENERATOR_VERSION:
        raise UserError(
            f"{folder} was drawn by generator version {version}, this is version "
            f"{GENERATOR_VERSION}; remove it to have it drawn again"
        )
    for part in PARTS:
        check_pictures(folder / part, numbers[part[:-1]])


def at_hand(name: str, data_dir: Path) -> bool:
    """Return whether the task ``name`` needs no download: it is drawn, or its pictures are here."""
    drawn = name in TASKS and TASKS[name].drawn
    return drawn or _kept_source(name, data_dir) is not None or (data_dir / name).exists()


def is_own(name: str) -> bool:
    """Return whether ``name`` has the form of an own task's name (see ``own_task``)."""
    return name not in TASKS and bool(re.fullmatch(rf"[^/]+-[0-9a-f]{{{OWN_DIGITS}}}", name))


def keep_source(name: str, folder: Path, data_dir: Path) -> None:
    """Make ``open_task`` read the published or own task ``name`` from ``folder`` from now on. Drawn
    tasks are unaffected, since their names define their pictures."""
    spec = TASKS.get(name)
    if spec.drawn if spec else not is_own(name):
        return
    folder, root = folder.resolve(), data_dir.resolve()
    # A relative path stays valid when the data folder moves.
    kept = folder.relative_to(root) if folder.is_relative_to(root) else folder
    write_text(_keeper(name, data_dir), json.dumps(kept.as_posix()) + "\n")


def _keeper(name: str, data_dir: Path) -> Path:
    return data_dir / f"{name}.source"


def _kept_source(name: str, data_dir: Path) -> Path | None:
    keeper = _keeper(name, data_dir)
    if not keeper.exists():
        return None
    remedy = f"give them again (--task PATH or --source {name}=PATH)"
    if name in TASKS:
        remedy = (
            f"give them again (python -m reproduce data {name} --data {data_dir} --source PATH), or "
            f"delete {keeper} to have them downloaded"
        )
    try:
        kept = json.loads(keeper.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = None
    if not isinstance(kept, str) or "\0" in kept:
        raise UserError(f"{keeper} does not name the folder of the pictures of {name}; {remedy}")
    folder = data_dir / kept
    if not folder.is_dir():
        raise UserError(
            f"{folder}, the folder of {name} according to {keeper}, is missing; {remedy}"
        )
    return folder


def _open_published(spec: TaskSpec, data_dir: Path, progress: bool) -> Domains:
    kept = _kept_source(spec.name, data_dir)
    if kept is not None:
        return open_pictures(kept, spec.name)
    folder = data_dir / spec.name
    with only_process(folder):
        if not folder.exists():
            archive = fetch(spec.urls, data_dir / f"{spec.name}.tar.gz", progress=progress)
            extract_tar(archive, folder, progress=progress)
    return open_pictures(folder, spec.name)


def _unpacked(path: Path, name: str, data_dir: Path, progress: bool) -> Path:
    """Return ``path`` if it is a folder; unpack an archive, once, and return its folder."""
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder or a .tar.gz archive")
    if path.is_dir():
        return path
    if not path.name.endswith(ARCHIVE_SUFFIXES):
        raise UserError(f"{path} is neither a folder nor a .tar.gz archive; give one of these")
    # Named after the archive, so that a changed archive never opens an old folder.
    status = path.stat()
    origin = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    mark = hashlib.sha256(origin.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    folder = data_dir / f"{name}-{mark}"
    with only_process(folder):
        if not folder.exists():
            extract_tar(path, folder, progress=progress)
    return folder.resolve()  # class folders must not be reached through links


def _open_local(
    folder: Path, name: str, spec: TaskSpec | None, sorting: Sorting, data_dir: Path, progress: bool
) -> Domains:
    """Open the contents of ``folder``: a data set, pictures sorted by class, or two domains."""
    data_set = None
    if spec is not None and spec.kind == "photos":
        # Imported late: torchvision's data sets take a second to import.
        from reproduce.tasks.photos import recognise

        data_set = recognise(folder)
    if sorting.attribute is not None and data_set != "celeba":
        raise UserError(f"{folder} is not CelebA, so it has no attributes; leave out --attribute")
    if spec is not None and data_set is not None and sorting.domains is None:
        return sort_out(spec, {data_set: folder}, sorting, data_dir, progress)
    sortable = data_set is None and (spec is None or spec.kind == "photos")
    if sortable and is_class_folder(folder, classes=sorting.domains is None):
        return sort_classes(folder, name, spec, sorting, data_dir, progress)
    if sorting.domains is not None:
        raise UserError(f"{folder} has no domain folders to choose from; leave out --domains")
    return open_pictures(folder, name)


def _bare_name(path: Path) -> str:
    name = path.resolve().name
    for suffix in ARCHIVE_SUFFIXES:
        name = name.removesuffix(suffix)
    return name
