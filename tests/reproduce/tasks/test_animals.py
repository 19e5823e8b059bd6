"""Drawn animals: what pose, style and mode may and may not change in a picture."""

import hashlib
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from reproduce.tasks.animals.animal import DOMAINS, GENERATOR_VERSION, Animal, draw_animal
from reproduce.tasks.animals.canvas import cover
from reproduce.tasks.animals.render import render_animal
from reproduce.tasks.drawn.curves import box, ellipse

SIZE = 32
KINDS = [(domain, mode) for domain, kind in DOMAINS.items() for mode in kind.modes]


# (version, domain) -> sha256 of pictures of all its modes; a changed drawing needs a new version.
PICTURES = {
    (1, "house-cats"): "130c2940308846f76b44c9151b150b973d1692cafb0d4f3ddb051b13f25b7b83",
    (1, "big-cats"): "e93eb0c8def1143e8504999a61b9fbf9c4f1bb85897c9b0e27dbda8beb059ab8",
    (1, "dogs"): "97eee8ff2d88c9af63ceb7049f3c5e05cc7f76013534ce5264e5a2f525c4bc9d",
}


def area(points: np.ndarray, n: int = 64) -> float:
    return float(cover(points, n)[2].sum()) / n**2


def test_coverage_is_the_polygons_area() -> None:
    rectangle = box(0.1 + 0.3 / 64, 0.25, 0.6 + 0.8 / 64, 0.75)
    assert area(rectangle) == pytest.approx((0.5 + 0.5 / 64) * 0.5, abs=1e-12 + 1 / 64 / 256)
    disc = ellipse(0.5, 0.5, 0.3, 0.2)
    assert area(disc) == pytest.approx(12 * np.sin(np.pi / 12) * 0.06, rel=2e-3)
    assert area(disc[::-1]) == area(disc)
    right, up = np.array([1.0, 0.0]), np.array([0.0, -1.0])
    assert area(disc + right / 2) == pytest.approx(area(disc) / 2, rel=2e-3)  # half off the rim
    assert area(disc + 2 * right) == area(disc + 2 * up) == 0.0


def test_pose_and_style_know_nothing_of_domain_and_mode() -> None:
    for index in range(5):
        animals = [draw_animal(domain, mode, 1, "testA", index) for domain, mode in KINDS]
        assert len({animal.pose for animal in animals}) == 1
        assert len({animal.style for animal in animals}) == 1


def silhouette(animal: Animal) -> np.ndarray:
    """(64, 64) bools: what does not change with the backdrop."""
    other = replace(animal.pose, backdrop_hue=animal.pose.backdrop_hue + 0.5)
    one, two = (render_animal(a, 64) for a in (animal, replace(animal, pose=other)))
    return (one == two).all(axis=2)


@pytest.mark.parametrize(
    ("domain", "mode"), [("house-cats", "black"), ("big-cats", "tiger"), ("dogs", "husky")]
)
def test_style_changes_the_coat_and_not_the_pose(domain: str, mode: str) -> None:
    drawn = [draw_animal(domain, mode, 7, "trainA", i) for i in range(6)]
    pose = replace(drawn[0].pose, backdrop="plain")
    animals = [replace(animal, pose=pose) for animal in drawn]
    assert len({render_animal(animal, SIZE).tobytes() for animal in animals}) == 6
    first, *others = map(silhouette, animals)
    assert all((first & other).sum() / (first | other).sum() > 0.9 for other in others)


@pytest.mark.parametrize("domain", DOMAINS)
def test_pictures_change_only_with_their_version(domain: str) -> None:
    sha = hashlib.sha256()
    for mode, index in product(DOMAINS[domain].modes, range(25)):
        sha.update(render_animal(draw_animal(domain, mode, 0, "trainB", index), SIZE).tobytes())
    assert sha.hexdigest() == PICTURES[GENERATOR_VERSION, domain]
