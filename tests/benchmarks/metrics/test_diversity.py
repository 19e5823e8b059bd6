"""LPIPS diversity: closed forms, invariances, an independent loop, and refusals."""

import itertools
import json
import math
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.metric import Measurement
from benchmarks.metrics.diversity import DiversityResult, _draw_pairs, diversity, real_diversity
from benchmarks.metrics.diversity_protocols import PROTOCOLS, get_protocol
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from models.errors import UserError

Item = tuple[str, int, torch.Tensor]


class PixelDistance:
    """Squared distance of the first pixel: diversity in closed form, without a network.

    Counts the pictures whose features were asked for.
    """

    weights = trained("0.0")

    def __init__(self) -> None:
        self.pictures = self.largest_batch = 0

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        self.pictures += len(pictures)
        self.largest_batch = max(self.largest_batch, len(pictures))
        return pictures[:, 0, 0, :1]

    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return (first - second).square().sum(1)


def constant(value: float, size: int = 32) -> torch.Tensor:
    return torch.full((3, size, size), float(value))


def ramp(inputs: int, samples: int) -> list[Item]:
    """Sample k of input n is the constant picture (n + 1) k / 100 - 1/2."""
    places = itertools.product(range(inputs), range(samples))
    return [(f"in{n:02d}", k, constant((n + 1) * k / 100 - 0.5)) for n, k in places]


def noise(inputs: int, samples: int, size: int = 32) -> list[Item]:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(inputs * samples, 3, size, size, generator=generator) * 2 - 1
    return [(f"in{n // samples}", n % samples, picture) for n, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def lpips_distance() -> LpipsDistance:
    return LpipsDistance(trained("0.0"))


def test_protocols_are_as_published() -> None:
    found = {k: (p.inputs, p.samples, len(p.pairs()), p.version) for k, p in PROTOCOLS.items()}
    assert found == {
        "paper": (100, 38, 19, "0.0"), "paper-v0.1": (100, 38, 19, "0.1"),
        "consecutive": (100, 20, 19, "0.0"), "consecutive-v0.1": (100, 20, 19, "0.1"),
        "all-pairs": (100, 20, 190, "0.0"), "all-pairs-v0.1": (100, 20, 190, "0.1"),
    }  # fmt: skip


def test_a_scaled_protocol_says_so_in_its_name() -> None:
    assert get_protocol("paper", 20, 10).name == "paper-min64@20x5"
    assert get_protocol("paper", 100, 38) is PROTOCOLS["paper"]
    assert get_protocol("all-pairs", 20, 10).scaled(samples=4).name == "all-pairs-min64@20x6"


def test_closed_form_of_every_input() -> None:
    # Distances are ((n + 1) (i - j) / 100)^2; their mean over all pairs of 4 has 20 / 6 for (i - j)^2.
    found = diversity(ramp(3, 4), PixelDistance(), get_protocol("all-pairs", 3, 4))
    expected = {f"in0{n}": (n + 1) ** 2 * 20 / 6 / 1e4 for n in range(3)}
    assert found.per_input == pytest.approx(expected, rel=1e-5)


def test_a_deterministic_translator_has_exactly_zero(lpips_distance: LpipsDistance) -> None:
    picture = {name: picture for name, _, picture in noise(4, 1, 64)}
    stream = [(name, k, p) for name, p in picture.items() for k in range(38)]
    # 38 samples in batches of 7: the last batch is smaller.
    found = diversity(stream, lpips_distance, get_protocol("paper", inputs=4), batch_size=7)
    assert found.value == 0.0
    assert not found.distances.any()
    assert (found.interval.low, found.interval.high) == (0.0, 0.0)


def test_batch_size_and_order_do_not_matter(lpips_distance: LpipsDistance) -> None:
    stream, protocol = noise(3, 4), get_protocol("paper", 3, 4)
    first = diversity(stream, lpips_distance, protocol, batch_size=4)
    order = np.random.default_rng(0).permutation(len(stream))
    again = diversity([stream[k] for k in order], lpips_distance, protocol, batch_size=4)
    assert np.array_equal(again.distances, first.distances)
    assert (again.input_ids, again.interval) == (first.input_ids, first.interval)
    for batch_size in (1, 5):
        again = diversity(stream, lpips_distance, protocol, batch_size=batch_size)
        np.testing.assert_allclose(again.distances, first.distances, rtol=0, atol=1e-7)


def test_each_distinct_picture_is_embedded_once_in_batches_kept() -> None:
    distance = PixelDistance()
    diversity(ramp(3, 20), distance, get_protocol("all-pairs", inputs=3), batch_size=8)
    assert (distance.pictures, distance.largest_batch) == (60, 8)
    same = [(name, k, constant(-0.25)) for name, k, _ in ramp(3, 20)]
    diversity(same, distance, get_protocol("all-pairs", inputs=3))
    assert distance.pictures == 60 + 3


def test_a_stream_may_reuse_its_buffer() -> None:
    buffer = constant(0)

    def stream() -> Iterator[Item]:
        for name, k, picture in ramp(2, 4):
            buffer.copy_(picture)
            yield name, k, buffer

    protocol = get_protocol("paper", 2, 4)
    expected = diversity(ramp(2, 4), PixelDistance(), protocol).value
    assert diversity(stream(), PixelDistance(), protocol).value == expected > 0


def test_the_record_holds_value_interval_and_protocol(lpips_distance: LpipsDistance) -> None:
    found = diversity(noise(2, 4), lpips_distance, get_protocol("paper", 2, 4))
    record = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (record["metric"], record["value"]) == ("diversity-lpips", found.value)
    assert record["interval"]["low"] <= found.value <= record["interval"]["high"]
    assert (record["interval"]["over"], record["interval"]["level"]) == ("inputs", 0.95)
    low, high = record["protocol"].pop("range")
    assert -1 <= low < -0.99 and 0.99 < high <= 1
    assert record["protocol"] == {
        "protocol": "paper-min64@2x2", "rule": "independent", "N": 2, "K": 4, "pairs_per_input": 2,
        "extractor": "lpips", "network": "alexnet", "version": "0.0", "lpips_package": "0.1.4",
        "sha256": lpips_distance.weights.sha256, "source": "alexnet_features.safetensors",
        "resolution": [32, 32], "measured_at": [64, 64],
    }  # fmt: skip


@pytest.mark.parametrize("real", [False, True])
def test_raw_values_survive_a_file(tmp_path: Path, real: bool) -> None:
    if real:
        items = {name: picture for name, k, picture in ramp(12, 4) if k == 1}
        found = real_diversity(items, PixelDistance(), n_pairs=30, seed=3)
    else:
        found = diversity(ramp(4, 4), PixelDistance(), get_protocol("paper", 4, 4), seed=3)
    path = tmp_path / "raw.npz"
    found.save(path)
    again = DiversityResult.load(path)
    assert np.array_equal(again.distances, found.distances)
    assert np.array_equal(again.pair_ids, found.pair_ids)
    assert (again.as_dict(), again.per_input) == (found.as_dict(), found.per_input)
    content = path.read_bytes()
    for wrong in (content[:200], b"", None):
        path.unlink() if wrong is None else path.write_bytes(wrong)
        with pytest.raises(UserError, match=r"raw\.npz holds no raw values .*measure again"):
            DiversityResult.load(path)


def replaced(picture: torch.Tensor) -> list[Item]:
    return [*ramp(2, 4)[:-1], ("in01", 3, picture)]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (ramp(1, 4), "needs 2 inputs, got 1"),
        (ramp(3, 4), "'in02' is one more than the 2"),
        (ramp(2, 4)[:-2], r"'in01' has 2 of 4 samples \(2 is missing"),
        ([*ramp(1, 4), *ramp(1, 4)], "'in00' came twice"),
        ([*ramp(1, 3), *ramp(1, 1)], "sample 0 of input 'in00' came twice"),
        (ramp(2, 5), r"sample 4 of input 'in00' is outside 0..3"),
        (replaced(constant(0, 64)), "sample 3 of input 'in01' is 64x64, others are 32x32"),
        (replaced(constant(2)), r"sample 3 of input 'in01': .*\[-1, 1\]"),
        (replaced(constant(0)[None]), r"\(3, H, W\)"),
    ],
)
def test_unfit_streams_are_refused(stream: list[Item], message: str) -> None:
    with pytest.raises(UserError, match=message):
        diversity(stream, PixelDistance(), get_protocol("paper", 2, 4))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("paper", 2, 5), "even number of samples, got 5: use 6"),
        (("papr",), "unknown diversity protocol 'papr'"),
    ],
)
def test_protocols_that_pair_nothing_are_refused(words: tuple[Any, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        get_protocol(*words)


def test_pictures_without_any_dark_value_are_suspected() -> None:
    bright = [(name, k, picture / 4 + 0.5) for name, k, picture in ramp(2, 4)]
    with pytest.warns(UserWarning, match=r"\[0, 1\]"):
        diversity(bright, PixelDistance(), get_protocol("paper", 2, 4))


class Folder(dict[str, Any]):
    """Pictures made of values when they are asked for, with a count of how often."""

    asked = 0

    def __getitem__(self, name: str) -> torch.Tensor:
        self.asked += 1
        return constant(super().__getitem__(name))


def values(n: int) -> dict[str, float]:
    drawn = np.random.default_rng(0).uniform(-1, 1, n)
    return {f"{k:04d}.png": float(v) for k, v in enumerate(drawn)}


def test_all_real_pairs_have_twice_the_variance() -> None:
    items = values(25)
    found = real_diversity(Folder(items), PixelDistance(), n_pairs=300, seed=0)
    assert len({frozenset(pair) for pair in found.pair_ids.tolist()}) == 300
    expected = 2 * np.var(list(items.values()), ddof=1)
    assert found.value == pytest.approx(expected, rel=1e-5)
    for (a, b), row in zip(found.pair_ids.tolist(), found.distances[:, 0].tolist(), strict=True):
        assert row == pytest.approx((items[a] - items[b]) ** 2, abs=1e-6)


def test_real_pairs_depend_on_the_seed_and_not_on_order_or_batch() -> None:
    items = values(40)
    first = real_diversity(Folder(items), PixelDistance(), 60, seed=1, batch_size=16)
    backwards = Folder(dict(reversed(items.items())))
    again = real_diversity(backwards, PixelDistance(), 60, seed=1, batch_size=1)
    assert np.array_equal(again.distances, first.distances)
    assert np.array_equal(again.pair_ids, first.pair_ids)
    other = real_diversity(Folder(items), PixelDistance(), 60, seed=2)
    assert not np.array_equal(other.pair_ids, first.pair_ids)


def test_real_pairs_are_uniform_over_all_pairs() -> None:
    counts = Counter(pair for seed in range(300) for pair in _draw_pairs(6, 3, seed))
    assert set(counts) == set(itertools.combinations(range(6), 2))
    # Each of the 15 pairs is expected 60 times; chi-square with 14 degrees stays under 36 (99.9 %).
    assert sum((count - 60) ** 2 / 60 for count in counts.values()) < 36


def test_features_of_real_pictures_are_let_go_after_their_last_pair() -> None:
    class Tracked(PixelDistance):
        def __init__(self) -> None:
            super().__init__()
            self.alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
            self.most = 0

        def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            self.alive.update((first, second))
            self.most = max(self.most, len(self.alive))
            # A view would keep the features of its whole batch.
            assert first.untyped_storage().nbytes() == first.nbytes
            return super().distance(first, second)

    distance, folder = Tracked(), Folder(values(3000))
    found = real_diversity(folder, distance, n_pairs=300)
    assert found.protocol["N"] == folder.asked == distance.pictures > 500  # those in a pair, once
    assert distance.most < 100


def test_real_record_and_refusals() -> None:
    record = real_diversity(Folder(values(20)), PixelDistance(), 40, seed=5).as_dict()
    assert record["protocol"]["protocol"] == "real-min64@40"
    assert record["protocol"]["pair_seed"] == 5
    for n_pairs in (191, 1):
        with pytest.raises(UserError, match="use 2 to 190 pairs"):
            real_diversity(Folder(values(20)), PixelDistance(), n_pairs)
    broken = {"a": constant(0), "b": constant(3), "c": constant(0)}
    with pytest.raises(UserError, match="picture 'b'"):
        real_diversity(broken, PixelDistance(), 3)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("diversity-lpips", -1e-6, "outside its limits"),
        ("diversity-lpips", math.nan, "outside its limits"),
        ("diversity", 0.1, "unknown metric"),
    ],
)
def test_numbers_that_are_no_measurements(name: str, value: float, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Measurement(name, value, None)
