"""The hidden modes of a task, stored beside its folder of pictures and never in it.

A task whose domains have modes (breeds, species, kinds of vehicles) is a flat folder like all
others: trainA, trainB, testA, testB with numbered files. The modes of the pictures are only in the
sibling ``<folder>.truth``, which measuring reads and training never does::

    <folder>.truth/truth.csv    folder (trainA, ...), file, mode, and further factors
    <folder>.truth/truth.json   {"domains": {"a": {"title", "modes"}, "b": ...}, "made": ...}
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError

PARTS = ("trainA", "trainB", "testA", "testB")
DOMAIN_OF = {"trainA": "a", "trainB": "b", "testA": "a", "testB": "b"}
COLUMNS = ("folder", "file", "mode")

Row = Mapping[str, str]


@dataclass(frozen=True)
class Modes:
    """The modes and factors of the pictures in ``folder``.

    ``titles`` and ``names`` (of the modes, in order) are by domain, "a" or "b"; ``rows`` hold a
    picture's mode and factors by (part, id), where part is trainA, trainB, testA or testB.
    """

    folder: Path
    titles: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]
    rows: Mapping[tuple[str, str], Row]

    def labels(self, part: str, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the modes (N,) of pictures, as indices into their domain's ``names``."""
        index = {name: i for i, name in enumerate(self.names[DOMAIN_OF[part]])}
        return np.array([index[self._row(part, name)["mode"]] for name in ids], dtype=np.int64)

    def factors(self, part: str, name: str) -> Row:
        """Return the factors of the picture with the id ``name``, without its mode."""
        return {k: v for k, v in self._row(part, name).items() if k not in COLUMNS}

    def _row(self, part: str, name: str) -> Row:
        try:
            return self.rows[part, name]
        except KeyError:
            raise UserError(
                f"{truth_folder(self.folder) / 'truth.csv'} says nothing of {part}/{name}; "
                f"{_again(self.folder)}"
            ) from None


def truth_folder(folder: Path) -> Path:
    """Return the folder that holds the modes of the pictures in ``folder``."""
    folder = Path(os.path.abspath(folder))  # a path may end in "..", which is not a name
    return folder.with_name(folder.name + ".truth")


def open_modes(folder: Path) -> Modes:
    """Read the modes of the pictures in ``folder``; UserError if they are missing or invalid."""
    folder = Path(folder)
    truth = truth_folder(folder)
    if not truth.is_dir():
        raise UserError(
            f"{folder} does not tell the modes of its pictures ({truth} is missing); if it was made "
            "by python -m reproduce data, remove it and make it again, else sort pictures by class "
            "and give them to that command"
        )
    titles, names = _read_domains(truth / "truth.json", folder)
    return Modes(folder, titles, names, _read_rows(truth / "truth.csv", folder, names))


def write_truth(
    folder: Path,
    *,
    titles: Mapping[str, str],
    names: Mapping[str, Sequence[str]],
    rows: Iterable[Mapping[str, object]],
    made: Mapping[str, Any],
) -> Path:
    """Write the modes of pictures that ``folder`` will hold; return the truth folder.

    Call it before the folder of pictures gets its final name, so that complete pictures always
    have their truth; UserError if ``folder`` exists. ``titles`` and ``names`` (of modes) are by
    domain, "a" and "b"; ``rows`` have ``folder``, ``file``, ``mode`` and any factors; ``made``
    describes how the pictures were made (any JSON value).
    """
    truth = truth_folder(folder)
    if folder.exists():
        raise UserError(f"{folder} exists already; remove it to make it again")
    table = [{key: str(value) for key, value in row.items()} for row in rows]
    domains = {d: {"title": titles[d], "modes": list(names[d])} for d in ("a", "b")}
    for row in table:
        if row["mode"] not in names[DOMAIN_OF[row["folder"]]]:
            raise ValueError(f"{row['mode']!r} is no mode of {row['folder']}")
    unfinished = truth.with_name(f".{truth.name}.{secrets.token_hex(4)}.tmp")
    try:
        unfinished.mkdir(parents=True)
        text = json.dumps({"domains": domains, "made": dict(made)}, indent=1, sort_keys=True)
        (unfinished / "truth.json").write_text(text + "\n", encoding="utf-8")
        columns = list(dict.fromkeys([*COLUMNS, *(key for row in table for key in row)]))
        with (unfinished / "truth.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
        # Left by a process that was interrupted before the pictures got their name.
        shutil.rmtree(truth, ignore_errors=True)
        os.replace(unfinished, truth)
    except OSError as error:
        raise UserError(
            f"cannot write {truth} ({error.strerror or error}); make room, or choose another folder"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return truth


def _again(folder: Path) -> str:
    return f"remove {folder} and {truth_folder(folder)}, and make the task again"


def _read_domains(path: Path, folder: Path) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    try:
        domains = json.loads(path.read_text(encoding="utf-8"))["domains"]
        titles = {d: domains[d]["title"] for d in ("a", "b")}
        names = {d: tuple(domains[d]["modes"]) for d in ("a", "b")}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} does not say which modes there are; {_again(folder)}") from error
    for domain, modes in names.items():
        strings = all(isinstance(word, str) for word in (titles[domain], *modes))
        if not modes or not strings or len(set(modes)) < len(modes):
            raise UserError(f"{path}: the modes of {domain} are no names; {_again(folder)}")
    return titles, names


def _read_rows(
    path: Path, folder: Path, names: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], Row]:
    rows: dict[tuple[str, str], Row] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line, row in enumerate(csv.DictReader(file, strict=True), start=2):
                part, mode = row["folder"], row["mode"]
                if None in row or part not in PARTS or mode not in names[DOMAIN_OF[part]]:
                    raise UserError(
                        f"{path} line {line}: {mode!r} is no mode of {part!r}; {_again(folder)}"
                    )
                name = str(PurePosixPath(row["file"]).with_suffix(""))
                if (part, name) in rows:
                    raise UserError(f"{path} line {line}: {part}/{name} again; {_again(folder)}")
                rows[part, name] = row
    except UserError:
        raise
    except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is no table of modes ({error}); {_again(folder)}") from error
    return rows
