"""Tasks made of the user's pictures: a folder, and a name that is unique to its pictures."""

from __future__ import annotations

import re
from pathlib import Path

from models.errors import UserError
from models.method import DIRECTIONS
from models.zoo import METHODS
from reproduce.records.query import read_all
from reproduce.tasks.modes import open_modes, truth_folder
from reproduce.tasks.registry import is_own, open_task
from reproduce.tasks.sources import Domains, Subset
from reproduce.tasks.specs import OWN_DIGITS, TaskSpec, own_spec

LONGEST = 40  # characters of a folder's name that are kept in file names


def own_task(word: str, data_dir: Path, *, progress: bool = True) -> tuple[TaskSpec, Path]:
    """Return the own task at the path ``word`` or with the name ``word``, and its folder.

    The name consists of the folder's name and a digest of the pictures, as ``bags-1f0a39c2``: it
    stays the same when the folder moves and changes with any picture. Pictures sorted by class are
    first written to a flat folder in ``data_dir``. Raises UserError for pictures that cannot be
    opened or no longer match the name, and for a folder without test pictures.
    """
    domains = open_task(word, data_dir=data_dir, size=0, progress=progress)
    if isinstance(domains.test_a, Subset):
        raise UserError(f"{domains.folder} has no test pictures to measure on: add testA and testB")
    name = domains.name
    if Path(word).exists():
        name = re.sub(r"[^\w.-]+", "-", name)[:LONGEST].strip("-.") or "pictures"
        name += f"-{_digest(domains, progress)}"
    else:
        check_own(domains, progress=progress)
    titles: list[str] = []
    if truth_folder(domains.folder).is_dir():
        modes = open_modes(domains.folder)
        if all(len(names) > 1 for names in modes.names.values()):
            titles = [title for _, title in sorted(modes.titles.items())]
    spec = own_spec(name, domains.pairs is not None, titles)
    return spec, domains.folder.resolve()


def check_own(domains: Domains, *, progress: bool = True) -> None:
    """Raise UserError if an own task's ``domains``, opened by its name, hold other pictures."""
    if is_own(domains.name) and not domains.name.endswith(_digest(domains, progress)):
        raise UserError(
            f"the pictures in {domains.folder} are not those of {domains.name}: restore them, or "
            f"use the present ones as a new task (--task {domains.folder})"
        )


def own_on_record(name: str, results: Path) -> TaskSpec | None:
    """Rebuild an own task from the records under ``results``; None if it has none."""
    told = [record for record in read_all(results) if record["task"] == name]
    titles = {
        record["translation"]: record["protocol"]["domain"]
        for record in told if record.get("translation") in DIRECTIONS and "domain" in record["protocol"]
    }  # fmt: skip
    paired = {name for name, of in METHODS.items() if of.method.paired}
    domains = [titles["b2a"], titles["a2b"]] if len(titles) == len(DIRECTIONS) else []
    return own_spec(name, any(r["method"] in paired for r in told), domains) if told else None


def _digest(domains: Domains, progress: bool) -> str:
    return domains.fingerprint(progress=progress)[:OWN_DIGITS]
