"""Drawn animals: what pose, style and mode may and may not change in a picture."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from models.errors import UserError
from reproduce.tasks.animals.animal import DOMAINS, GENERATOR_VERSION, Animal, draw_animal
from reproduce.tasks.animals.canvas import cover
from reproduce.tasks.animals.render import render_animal
from reproduce.tasks.drawn.curves import box, ellipse

SIZE = 32
KINDS = [(domain, mode) for domain, kind in DOMAINS.items() for mode in kind.modes]

ONE_OF_EACH = pytest.mark.parametrize(
    ("domain", "mode"), [("house-cats", "black"), ("big-cats", "tiger"), ("dogs", "husky")]
)

# (version, domain) -> sha256 of pictures of all its modes; a changed drawing needs a new version,
# and then a new line here.
PICTURES = {
    (1, "house-cats"): "130c2940308846f76b44c9151b150b973d1692cafb0d4f3ddb051b13f25b7b83",
    (1, "big-cats"): "e93eb0c8def1143e8504999a61b9fbf9c4f1bb85897c9b0e27dbda8beb059ab8",
    (1, "dogs"): "97eee8ff2d88c9af63ceb7049f3c5e05cc7f76013534ce5264e5a2f525c4bc9d",
}


def posed(domain: str, mode: str, index: int = 0, **pose: float | str) -> Animal:
    """An animal in the middle of its picture on a plain ground, but for ``pose``."""
    animal = draw_animal(domain, mode, 7, "trainA", index)
    still: dict[str, float | str] = {"yaw": 0.0, "tilt": 0.0, "x": 0.0, "y": 0.0, "scale": 1.0}
    still |= {"gaze_x": 0.0, "gaze_y": 0.0, "openness": 0.9, "expression": "closed"}
    return replace(animal, pose=replace(animal.pose, **still | {"backdrop": "plain"} | pose))


def changed(one: Animal, other: Animal, size: int = 64) -> np.ndarray:
    """Where two pictures differ, (size, size): the largest difference of a channel."""
    a, b = (render_animal(animal, size).astype(int) for animal in (one, other))
    return np.abs(a - b).max(axis=2)


def silhouette(animal: Animal, size: int = 64) -> np.ndarray:
    """(size, size) bools: what does not change with the backdrop."""
    other = replace(animal, pose=replace(animal.pose, backdrop_hue=animal.pose.backdrop_hue + 0.5))
    return changed(animal, other, size) == 0


def digest(domain: str, size: int, count: int) -> str:
    sha = hashlib.sha256()
    for mode in DOMAINS[domain].modes:
        for index in range(count):
            sha.update(render_animal(draw_animal(domain, mode, 0, "trainB", index), size).tobytes())
    return sha.hexdigest()


# --- painting, against closed forms -----------------------------------------------------------


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


# --- content: the same in all domains ---------------------------------------------------------


def test_pose_and_style_know_nothing_of_domain_and_mode() -> None:
    for index in range(5):
        animals = [draw_animal(domain, mode, 1, "testA", index) for domain, mode in KINDS]
        assert len({animal.pose for animal in animals}) == 1
        assert len({animal.style for animal in animals}) == 1
    factors = [draw_animal("dogs", "husky", 1, "testA", i).factors for i in range(300)]
    middle = {"scale": 1.0, "openness": 0.725, "backdrop_lightness": 0.78, "marking": 0.5}
    for name in ("yaw", "tilt", "x", "y", "gaze_x", "gaze_y", "hue", *middle):
        values = np.array([row[name] for row in factors], dtype=float)
        assert abs(values.mean() - middle.get(name, 0.0)) < 0.25 * np.ptp(values) / 2
    for name in ("expression", "backdrop"):
        assert len({row[name] for row in factors}) == 3
    correlation = np.corrcoef([[row["yaw"], row["hue"]] for row in factors], rowvar=False)[0, 1]
    assert abs(correlation) < 0.2


@ONE_OF_EACH
def test_pose_means_the_same_in_every_mode(domain: str, mode: str) -> None:
    def eyes(**pose: float) -> np.ndarray:
        shut = posed(domain, mode, **pose, openness=0.45)
        seen = changed(posed(domain, mode, **pose), shut).astype(float)
        return seen / seen.sum()

    place = np.arange(64) - 31.5
    left, right = (eyes(yaw=yaw).sum(axis=0) @ place for yaw in (-30.0, 30.0))
    assert -12 < left < -2 and 2 < right < 12
    leaning = eyes(tilt=14.0)
    row = [half.sum(axis=1) @ place / half.sum() for half in np.split(leaning, 2, axis=1)]
    assert 2 < row[1] - row[0] < 8  # the right eye the lower
    still = posed(domain, mode)
    gaze, mouth = (
        np.flatnonzero(changed(still, other).max(axis=1) > 20)
        for other in (posed(domain, mode, gaze_x=1.0), posed(domain, mode, expression="open"))
    )
    assert gaze[0] > 20 and gaze[-1] < 40  # between the eyes' upper and lower lids
    assert gaze[-1] < mouth[0] and mouth[-1] < 63
    assert changed(still, posed(domain, mode, expression="smile")).max() > 40
    apart = [np.flatnonzero(silhouette(posed(domain, mode, **at)).any(axis=0)) for at in AT]
    assert apart[0][0] < apart[1][0] - 3  # moved to the right
    assert len(apart[2]) > len(apart[3]) + 3 or len(apart[2]) == 64  # larger


AT: list[dict[str, float]] = [{"x": -0.05}, {"x": 0.05}, {"scale": 1.1}, {"scale": 0.9}]


# --- style and mode ---------------------------------------------------------------------------


def features(domain: str, mode: str, split: str, count: int) -> np.ndarray:
    """Colours of an 8 x 8 thumbnail and a histogram of hues and values: (count, ...)."""
    rows = []
    for index in range(count):
        picture = render_animal(draw_animal(domain, mode, 5, split, index), SIZE) / 255
        inner = picture[4:30, 4:28].reshape(-1, 3)
        opponent = inner @ np.array([[1, 1, 1], [1, -1, 0], [0.5, 0.5, -1]]).T / (3, 2, 2)
        opponent += (0, 0.5, 0.5)
        bins = (np.clip(opponent, 0, 0.999) * (6, 12, 12)).astype(int)
        histogram = np.bincount(bins @ (144, 12, 1), minlength=864) / len(inner)
        thumbnail = picture.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3)).ravel()
        rows.append(np.concatenate([np.sqrt(histogram), thumbnail, [1.0]]))
    return np.array(rows)


def accuracy(kinds: list[tuple[str, str]], train: int = 24, test: int = 8) -> float:
    """Of a ridge regression on the features of ``kinds``, on pictures that it has not seen."""
    x, z = (
        np.concatenate([features(*kind, split, n) for kind in kinds])
        for split, n in (("trainA", train), ("testA", test))
    )
    y = np.repeat(np.eye(len(kinds)), train, axis=0)
    weights = x.T @ np.linalg.solve(x @ x.T + 0.1 * np.eye(len(x)), y)
    return float(((z @ weights).argmax(axis=1) == np.repeat(range(len(kinds)), test)).mean())


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_linear_rule_tells_the_modes_of_a_domain(domain: str) -> None:
    assert accuracy([(domain, mode) for mode in DOMAINS[domain].modes]) >= 0.95


def test_domains_differ_in_more_than_coat() -> None:
    assert accuracy([("house-cats", "black"), ("big-cats", "panther")]) >= 0.95
    mean = {}
    for domain, kind in DOMAINS.items():
        shapes = [silhouette(posed(domain, m, i), SIZE) for m in kind.modes for i in range(3)]
        mean[domain] = np.mean(shapes, axis=0)
    for one, other in (("house-cats", "big-cats"), ("house-cats", "dogs"), ("big-cats", "dogs")):
        a, b = mean[one], mean[other]
        assert np.minimum(a, b).sum() / np.maximum(a, b).sum() < 0.9


@ONE_OF_EACH
def test_style_changes_the_coat_and_not_the_pose(domain: str, mode: str) -> None:
    still = posed(domain, mode)
    others = [replace(still, style=posed(domain, mode, i).style) for i in range(1, 6)]
    assert len({render_animal(animal, SIZE).tobytes() for animal in (still, *others)}) == 6
    shape = silhouette(still)
    for other in others:
        both = silhouette(other)
        assert (shape & both).sum() / (shape | both).sum() > 0.9


@pytest.mark.parametrize("domain", DOMAINS)
def test_pictures_change_only_with_their_version(domain: str) -> None:
    assert digest(domain, SIZE, 25) == PICTURES[GENERATOR_VERSION, domain]


def test_wrong_domain_and_mode_are_refused() -> None:
    with pytest.raises(UserError, match="house-cats, big-cats, dogs"):
        draw_animal("birds", "husky", 0, "trainA", 0)
    with pytest.raises(UserError, match="husky, dalmatian, shiba, labrador"):
        draw_animal("dogs", "tiger", 0, "trainA", 0)
