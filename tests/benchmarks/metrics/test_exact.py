"""Exact scores of streams: perfect translations score best, constant ones have no coverage."""

import numpy as np
import pytest
import torch
from untrained import untrained

from benchmarks.metrics.exact import ExactTable, Known, StyleTruth, examine
from benchmarks.metrics.ground_truth import part_borders
from benchmarks.networks.classifiers import Classifier
from benchmarks.networks.colours import oklab

SIDE = 24


def classifier() -> Classifier:
    return untrained({"category": ("a", "b", "c"), "pattern": ("p", "q")})


def picture(left: tuple[float, ...], right: tuple[float, ...]) -> torch.Tensor:
    made = torch.ones(3, SIDE, SIDE)
    made[:, 3:21, 3:12] = torch.tensor(left).view(3, 1, 1)
    made[:, 3:21, 12:21] = torch.tensor(right).view(3, 1, 1)
    return made


BODY = np.zeros((SIDE, SIDE), dtype=bool)
BODY[4:20, 4:11] = True


def known(category: int = 0) -> Known:
    edges, mask = torch.ones(3, SIDE, SIDE), torch.zeros(SIDE, SIDE)
    edges[:, 3:21, 11:13] = -1.0
    mask[3:21, 3:21] = 1.0
    return Known(BODY, part_borders(edges, mask), category)


EVERY = {f"{i}": known() for i in range(6)}


def stream(colour_of, inputs: int = 6, samples: int = 8):
    places = np.ndindex(inputs, samples)
    return [(f"{i}", k, picture(colour_of(i, k), (-1.0, -1.0, -1.0))) for i, k in places]


def random_colour(i: int, k: int) -> tuple[float, ...]:
    return tuple(np.random.default_rng([i, k]).uniform(-0.9, 0.9, 3).tolist())


def values(table: ExactTable, truth: StyleTruth) -> dict[str, float]:
    found = [*table.content(0, {}), *table.styles(truth, 0, {"note": 1})]
    assert all(m.protocol["N"] == 6 for m in found)
    return {m.name: m.value for m in found}


@pytest.fixture(scope="module")
def truth() -> StyleTruth:
    every = [random_colour(i, k) for i in range(100, 110) for k in range(80)]
    return StyleTruth(oklab((np.array(every) + 1) / 2), np.array([0.5, 0.5]))


def test_a_perfect_translator_covers_the_colours_and_a_constant_one_none(truth):
    perfect, same, by_input = (
        values(examine(stream(colour_of), EVERY, classifier()), truth)
        for colour_of in (
            random_colour, lambda i, k: (0.5, -0.3, 0.1), lambda i, k: random_colour(i, 0),
        )
    )  # fmt: skip
    assert perfect["colour-distance"] == pytest.approx(0, abs=0.05)
    assert perfect["colour-entropy"] > 1
    assert perfect["parts-auc"] == 1
    # 2 E|x - y| - E|y - y'| of a point: many times the distance of a perfect translator.
    assert same["colour-distance"] > 0.1
    assert same["colour-entropy"] == 0
    assert same["pattern-entropy"] == 0
    assert same["pattern-distance"] == 0.5
    # Colours that follow from the input alone are no coverage, however many there are.
    assert by_input["colour-entropy"] == 0
    assert by_input["colour-distance"] > 0.1


def test_what_was_seen_is_what_is_there():
    table = examine(stream(random_colour), EVERY, classifier())
    drawn = np.array([[random_colour(i, k) for k in range(8)] for i in range(6)])
    assert table.colours == pytest.approx(oklab((drawn + 1) / 2), rel=2**-11, abs=1e-6)  # halves
    in_bytes = [((p + 1) * 127.5).round().to(torch.uint8) for _, _, p in stream(random_colour)]
    _, probabilities = classifier()(torch.stack(in_bytes))
    for head, found in (("pattern", table.patterns), ("category", table.categories)):
        assert np.array_equal(found, probabilities[head].argmax(axis=1).reshape(6, 8))
    assert not np.array_equal(table.patterns, table.categories)
    pooled = table.style_truth()
    assert pooled.colours.shape == (48, 3)
    assert pooled.patterns.sum() == pytest.approx(1)
    assert pooled.patterns[0] == (table.patterns == 0).mean()


def test_category_is_that_of_the_classifier():
    judge = classifier()
    flat = stream(lambda i, k: (0.5, -0.3, 0.1))
    _, probabilities = judge(((flat[0][2] + 1) * 127.5).round().to(torch.uint8)[None])
    said = int(probabilities["category"].argmax())
    right = examine(flat, {f"{i}": known(said) for i in range(6)}, judge)
    half = {f"{i}": known(said if i < 3 else (said + 1) % 3) for i in range(6)}
    assert {m.name: m.value for m in right.content(0, {})}["category-kept"] == 1
    mixed = examine(flat, half, judge).content(0, {})
    assert {m.name: m.value for m in mixed}["category-kept"] == 0.5


def test_pictures_without_parts_are_not_judged_by_them(truth):
    every = {f"{i}": Known(BODY, None, 0) for i in range(6)}
    table = examine(stream(random_colour), every, classifier())
    assert {m.name for m in table.content(0, {})} == {"category-kept"}
    assert len(table.styles(truth, 0, {})) == 4
