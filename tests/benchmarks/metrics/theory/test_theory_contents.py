"""Codes of two domains, from the same to nothing alike; classifier, retrieval, pairs."""

import numpy as np
import pytest
import torch

from benchmarks.metrics.theory import contents
from benchmarks.metrics.theory.codes import Codes, describe, domain_hits, joined
from benchmarks.metrics.theory.contents import content_scores, pairs_of
from benchmarks.metrics.theory.kernels import l1_distances
from models.errors import UserError

ACCURACY, MMD, DISTANCE, RANK = (metric.name for metric in contents.METRICS)


def draws(count: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([8, seed]).standard_normal((count, dim))


def maps(count: int, seed: int = 0, channels: int = 3, side: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, side, side, generator=generator)


def scores(a: torch.Tensor, b: torch.Tensor):
    shown = describe(maps(len(a), 90)), describe(maps(len(b), 91))
    result = content_scores(describe(a), describe(b), shown, paired=True, seed=0)
    return {s.measurement.name: s for s in result.scored}, result.arrays


def test_classes_that_no_plane_divides_are_told_apart() -> None:
    """One domain around the other."""
    b = draws(80, 3, seed=1)
    b *= 4 / np.linalg.norm(b, axis=1, keepdims=True)
    assert domain_hits(0.5 * draws(80, 3), b).mean() > 0.95


def test_equal_codes_are_a_coin_toss() -> None:
    """Pairs are learned from together: no code's domain is given away by its partner's."""
    a = draws(40)
    assert domain_hits(a, a).mean() == 0.5
    assert domain_hits(a, a + 1e-3 * draws(40, seed=1)).mean() == pytest.approx(0.5, abs=0.12)


def test_ranks_by_hand() -> None:
    distances = np.array([[2.0, 1, 3], [5, 4, 4], [0, 9, 1]])
    pairs = pairs_of(distances)
    # Rows: 1 of 2 nearer; none nearer and one equal: 1/4; 1 of 2. Columns: 1 of 2; 1 of 2; none.
    assert pairs.ranks.tolist() == [(0.5 + 0.5) / 2, (0.25 + 0.5) / 2, (0.5 + 0) / 2]
    assert pairs.first.tolist() == [0, 0.25, 0.5]
    assert pairs.ratio == pytest.approx((7 / 3) / (22 / 6))


def test_the_ratio_of_resampled_pairs_spreads_as_that_of_new_ones() -> None:
    def distances(k: int) -> np.ndarray:
        content = draws(40, seed=k)
        return l1_distances(content, content + draws(40, seed=1000 + k))

    truth = np.std([pairs_of(distances(k)).ratio for k in range(200)])
    assert contents.resampled_ratios(distances(0), 0).std() == pytest.approx(truth, rel=0.4)


def test_described_batch_by_batch_is_described_at_once() -> None:
    codes = maps(7, side=20)
    whole, parts = describe(codes), joined([describe(part) for part in codes.split(3)])
    assert np.array_equal(whole.maps, parts.maps) and np.array_equal(whole.summary, parts.summary)
    assert whole.maps.shape == (7, 3 * 16 * 16) and whole.summary.shape == (7, 3 * (4 + 16))
    assert whole.summary[:, :3] == pytest.approx(codes.mean((2, 3)).numpy())
    small = describe(codes[..., :2, :3])
    assert small.maps == pytest.approx(codes[..., :2, :3].flatten(1).numpy())


def test_equal_codes_have_no_distance_in_any_way() -> None:
    a = maps(24)
    found, arrays = scores(a, a)
    value = {name: s.measurement.value for name, s in found.items()}
    same = {ACCURACY: 0.5, MMD: 0, DISTANCE: 0, RANK: 0}
    assert value == pytest.approx(same, abs=1e-6)
    assert found[MMD].more["null"]["value"] == pytest.approx(0, abs=1e-6)
    assert found[RANK].more["first"] == 1
    assert found[RANK].more["pixels"] == pytest.approx(0.5, abs=0.2)
    assert arrays["hits"].shape == (2, 24)


def test_codes_far_apart_of_one_content_are_found_again() -> None:
    a = maps(24)
    found, _ = scores(a, a + 1)
    accuracy, mmd = found[ACCURACY], found[MMD]
    sure = accuracy.measurement.interval
    assert accuracy.measurement.value == sure.high == 1
    assert sure.low < 0.95  # all right, of few
    assert accuracy.more["same_domain"] < 0.8
    assert mmd.measurement.value > 1.5 * mmd.more["null"]["value"]
    ratio = found[DISTANCE].measurement
    assert ratio.interval.low < ratio.value < ratio.interval.high
    assert found[RANK].measurement.value < 0.1


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UserError, match="7 and 7 content codes.*8 or more"):
        scores(maps(7), maps(7))
    nine, eight = describe(maps(9)), describe(maps(8))
    with pytest.raises(UserError, match="9 and 8 content codes"):
        content_scores(nine, eight, (nine, nine), paired=False, seed=0)
    with pytest.raises(UserError, match="finite"):
        Codes(np.full((2, 2), np.inf, np.float32), np.zeros((2, 2), np.float32))
