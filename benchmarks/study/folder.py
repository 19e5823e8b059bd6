"""A study's folder: its files and settings.

    study.json      texts for raters (edit them before serving) and the design (do not)
    study.sqlite    questions, their assignment, votes; the key from questions to methods
    pictures/       PNGs under random names
    secret          random bytes behind session tokens and completion codes (mode 0600)

Only the pictures and the texts are ever served.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmarks.study.store import connect
from models.errors import UserError

DATABASE, SETTINGS, PICTURES, SECRET = "study.sqlite", "study.json", "pictures", "secret"

Line = Annotated[str, StringConstraints(max_length=2000)]
Web = Annotated[str, StringConstraints(pattern=r"^https://[^\s\"'<>]{1,1000}$")]


class Design(BaseModel):
    """The design, fixed before the first vote; a copy in the database detects changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    methods: tuple[str, ...]
    reference: str
    inputs: int
    questions: int
    raters: int
    per_rater: int = Field(ge=1)
    catch: float = Field(ge=0, le=1)
    catch_right: Literal["real picture", "translation"] = "translation"
    exclude_below: float = Field(ge=0, le=1)
    size: tuple[int, int]
    seed: int

    @property
    def catches_per_session(self) -> int:
        """Catch trials in a full session; at least one if ``catch`` is above 0."""
        return max(1, round(self.catch * self.per_rater)) if self.catch else 0

    @property
    def real_per_session(self) -> int:
        return self.per_rater - self.catches_per_session

    @property
    def guess_passes(self) -> float:
        """The probability that a rater who guesses in a full session is not excluded."""
        n = self.catches_per_session
        least = math.ceil(self.exclude_below * n - 1e-9)
        return sum(math.comb(n, right) for right in range(least, n + 1)) / 2**n

    @property
    def rule(self) -> str:
        """The exclusion rule as text."""
        if not self.catch:
            return "nobody is excluded: there are no catch trials"
        return (
            f"raters with under {self.exclude_below:.0%} of their catch trials right are "
            "excluded, and raters who answered none"
        )


class Settings(BaseModel):
    """The contents of ``study.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Line = "Which picture is the better translation?"
    instructions: tuple[Line, ...] = (
        "You will see a picture, the input, and below it two translations of it: pictures that "
        "computer programs made from the input.",
        "Choose the translation that is the more accurate one. If you find them equally "
        "accurate, choose the one that you lean to.",
        "There is no time limit. A few questions have a known answer; they show us that "
        "people looked at the pictures.",
    )
    consent: tuple[Line, ...] = (
        "Taking part is voluntary. You may stop at any time by closing this page, and go on "
        "later by opening the same link.",
        "We store your choices, when you made them, and the participant id in your link. "
        "We set no cookies and load nothing from other sites.",
    )
    contact: Line = ""
    completion_url: Web | None = None
    design: Design


class Study:
    """An opened study folder; raises UserError if it is not a study or its design was changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / DATABASE).is_file():
            raise UserError(
                f"{path} holds no study ({DATABASE} is missing): make one with 'study prepare'"
            )
        self.settings = _read_settings(path / SETTINGS)
        self.design = self.settings.design
        self.secret = read_bytes(path / SECRET)
        try:
            with self.connect() as connection:
                meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            self.name, kept = meta["name"], Design.model_validate_json(meta["design"])
        except (sqlite3.DatabaseError, KeyError, ValidationError) as error:
            raise UserError(
                f"{self.database} is no study database ({error}): restore it, or prepare anew"
            ) from None
        for key, value in kept:
            if getattr(self.design, key) != value:
                raise UserError(
                    f"{path / SETTINGS} says {key} = {getattr(self.design, key)!r}, but the study "
                    f"was prepared with {value!r}: the design is fixed before the first vote, put "
                    "it back"
                )

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def connect(self) -> closing[sqlite3.Connection]:
        """Return a context manager with a new connection to the database."""
        return closing(connect(self.database))

    def keyed(self, *words: str) -> bytes:
        """Return 32 bytes for ``words`` that only the owner of the secret can compute."""
        return hmac.digest(self.secret, "\0".join(words).encode(), hashlib.sha256)

    def overview_token(self) -> str:
        return self.keyed("overview").hex()

    def session_token(self, session: int) -> str:
        """Return the token that a rater's page sends with every request."""
        return self.keyed("session", str(session)).hex()

    def code(self, platform: str, name: str, visit: str) -> str:
        """Return the completion code of a session: 50 bits, without look-alike letters."""
        number = int.from_bytes(self.keyed("code", platform, name, visit)[:8], "big")
        letters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
        digits = "".join(letters[(number >> 5 * k) % 32] for k in range(10))
        return f"{digits[:5]}-{digits[5:]}"


def counted(seed: int, *address: str | int) -> np.random.Generator:
    """Return a new generator for ``address``; distinct addresses give unrelated draws."""
    text = "/".join(map(repr, (seed, *address)))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def hashed(token: str) -> str:
    """Return the stored form of a session token, with which nobody can vote for others."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_id() -> str:
    """Return a public id of 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def _read_settings(path: Path) -> Settings:
    try:
        return Settings.model_validate_json(read_bytes(path))
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: {where}: {first['msg']}; mend it") from None


def read_bytes(path: Path) -> bytes:
    """Read a file of the study; raises UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}): restore it, or prepare the study anew"
        ) from None
