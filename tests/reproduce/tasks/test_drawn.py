"""Drawn pictures: what content and style may and may not change, and the data set on disk."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from reproduce.tasks.drawn import (
    KINDS,
    draw,
    draw_content,
    draw_style,
    render_edges,
    render_mask,
    render_photo,
    write_drawn,
)
from reproduce.tasks.drawn.canvas import SAMPLES, blur, count, fill
from reproduce.tasks.drawn.curves import box, curve, ellipse
from reproduce.tasks.drawn.palette import to_rgb

ROOT = Path(__file__).parents[3]
SIZE = 32


def contents(kind: str, n: int = 40):
    return [draw_content(kind, np.random.default_rng([5, i])) for i in range(n)]


def styles(kind: str, n: int = 40):
    return [draw_style(kind, np.random.default_rng([6, i])) for i in range(n)]


def digest(kind: str, size: int) -> str:
    sha = hashlib.sha256()
    for index in range(12):
        content, style = draw(kind, 3, "test", index)
        for picture in (
            render_edges(content, size),
            render_photo(content, style, size),
            render_mask(content, size),
        ):
            sha.update(picture.tobytes())
    return sha.hexdigest()


# --- geometry, against closed forms ---------------------------------------------------------


def test_filled_area_is_the_polygons() -> None:
    for points, area in (
        (box(0.1, 0.2, 0.6, 0.8), 0.30),
        (box(0.1, 0.2, 0.6, 0.8, 0.1), 0.30 - (4 - np.pi) * 0.01),
        (ellipse(0.5, 0.5, 0.3, 0.2), np.pi * 0.06),
        (np.array([(0.1, 0.1), (0.9, 0.1), (0.1, 0.9)]), 0.32),
    ):
        for oriented in (points, points[::-1]):
            inside = fill(oriented, 400)[2].sum() / 400**2
            assert inside == pytest.approx(area, rel=0.012)


def test_fill_agrees_with_a_point_in_polygon_test() -> None:
    points = np.array([(0.13, 0.2), (0.9, 0.31), (0.45, 0.5), (0.83, 0.93), (0.2, 0.71)])
    n = 50
    rows, columns, inside = fill(points, n)
    found = np.zeros((n, n), dtype=bool)
    found[rows, columns] = inside
    for r in range(n):
        for c in range(n):
            x, y = (c + 0.5) / n, (r + 0.5) / n
            odd = False
            for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
                if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                    odd = not odd
            assert found[r, c] == odd


def test_curve_passes_through_its_anchors_and_keeps_corners() -> None:
    square = curve([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])
    np.testing.assert_allclose(square[::10], [(0, 0), (1, 0), (1, 1), (0, 1)])
    on_a_side = (np.abs(square) < 1e-12) | (np.abs(square - 1) < 1e-12)
    assert on_a_side.any(axis=1).all()
    smooth = curve([(0, 0), (1, 0), (1, 1), (0, 1)])
    assert smooth.min() < -0.05 and smooth.max() > 1.05


def test_blur_is_a_sum_and_count_is_a_box_filter() -> None:
    impulse = np.zeros((21, 21), dtype=np.int64)
    impulse[10, 10] = 3
    once = blur(impulse, 1)
    assert once.sum() == 3 * 3**6
    np.testing.assert_array_equal(once, once.T)
    np.testing.assert_array_equal(once, once[::-1, ::-1])
    samples = np.random.default_rng(0).random((8 * SAMPLES, 8 * SAMPLES)) < 0.5
    expected = samples.reshape(8, SAMPLES, 8, SAMPLES).sum(axis=(1, 3))
    np.testing.assert_array_equal(count(samples), expected)


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


# --- one picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_edges_are_grey_and_legible(kind: str) -> None:
    for content in contents(kind):
        edges = render_edges(content, SIZE)
        assert edges.shape == (SIZE, SIZE, 3) and edges.dtype == np.uint8
        assert (edges == edges[:, :, :1]).all()
        assert edges.min() < 40  # black lines
        assert 0.03 < (edges[:, :, 0] < 128).mean() < 0.35  # lines, not blots


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, 45, 64])
def test_mask_is_where_the_photo_is_not_white(kind: str, size: int) -> None:
    white = [s for s in styles(kind, 200) if s.family == "white"][:3]
    for content in contents(kind, 12):
        mask = render_mask(content, size)
        for style in (*styles(kind, 3), *white):
            photo = render_photo(content, style, size)
            assert photo.shape == (size, size, 3) and photo.dtype == np.uint8
            np.testing.assert_array_equal(mask > 0, (photo < 255).any(axis=2))


@pytest.mark.parametrize("kind", KINDS)
def test_edges_lie_on_and_inside_the_mask(kind: str) -> None:
    for content in contents(kind):
        mask, edges = render_mask(content, 64), render_edges(content, 64)[:, :, 0]
        away = blur((mask > 0).astype(np.int64), 1) == 0  # 3 pixels off
        assert (edges[away] == 255).all()
        partly = (mask > 0) & (mask < 255)  # the silhouette passes here
        assert (edges[partly] < 200).mean() > 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_white_shoes_and_bags_stand_out_from_the_paper(kind: str) -> None:
    white = [s for s in styles(kind, 200) if s.family == "white" and s.pattern == "plain"]
    assert white
    for style in white:
        for content in contents(kind, 8):
            photo, mask = render_photo(content, style, SIZE), render_mask(content, SIZE)
            assert photo[mask == 255].mean() < 228


@pytest.mark.parametrize("kind", KINDS)
def test_style_changes_the_colours_over_all_hues(kind: str) -> None:
    content, inside = contents(kind, 1)[0], render_mask(contents(kind, 1)[0], SIZE) == 255
    means = np.array([render_photo(content, s, SIZE)[inside].mean(axis=0) for s in styles(kind)])
    assert means.std(axis=0).min() > 25
    hues = [float(s.as_dict()["body_hue"]) for s in styles(kind, 400)]
    assert (np.histogram(hues, bins=6, range=(0, 1))[0] >= 8).all()


@pytest.mark.parametrize("kind", KINDS)
def test_several_colours_a_picture(kind: str) -> None:
    for style in styles(kind):
        assert len({style.body, style.panel, style.accent, style.sole, style.lining}) >= 3
        assert max(np.abs(np.subtract(style.body, style.accent))) > 40


@pytest.mark.parametrize("kind", KINDS)
def test_silhouettes_vary_are_centred_and_fill_the_canvas(kind: str) -> None:
    masks = [render_mask(c, 64).astype(float) / 255 for c in contents(kind)]
    extents = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert abs(rows[0] + rows[-1] - 63) <= 2 and abs(columns[0] + columns[-1] - 63) <= 2
        assert rows[0] >= 3 and columns[0] >= 3
        extents.append(
            (columns[-1] - columns[0] + 1, max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1)
        )
    assert min(longest for _, longest in extents) >= 0.70 * 64
    assert np.mean([width for width, _ in extents]) >= 0.65 * 64
    overlap = [
        np.minimum(a, b).sum() / np.maximum(a, b).sum()
        for i, a in enumerate(masks)
        for b in masks[:i]
    ]
    assert np.mean(overlap) < 0.75 and np.max(overlap) < 0.995


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_picture_is_the_large_one_reduced(kind: str) -> None:
    for content in contents(kind, 5):
        small, large = render_mask(content, 32), render_mask(content, 128)
        reduced = large.reshape(32, 4, 32, 4).mean(axis=(1, 3))
        assert np.abs(small - reduced).max() < 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_category_and_pattern_occurs(kind: str) -> None:
    assert len({c.category for c in contents(kind, 80)}) >= 6
    assert {c.facing for c in contents(kind, 20)} == {"left", "right"}
    assert len({s.pattern for s in styles(kind, 400)}) == 6
    assert len({s.material for s in styles(kind, 20)}) == 3
    first = contents(kind, 1)[0].as_dict()
    for c in contents(kind):  # one table
        assert c.as_dict().keys() == first.keys()
        assert all(isinstance(v, (str, float)) for v in c.as_dict().values())
    for s in styles(kind):
        json.dumps(s.as_dict())


@pytest.mark.parametrize("size", [31, 257, 0, -5])
def test_wrong_size_names_the_nearest(size: int, tmp_path: Path) -> None:
    nearest = "32" if size < 32 else "256"
    with pytest.raises(UserError, match=rf"size {size}.*nearest is {nearest}"):
        render_mask(contents("shoes", 1)[0], size)
    with pytest.raises(UserError, match=f"nearest is {nearest}"):
        write_drawn("shoes", tmp_path / "x", size=size, seed=0)
    assert not list(tmp_path.iterdir())


def test_a_style_of_the_other_kind_is_refused() -> None:
    with pytest.raises(UserError, match="handbags"):
        render_photo(contents("shoes", 1)[0], styles("handbags", 1)[0], SIZE)
    with pytest.raises(UserError, match="shoes, handbags"):
        draw_content("hats", np.random.default_rng(0))


# --- the same everywhere ---------------------------------------------------------------------


def test_another_process_draws_the_same() -> None:
    code = (
        "import sys; sys.path[:0] = ['.', 'tests/reproduce', 'tests/reproduce/tasks']\n"
        "from test_drawn import digest\n"
        "print(digest('shoes', 32), digest('handbags', 48))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == [digest("shoes", 32), digest("handbags", 48)]


def test_content_and_style_have_streams_of_their_own() -> None:
    drawn = [draw("shoes", 0, split, i) for split in ("trainA", "trainB") for i in range(50)]
    assert len({c for c, _ in drawn}) == len({s for _, s in drawn}) == 100
    by_category = {c.category: s for c, s in drawn}
    assert len({s.family for s in by_category.values()}) > 2
    assert draw("shoes", 0, "test", 7) == draw("shoes", 0, "test", 7)
    assert draw("shoes", 0, "test", 7)[0] != draw("shoes", 1, "test", 7)[0]


# --- the data set ----------------------------------------------------------------------------


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "bags"
    write_drawn("handbags", folder, size=SIZE, seed=4, train=60, test=6, jobs=1)
    return folder


def test_layout(made: Path) -> None:
    counts = {p.name: len(list(p.glob("*.png"))) for p in made.iterdir() if p.is_dir()}
    train, test = ("trainA", "trainB", "trainPairs"), ("testA", "testB", "testMask")
    assert counts == dict.fromkeys(train, 60) | dict.fromkeys(test, 6)
    assert not [p for p in made.parent.iterdir() if p != made]  # nothing temporary left
    assert read(made / "trainA/00000.png").shape == (SIZE, SIZE, 3)
    pair = read(made / "trainPairs/00059.png")
    assert pair.shape == (SIZE, 2 * SIZE, 3)
    content, style = draw("handbags", 4, "trainPairs", 59)
    np.testing.assert_array_equal(pair[:, :SIZE], render_edges(content, SIZE))
    np.testing.assert_array_equal(pair[:, SIZE:], render_photo(content, style, SIZE))
    mask, photo = read(made / "testMask/00003.png"), read(made / "testB/00003.png")
    np.testing.assert_array_equal(mask > 0, (photo < 255).any(axis=2))


def test_splits_share_no_content(made: Path) -> None:
    silhouettes = [
        render_edges(draw("handbags", 4, split, i)[0], SIZE).tobytes()
        for split, n in (("trainA", 60), ("trainB", 60), ("trainPairs", 60), ("test", 6))
        for i in range(n)
    ]
    assert len(set(silhouettes)) == len(silhouettes)
    assert read(made / "trainA/00002.png").tobytes() == silhouettes[2]


def test_factors_and_manifest_describe_the_pictures(made: Path) -> None:
    with open(made / "factors.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 60 + 6
    assert all(row["body_rgb"] == "" for row in rows if row["split"] == "trainA")
    row = next(row for row in rows if (row["split"], row["file"]) == ("test", "00005.png"))
    content, style = draw("handbags", 4, "test", 5)
    for name, value in (content.as_dict() | style.as_dict()).items():
        assert row[name] == str(value)
    manifest = json.loads((made / "drawn.json").read_text(encoding="utf-8"))
    sha = hashlib.sha256()
    for split, n in (("trainA", 60), ("trainB", 60), ("trainPairs", 60), ("test", 6)):
        folders = ("testA", "testB", "testMask") if split == "test" else (split,)
        for i in range(n):
            for folder in folders:
                pixels = read(made / folder / f"{i:05d}.png")
                sha.update(hashlib.sha256(pixels.tobytes()).digest())
    assert manifest["sha256"] == sha.hexdigest()


def test_processes_do_not_change_the_pictures(made: Path, tmp_path: Path) -> None:
    write_drawn("handbags", tmp_path / "two", size=SIZE, seed=4, train=60, test=6, jobs=2)
    for name in ("drawn.json", "factors.csv", "trainPairs/00057.png"):
        assert (tmp_path / "two" / name).read_bytes() == (made / name).read_bytes()


def test_finished_folder_is_kept_and_any_other_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shoes"

    def write(**changes: int) -> None:
        write_drawn("shoes", folder, **({"size": 32, "seed": 0, "train": 3, "test": 2} | changes))

    write()
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    write()
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    for changes in ({"size": 64}, {"seed": 1}, {"train": 4}, {"test": 1}):
        with pytest.raises(UserError, match=f"{next(iter(changes))}.*remove it or choose another"):
            write(**changes)
    with pytest.raises(UserError, match="kind 'shoes', not 'handbags'"):
        write_drawn("handbags", folder, size=32, seed=0, train=3, test=2)
    (folder / "testMask" / "00001.png").unlink()
    with pytest.raises(UserError, match=r"00001\.png: missing; remove"):
        write()
    (folder / "drawn.json").write_text("[")
    with pytest.raises(UserError, match="no finished drawn pictures"):
        write()
    (folder / "drawn.json").write_text("[]")
    with pytest.raises(UserError, match="remove it"):
        write()


def test_half_written_folder_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "half" / "trainA").mkdir(parents=True)
    (tmp_path / "half" / "trainA" / "00000.png").write_bytes(b"")
    with pytest.raises(UserError, match="half: no finished drawn pictures there; remove it"):
        write_drawn("shoes", tmp_path / "half", size=32, seed=0, train=3, test=2)
    assert (tmp_path / "half" / "trainA" / "00000.png").exists()


@pytest.mark.parametrize(
    "bad", [{"seed": -1}, {"train": 0}, {"test": 0}, {"jobs": 0}, {"train": 10**6}]
)
def test_illegal_numbers_are_refused(bad: dict[str, int], tmp_path: Path) -> None:
    arguments = {"size": 32, "seed": 0, "train": 3, "test": 2} | bad
    with pytest.raises(UserError, match=f"{next(iter(bad))} .*choose a number"):
        write_drawn("shoes", tmp_path / "x", **arguments)
    assert not list(tmp_path.iterdir())
