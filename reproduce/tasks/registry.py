"""The tasks by name, and from a name, a folder or an archive to the pictures of two domains."""

from __future__ import annotations

import difflib
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.errors import UserError
from reproduce.files import write_text
from reproduce.tasks.archives import extract_tar
from reproduce.tasks.download import fetch
from reproduce.tasks.layouts import open_folder, open_pictures
from reproduce.tasks.sources import Domains

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class TaskSpec:
    """What is known of a task before any of its pictures are there.

    ``kind``: ``"drawn"`` is made on this machine, ``"pix2pix"`` is downloaded. ``directions``
    names the two translations. ``stands_for``: the task of the papers whose place it takes.
    ``subject``: what is drawn. ``urls``, ``sha256``, ``size`` (bytes): the published archive,
    its mirrors in the order of trial; a digest of None has not been published.
    """

    name: str
    title: str
    directions: dict[str, str]
    stands_for: str
    kind: Literal["drawn", "pix2pix"]
    subject: str = ""
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    size: int | None = None


def _edges_to(subject: str, kind: Literal["drawn", "pix2pix"]) -> TaskSpec:
    published = f"edges2{subject}"
    edges = "drawn edges" if kind == "drawn" else "edges"
    return TaskSpec(
        name=f"drawn-{subject}" if kind == "drawn" else published,
        title=f"{edges} -> {subject}",
        directions={"a2b": f"edges -> {subject}", "b2a": f"{subject} -> edges"},
        stands_for=published,
        kind=kind,
        subject=subject,
        urls=() if kind == "drawn" else _pix2pix_urls(published),
    )


def _pix2pix_urls(name: str) -> tuple[str, ...]:
    """Where the authors of pix2pix (arXiv 1611.07004) publish their data sets."""
    berkeley = "efrosgans.eecs.berkeley.edu/pix2pix/datasets"
    author = "people.eecs.berkeley.edu/~tinghuiz/projects/pix2pix/datasets"
    return tuple(
        f"{place}/{name}.tar.gz"
        for place in (f"https://{berkeley}", f"http://{berkeley}", f"https://{author}")
    )


TASKS: dict[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        _edges_to("shoes", "drawn"),
        _edges_to("handbags", "drawn"),
        _edges_to("shoes", "pix2pix"),
        _edges_to("handbags", "pix2pix"),
    )
}


def open_task(
    name_or_path: str,
    *,
    data_dir: Path,
    size: int,
    seed: int = 0,
    train: int = 4000,
    test: int = 200,
    source: Path | None = None,
    progress: bool = True,
) -> Domains:
    """The pictures of a task: drawn, downloaded or found, whichever the name calls for.

    ``name_or_path``: a name in ``TASKS``, or a folder or ``.tar.gz`` archive of one's own.
    ``source``: a local folder or archive with the pictures of the named task, instead of drawing
    or downloading them; of a published task, those that ``keep_source`` was given also do.
    ``data_dir`` receives what is drawn, downloaded and unpacked, once; it may be shared by
    processes that start together. ``size`` (pixels), ``seed``, ``train`` and ``test`` (pictures a
    domain) matter to drawn tasks only.
    """
    spec = TASKS.get(name_or_path)
    if spec is None and source is None and Path(name_or_path).exists():
        path = Path(name_or_path)
        return _open_local(path, _bare_name(path), data_dir, progress)
    if spec is None:
        raise _unknown(name_or_path)
    if source is not None:
        return _open_local(source, spec.name, data_dir, progress)
    if spec.kind == "drawn":
        return _open_drawn(spec, data_dir, progress, size, seed, train, test)
    return _open_published(spec, data_dir, progress)


def _open_drawn(
    spec: TaskSpec, data_dir: Path, progress: bool, size: int, seed: int, train: int, test: int
) -> Domains:
    # Imported late: the other tasks need nothing of what draws.
    from reproduce.tasks.drawn import write_drawn

    folder = data_dir / f"{spec.name}-{size}px-seed{seed}-{train}x{test}"
    with _only_process(folder):
        write_drawn(
            spec.subject, folder, size=size, seed=seed, train=train, test=test, progress=progress
        )
    return open_folder(folder, spec.name)


def keep_source(name: str, folder: Path, data_dir: Path) -> None:
    """Let ``open_task`` take the pictures of the published task ``name`` from ``folder`` from now
    on. A drawn task is not concerned: its name promises what is drawn."""
    spec = TASKS.get(name)
    if spec is None or spec.kind == "drawn":
        return
    folder, root = folder.resolve(), data_dir.resolve()
    # What lies in the data folder moves with it.
    kept = folder.relative_to(root) if folder.is_relative_to(root) else folder
    write_text(_keeper(name, data_dir), json.dumps(kept.as_posix()) + "\n")


def _keeper(name: str, data_dir: Path) -> Path:
    return data_dir / f"{name}.source"


def _kept_source(name: str, data_dir: Path) -> Path | None:
    keeper = _keeper(name, data_dir)
    if not keeper.exists():
        return None
    remedy = (
        f"give them again (python -m reproduce data {name} --data {data_dir} --source PATH), or "
        f"delete {keeper} to have them downloaded"
    )
    try:
        kept = json.loads(keeper.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = None
    if not isinstance(kept, str) or "\0" in kept:
        raise UserError(f"{keeper} does not say where the pictures of {name} are; {remedy}")
    folder = data_dir / kept
    if not folder.is_dir():
        raise UserError(
            f"{folder}, where {keeper} says the pictures of {name} are, is gone; {remedy}"
        )
    return folder


def _open_published(spec: TaskSpec, data_dir: Path, progress: bool) -> Domains:
    kept = _kept_source(spec.name, data_dir)
    if kept is not None:
        return open_pictures(kept, spec.name)
    folder = data_dir / spec.name
    with _only_process(folder):
        if not folder.exists():
            archive = fetch(
                list(spec.urls),
                data_dir / f"{spec.name}.tar.gz",
                sha256=spec.sha256,
                size=spec.size,
                progress=progress,
            )
            extract_tar(archive, folder, progress=progress)
    return open_pictures(folder, spec.name)


def _open_local(path: Path, name: str, data_dir: Path, progress: bool) -> Domains:
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder or a .tar.gz archive")
    if path.is_dir():
        return open_pictures(path, name)
    if not path.name.endswith(ARCHIVE_SUFFIXES):
        raise UserError(f"{path} is neither a folder nor a .tar.gz archive; give one of these")
    # Named by the archive it came from, so that another archive never opens an old folder.
    status = path.stat()
    origin = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    mark = hashlib.sha256(origin.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    folder = data_dir / f"{name}-{mark}"
    with _only_process(folder):
        if not folder.exists():
            extract_tar(path, folder, progress=progress)
    return open_pictures(folder, name)


def _bare_name(path: Path) -> str:
    name = path.resolve().name
    for suffix in ARCHIVE_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _unknown(name: str) -> UserError:
    near = difflib.get_close_matches(name, TASKS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return UserError(
        f"unknown task {name!r}, and no folder or archive of that name: {hint}"
        f"choose one of {', '.join(TASKS)}, or give a path"
    )


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Hold others back that would make the same ``folder``; released even when killed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        raise UserError(
            f"cannot write in {folder.parent} ({error.strerror}); choose another data folder"
        ) from error
    with lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
