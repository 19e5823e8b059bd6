"""What is known of why a claim fails or stays undecided: written by hand, kept by claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from models.errors import UserError
from models.zoo import nearest
from reproduce.claims.statements import Claim

FILE = "causes.yaml"  # beside the records


def load_causes(path: Path, claims: Sequence[Claim]) -> dict[str, str]:
    """Texts by claim id. The file maps ids, or ids without their task for all tasks, to texts;
    the full id counts more. No file is no texts. A key that names no claim is refused."""
    if not path.is_file():
        return {}
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise UserError(f"{path} is no YAML ({words}): write 'claim id: text' lines") from None
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
