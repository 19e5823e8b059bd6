"""What drawn pictures know of themselves agrees with the pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.metrics.style_scores import body_colour
from benchmarks.networks.colours import colour_bins, oklab
from models.errors import UserError
from reproduce.tasks.drawn.dataset import draw, write_drawn
from reproduce.tasks.drawn.truth import Truth, truth_of
from reproduce.tasks.layouts import open_folder
from reproduce.tasks.pictures import Preparation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "shoes"
    write_drawn("shoes", path, size=64, seed=3, train=8, test=24, jobs=1)
    return path


@pytest.fixture(scope="module")
def truth(folder: Path) -> Truth:
    found = truth_of(open_folder(folder, "drawn-shoes"), 64)
    assert found is not None
    return found


def test_classes_are_those_that_were_drawn(truth):
    for split in ("trainB", "trainPairs", "test"):
        for i in (0, 7):
            content, style = draw("shoes", 3, split, i)
            found = truth.classes(split, f"{i:05d}")
            assert truth.heads["category"][found["category"]] == content.category
            assert truth.heads["pattern"][found["pattern"]] == style.pattern
            assert truth.heads["material"][found["material"]] == style.material
            assert found["colour"] == colour_bins(oklab(np.array(style.body) / 255))
    labels = truth.labels("test", ["00002", "00001"])
    assert labels["category"][1] == truth.classes("test", "00001")["category"]
    with pytest.raises(UserError, match=r"factors.csv says nothing of test 00099"):
        truth.classes("test", "00099")


def test_the_body_shows_the_colour_of_the_body(truth, folder):
    """In hue; light and shade change the lightness."""
    domains = open_folder(folder, "drawn-shoes")
    fixed = Preparation(64).at_test()
    compared = 0
    for i in range(24):
        _, style = draw("shoes", 3, "test", i)
        body = truth.body("test", f"{i:05d}")
        assert body.sum() >= 20
        painted = oklab(np.array(style.body) / 255)
        if style.pattern != "plain" or np.hypot(*painted[1:]) < 0.08:
            continue
        found = body_colour(fixed(domains.test_b.read(i)), body)
        angle = np.arctan2(found[2], found[1]) - np.arctan2(painted[2], painted[1])
        assert abs(np.angle(np.exp(1j * angle))) < 0.15
        assert abs(found[0] - painted[0]) < 0.15
        compared += 1
    assert compared >= 5


def test_nothing_but_body_is_body(truth):
    """Two styles that differ in the body's colour alone differ on its pixels alone."""
    name = "00004"
    first, other = truth.repainted(name, [("a",), ("b",)])
    (again,) = truth.repainted(name, [("a",)])
    assert torch.equal(first, again) and not torch.equal(first, other)
    body = torch.from_numpy(truth.body("test", name))
    background = first.eq(1).all(dim=0)
    assert not (body & background).any()


def test_one_style_is_one_colour_on_any_content(truth):
    names = [f"{i:05d}" for i in range(12)]
    bodies = {n: truth.body("test", n) for n in names}
    same: dict[int, list[np.ndarray]] = {}
    for name, k, picture in truth.best_translations(names, 6, same_styles=True):
        same.setdefault(k, []).append(body_colour(picture, bodies[name]))
    within = np.mean([np.std(v, axis=0).sum() for v in same.values()])
    between = np.std([np.mean(v, axis=0) for v in same.values()], axis=0).sum()
    assert within < between / 2


def test_other_pictures_have_no_known_truth(folder, tmp_path):
    domains = open_folder(folder, "drawn-shoes")
    assert truth_of(domains, 32) is None  # they would be resampled
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "drawn.json").unlink()
    assert truth_of(open_folder(copy, "shoes"), 64) is None


@pytest.mark.parametrize(
    ("changed", "factors", "told"),
    [
        ({"generator_version": 0}, None, "drawn by version 0, this is version"),
        ({"kind": None, "size": None}, None, "does not say how the pictures were drawn"),
        ({"seed": 4}, None, "00000.png is not what its factors say"),
        ({}, "", "no table of factors"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(changed, factors, told, folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    domains = open_folder(copy, "shoes")
    assert truth_of(domains, 64) is not None
    made = json.loads((copy / "drawn.json").read_text())
    (copy / "drawn.json").write_text(json.dumps(made | changed))
    if factors is not None:
        (copy / "factors.csv").write_text(factors) if factors else (copy / "factors.csv").unlink()
    with pytest.raises(UserError, match=told):
        truth_of(domains, 64)
