"""The animals by domain and mode, and a function that draws one from random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.errors import UserError
from reproduce.tasks.animals import big_cats, dogs, house_cats
from reproduce.tasks.animals.brush import Look
from reproduce.tasks.animals.pose import Pose, draw_pose
from reproduce.tasks.animals.style import Style, draw_style
from reproduce.tasks.drawn.content import Factors

# Increase whenever a picture changes: results identify the pictures that they were measured on.
GENERATOR_VERSION = 1
SPLITS = ("trainA", "trainB", "testA", "testB")


@dataclass(frozen=True)
class Domain:
    """A domain's title and modes."""

    title: str
    modes: tuple[str, ...]


_LOOKS: dict[str, dict[str, Callable[[Style], Look]]] = {
    "house-cats": {
        "siamese": house_cats.siamese,
        "tabby": house_cats.tabby,
        "black": house_cats.black,
        "orange": house_cats.orange,
    },
    "big-cats": {
        "lion": big_cats.lion,
        "tiger": big_cats.tiger,
        "leopard": big_cats.leopard,
        "panther": big_cats.panther,
    },
    "dogs": {
        "husky": dogs.husky,
        "dalmatian": dogs.dalmatian,
        "shiba": dogs.shiba,
        "labrador": dogs.labrador,
    },
}
DOMAINS = {name: Domain(name.replace("-", " "), tuple(looks)) for name, looks in _LOOKS.items()}


@dataclass(frozen=True)
class Animal:
    """A head: its pose is the content, its style is what varies within a mode."""

    domain: str
    mode: str
    pose: Pose
    style: Style

    @property
    def factors(self) -> Factors:
        """All factors except domain and mode, as a flat dict."""
        return self.pose.as_dict() | self.style.as_dict()


def check_mode(domain: str, mode: str) -> None:
    """Raise UserError for an unknown domain or mode."""
    modes = modes_of(domain)
    if mode not in modes:
        raise UserError(f"{domain} {mode!r} are not drawn: choose from {', '.join(modes)}")


def modes_of(domain: str) -> tuple[str, ...]:
    """Return the modes of a domain; UserError for an unknown domain."""
    if domain not in DOMAINS:
        raise UserError(f"domain {domain!r} is not drawn: choose from {', '.join(DOMAINS)}")
    return DOMAINS[domain].modes


def draw_animal(domain: str, mode: str, seed: int, split: str, index: int) -> Animal:
    """Draw picture ``index`` of a split ("trainA", "trainB", "testA" or "testB").

    Pose and style use separate random streams that do not depend on the mode: with all else equal,
    two modes have the same pose.
    """
    check_mode(domain, mode)
    address = [GENERATOR_VERSION, seed, SPLITS.index(split), index]
    pose = draw_pose(np.random.default_rng([*address, 0]))
    return Animal(domain, mode, pose, draw_style(np.random.default_rng([*address, 1])))


def look_of(animal: Animal) -> Look:
    """Return the animal's anatomy, coat and marks."""
    return _LOOKS[animal.domain][animal.mode](animal.style)
