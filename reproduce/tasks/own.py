"""Tasks of one's own: a folder of pictures, and a name that no other pictures have."""

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

LONGEST = 40  # characters of a folder's name that go into names of files


def own_task(word: str, data_dir: Path, *, progress: bool = True) -> tuple[TaskSpec, Path]:
    """The task of the pictures at the path ``word``, or of those that had this name before, and
    their folder.

    It is called after the folder and by the pictures themselves, as ``bags-1f0a39c2``: wherever
    they lie it is the same task, and with one picture more it is another. What is sorted by class
    is first made a flat folder in ``data_dir``. UserError for pictures that cannot be opened, that
    are not those of the name any more, and where none are for testing.
    """
    domains = open_task(word, data_dir=data_dir, size=0, progress=progress)
    if isinstance(domains.test_a, Subset):
        raise UserError(f"{domains.folder}: what is trained is measured on test pictures: add testA "
                        "and testB")  # fmt: skip
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
    """UserError where ``domains``, opened by the name of an own task, are other pictures."""
    if is_own(domains.name) and not domains.name.endswith(_digest(domains, progress)):
        raise UserError(
            f"{domains.folder} holds other pictures than {domains.name} was made of: restore them, "
            f"or give what is there now as a task of its own (--task {domains.folder})"
        )


def own_on_record(name: str, results: Path) -> TaskSpec | None:
    """What the records under ``results`` tell of an own task, without its pictures; None for none."""
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
