"""The observer by hand: nearest true pictures, shares of pairs, ties."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.metrics import observer
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.metrics.observer import Observation, preferred
from benchmarks.networks.weights import trained
from models.errors import UserError

NAMES = ("a", "b", "c")


def seen(*rows: list[float]) -> Observation:
    return Observation(np.array(rows, np.float32), NAMES, {"right": 4})


def test_distances_are_lpips_and_a_true_picture_has_none_to_itself() -> None:
    lpips = LpipsDistance(trained("0.1"))
    draws = torch.Generator().manual_seed(0)
    truths = torch.rand(3, 3, 32, 32, generator=draws) * 2 - 1
    pictures = torch.cat([truths[1:2], -truths[:1]])
    features = lpips.features(truths)
    found = observer.right_distances(pictures, features, lpips)
    assert found.shape == (2, 3) and found.dtype == np.float32
    for p, picture in enumerate(pictures):
        for t, true in enumerate(truths):
            one, two = lpips.features(picture[None]), lpips.features(true[None])
            assert found[p, t] == pytest.approx(float(lpips.distance(one, two)), abs=1e-6)
    assert found[0].argmin() == 1 and found[0, 1] < 1e-6


def test_the_share_of_pairs_in_which_the_nearer_one_wins_ties_half() -> None:
    method = np.array([[1.0, 4.0], [2.0, 2.0], [0.0, 0.0]])
    reference = np.array([[2.0, 3.0], [2.0, 3.0], [1.0, 1.0]])
    assert preferred(method, reference).tolist() == [0.5, 0.75, 1.0]
    assert preferred(reference, method).tolist() == [0.5, 0.25, 0.0]
    assert preferred(method[:, :1], reference).tolist() == [1.0, 0.75, 1.0]


def test_measurements_are_means_over_inputs_with_intervals_over_them(tmp_path: Path) -> None:
    method, reference = seen([1, 4], [2, 2], [0, 0]), seen([2, 3], [2, 3], [1, 1])
    distance = method.mean(observer.TRUTH_DISTANCE)
    assert distance.value == pytest.approx((2.5 + 2 + 0) / 3) and distance.name == "truth-distance"
    quality = method.quality(observer.QUALITY_OBSERVED, reference, {"reference": "munit"})
    assert quality.value == pytest.approx(75) and quality.interval is not None
    assert quality.interval.low < 75 < quality.interval.high
    told = quality.protocol
    assert (told["protocol"], told["inputs"], told["K"]) == ("3x2-vs-4-min64", 3, 2)
    assert told["pairs"] == 4 and told["reference"] == "munit"
    assert "reference" not in distance.protocol
    method.save(tmp_path / "seen.npz", reference=reference.distances)
    with np.load(tmp_path / "seen.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["distances"], method.distances)
        np.testing.assert_array_equal(file["reference"], reference.distances)
        assert tuple(file["input_ids"]) == NAMES
    other = Observation(reference.distances, ("a", "b", "d"), {"right": 4})
    with pytest.raises(UserError, match="other inputs"):
        method.quality(observer.QUALITY_OBSERVED, other, {})
