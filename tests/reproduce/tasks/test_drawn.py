"""Drawn pictures: what content and style may and may not change."""

import hashlib

import numpy as np
import pytest
from matplotlib.path import Path as MplPath

from reproduce.tasks.drawn.canvas import blur, fill
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION, draw
from reproduce.tasks.drawn.kinds import KINDS, draw_content, draw_style
from reproduce.tasks.drawn.palette import to_rgb
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo

SIZE = 32


def contents(kind: str, n: int = 40):
    return [draw_content(kind, np.random.default_rng([5, i])) for i in range(n)]


def styles(kind: str, n: int = 40):
    return [draw_style(kind, np.random.default_rng([6, i])) for i in range(n)]


def test_fill_agrees_with_a_point_in_polygon_test() -> None:
    points = np.array([(0.13, 0.2), (0.9, 0.31), (0.45, 0.5), (0.83, 0.94), (0.2, 0.71)])
    n = 50
    rows, columns, inside = fill(points, n)
    found = np.zeros((n, n), dtype=bool)
    found[rows, columns] = inside
    centres = (np.stack(np.meshgrid(np.arange(n), np.arange(n)), axis=-1) + 0.5) / n
    expected = MplPath(points).contains_points(centres.reshape(-1, 2)).reshape(n, n)
    np.testing.assert_array_equal(found, expected)


def test_colours_are_oklch() -> None:
    """Back by the published forward transform (Ottosson 2020), an inverse of its own."""
    to_lms = ((0.4122214708, 0.5363325363, 0.0514459929),)
    to_lms += ((0.2119034982, 0.6806995451, 0.1073969566),)
    to_lms += ((0.0883024619, 0.2817188376, 0.6299787005),)
    to_lab = ((0.2104542553, 0.7936177850, -0.0040720468),)
    to_lab += ((1.9779984951, -2.4285922050, 0.4505937099),)
    to_lab += ((0.0259040371, 0.7827717662, -0.8086757660),)
    for light, chroma, hue in ((0.6, 0.1, 0.1), (0.7, 0.12, 0.4), (0.4, 0.1, 0.75), (0.9, 0, 0)):
        v = np.array(to_rgb((light, chroma, hue))) / 255
        linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
        found = np.array(to_lab) @ np.cbrt(np.array(to_lms) @ linear)
        turn = 2 * np.pi * hue
        expected = (light, chroma * np.cos(turn), chroma * np.sin(turn))
        np.testing.assert_allclose(found, expected, atol=0.004)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, 45])
def test_mask_is_where_the_photo_is_not_white(kind: str, size: int) -> None:
    white = next(s for s in styles(kind, 200) if s.family == "white")
    for content in contents(kind, 12):
        mask = render_mask(content, size)
        for style in (*styles(kind, 2), white):
            photo = render_photo(content, style, size)
            assert photo.shape == (size, size, 3) and photo.dtype == np.uint8
            np.testing.assert_array_equal(mask > 0, (photo < 255).any(axis=2))


@pytest.mark.parametrize("kind", KINDS)
def test_edges_are_grey_lines_on_and_inside_the_mask(kind: str) -> None:
    for content in contents(kind):
        mask, rgb = render_mask(content, 64), render_edges(content, 64)
        assert rgb.shape == (64, 64, 3) and (rgb == rgb[:, :, :1]).all()
        edges = rgb[:, :, 0]
        assert edges.min() < 40 and 0.02 < (edges < 128).mean() < 0.35  # lines, not blots
        away = blur((mask > 0).astype(np.int64), 1) == 0  # 3 pixels off
        assert (edges[away] == 255).all()
        partly = (mask > 0) & (mask < 255)  # the silhouette passes here
        assert (edges[partly] < 200).mean() > 0.98


# (version, kind) -> sha256 of 150 objects' pictures; a changed drawing needs a new version.
PICTURES = {
    (3, "shoes"): "e0fa410b4b0d86701550d2b10d223f2af0a4267189dd9eda03c8a4939c40641d",
    (3, "handbags"): "30c589262caa26acbd428fa9d16762b9dba99ee11856d66eca983b65300fd107",
}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_change_only_with_the_drawn_version(kind: str) -> None:
    seen, drawn = hashlib.sha256(), set()
    for index in range(150):
        content, style = draw(kind, 0, "trainB", index)
        drawn.add((content.category, dict(content.factors).get("detail")))
        seen.update(render_edges(content, 32)[:, :, 0].tobytes())
        seen.update(render_photo(content, style, 32).tobytes())
        seen.update(render_mask(content, 32).tobytes())
    assert len(drawn) > 20  # categories with their details
    assert seen.hexdigest() == PICTURES[GENERATOR_VERSION, kind]


def test_content_and_style_have_streams_of_their_own() -> None:
    drawn = [draw("shoes", 0, split, i) for split in ("trainA", "trainB") for i in range(50)]
    assert len({c for c, _ in drawn}) == len({s for _, s in drawn}) == 100
    by_category = {c.category: s for c, s in drawn}
    assert len({s.family for s in by_category.values()}) > 2
    assert draw("shoes", 0, "test", 7) == draw("shoes", 0, "test", 7)
    assert draw("shoes", 0, "test", 7)[0] != draw("shoes", 1, "test", 7)[0]
