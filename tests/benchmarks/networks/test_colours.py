"""OKLab against its author's published numbers and against the palette that pictures are drawn in."""

import numpy as np
import pytest

from benchmarks.networks.colours import COLOURS, colour_bins, oklab


@pytest.mark.parametrize(
    ("srgb", "expected"),  # of white, pure red, green and blue, as converters on the web print them
    [
        ((1, 1, 1), (1, 0, 0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_white_and_primary_colours(srgb, expected):
    assert oklab(srgb) == pytest.approx(expected, abs=2e-5)


def test_bins():
    def name(*lab: float) -> str:
        return COLOURS[int(colour_bins(lab))]

    assert name(0.2, 0, 0) == "dark"
    assert name(0.6, 0.03, -0.03) == "grey"
    assert name(0.9, 0, 0.04) == "light"
    assert name(0.2, 0.1, 1e-9) == "hue 0°" == name(0.9, 0.1, 0.09)
    assert name(0.6, -1e-9, 0.1) == "hue 90°"
    assert name(0.6, 0.1, -1e-9) == "hue 315°"
    assert name(0.6, 0.1, -1e-18) in ("hue 0°", "hue 315°")  # a full turn, after rounding
    every = colour_bins(
        np.random.default_rng(0).uniform((0, -0.3, -0.3), (1, 0.3, 0.3), (5, 2000, 3))
    )
    assert every.shape == (5, 2000)
    assert set(np.unique(every)) == set(range(len(COLOURS)))
