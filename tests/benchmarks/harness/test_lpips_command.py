"""``python -m benchmarks lpips``: distances of files, and refusals in one line."""

from __future__ import annotations

from pathlib import Path

import lpips
import numpy as np
import pytest
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained


def picture(folder: Path, name: str, seed: int, size: int = 64) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


@pytest.fixture
def printed(capsys):
    """A function: the distance of two files, and what is noted."""

    def run(*words: object) -> tuple[float, str]:
        assert main(["lpips", *map(str, words)]) == 0
        told = capsys.readouterr()
        return float(told.out), told.err

    return run


@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_the_distance_is_that_of_the_pixels(tmp_path, printed, version):
    paths = [picture(tmp_path, f"{seed}.png", seed) for seed in (1, 2)]
    network = LpipsDistance(trained(version))  # type: ignore[arg-type]
    x, y = (network.features(lpips.im2tensor(np.asarray(Image.open(path)))) for path in paths)
    value, notes = printed(*paths, "--version", version)
    assert value == pytest.approx(float(network.distance(x, y)), abs=1e-6) and notes == ""
    if version == "0.1":
        assert printed(*paths)[0] == value


def test_what_may_surprise_is_noted(tmp_path, printed):
    small = picture(tmp_path, "small.png", 1, 32)
    value, notes = printed(small, small)
    assert value == 0 and notes == "note: enlarged from 32x32 to 64x64\n"
    png, jpeg = picture(tmp_path, "1.png", 1), picture(tmp_path, "1.jpg", 1)
    value, notes = printed(png, jpeg)
    assert value > 0.001 and notes.startswith("note: JPEG") and notes.count("\n") == 1


def test_grey_is_rgb_and_transparency_lies_on_white(tmp_path, printed):
    grey = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    alpha, white = np.full_like(grey, 255), grey.copy()
    alpha[:20], white[:20] = 0, 255
    for one, other in ((grey, np.dstack([grey] * 3)), (np.dstack([grey, alpha]), white)):
        for name, pixels in (("1.png", one), ("2.png", other)):
            Image.fromarray(pixels).save(tmp_path / name)
        assert printed(tmp_path / "1.png", tmp_path / "2.png") == (0, "")


def test_wrong_files_are_refused(tmp_path, refused_by):
    whole = picture(tmp_path, "whole.png", 1)
    large = picture(tmp_path, "large.png", 1, 65)
    tiny = picture(tmp_path, "tiny.png", 1, 7)
    text, deep = tmp_path / "text.png", tmp_path / "deep.png"
    text.write_text("no picture")
    Image.fromarray(np.zeros((64, 64), np.uint16)).save(deep)
    for pair, reason in (
        ((whole, large), "whole.png is 64x64 and"),
        ((tiny, tiny), "7x7 are too small"),
        ((whole, tmp_path / "none.png"), "none.png: no such file"),
        ((tmp_path, whole), f"{tmp_path}: no such file"),
        ((whole, text), "text.png is no picture"),
        ((deep, whole), "deep.png has pixels of more than 8 bits"),
    ):
        assert reason in refused_by(main, ["lpips", *pair])
