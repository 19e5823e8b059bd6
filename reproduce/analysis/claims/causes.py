"""What is known of why a claim fails or stays undecided: written by hand, kept by claim.

A text names numbers that are on record, ``{metric method task}``, and is given them, rounded to two
digits after the point or as many as a fourth word says: ``{style-mmd munit drawn-shoes 3}``. Other
words in braces are words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models.errors import UserError
from models.zoo import METHODS, nearest
from reproduce.analysis.claims.statements import Claim
from reproduce.analysis.table import DASH
from reproduce.records.current import REAL
from reproduce.records.yaml_file import read_yaml
from reproduce.tasks.registry import TASKS

_NUMBER = re.compile(r"\{([a-z0-9-]+) +([a-z0-9-]+) +([a-z0-9-]+)(?: +([0-9]))?\}")
Values = Callable[[str, str, str], float | None]  # of metric, method, task: what is on record


def load_causes(path: Path, claims: Sequence[Claim]) -> dict[str, str]:
    """Texts by claim id. The file maps ids, or ids without their task for all tasks, to texts;
    the full id counts more. No file is no texts. A key that names no claim is refused."""
    if not path.is_file():
        return {}
    given = read_yaml(path, "write 'claim id: text' lines")
    texts = _checked(path, {} if given is None else given, claims)
    found = {claim.id: texts.get(claim.id, texts.get(stem(claim), "")) for claim in claims}
    return {name: text for name, text in found.items() if text}


def _checked(path: Path, given: object, claims: Sequence[Claim]) -> Mapping[str, str]:
    if not isinstance(given, dict):
        raise UserError(f"{path} holds a {type(given).__name__}: write 'claim id: text' lines")
    names = {claim.id for claim in claims} | {stem(claim) for claim in claims}
    for key, text in given.items():
        if key not in names:
            raise UserError(f"{path}: no claim '{key}': {nearest(str(key), names)}")
        if not isinstance(text, str):
            raise UserError(f"{path}: what {key} says is no text ({text!r}): put it in quotes")
    return {key: " ".join(text.split()) for key, text in given.items()}


def stem(claim: Claim) -> str:
    """A claim's id without its task: the same for all tasks."""
    kind, name, *_ = claim.id.split(".")
    return f"{kind}.{name}"


def with_numbers(causes: Mapping[str, str], values: Values, path: Path) -> dict[str, str]:
    """The texts with the numbers that they name; a dash for what is not on record. A name of
    no method or task raises UserError."""

    def number(found: re.Match[str]) -> str:
        metric, method, task, digits = found.groups()
        for word, kind, names in (
            (method, "method", (*METHODS, REAL)),
            (task, "task", tuple(TASKS)),
        ):
            if word not in names:
                raise UserError(f"{path}: {found[0]} names no {kind}: {nearest(word, names)}")
        value = values(metric, method, task)
        return DASH if value is None else f"{value:.{digits or 2}f}"

    return {name: _NUMBER.sub(number, text) for name, text in causes.items()}
