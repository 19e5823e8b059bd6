"""Streams of pictures to IS and CIS: closed forms, invariances, memory, files and refusals."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from benchmarks.metrics.mode_scores import STEPS, ModeScores, load_mode_scores, mode_scores
from models.errors import UserError

MODES = ("siamese", "tabby", "black", "orange")
SIDE = 16
Item = tuple[str, int, Tensor]


class Colours(nn.Module):
    """Says how near a picture's mean colour is to each of four: sure of the colours themselves."""

    name, modes, sha256, accuracy = "colours", MODES, "ab" * 32, 0.99
    targets = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])

    def __init__(self, sharpness: float = 400.0) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.calls: list[int] = []

    def forward(self, pictures: Tensor) -> Tensor:
        distances = (pictures.mean(dim=(2, 3))[:, None] - self.targets).square().sum(dim=2)
        return -self.sharpness * distances

    def probabilities(self, pictures: Tensor) -> Tensor:
        self.calls.append(len(pictures))
        return self(pictures).double().softmax(dim=1)


class Convolutions(Colours):
    """A network whose last bits depend on the batch, as real ones' do."""

    name = "convolutions"

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 32, 5, 2), nn.ReLU(), nn.Conv2d(32, 64, 3, 2), nn.ReLU(),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 4),
            )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        return 30 * self.layers(pictures)


def of_mode(mode: int, shade: int = 0) -> Tensor:
    """A picture of that mode's colour; other shades are other bytes, but no other mode."""
    picture = Colours.targets[mode].view(3, 1, 1).expand(3, SIDE, SIDE).clone()
    picture[:, 0, 0] *= 1 - shade / 100
    return picture


def stream(mode: Callable[[int, int], int], inputs: int = 8, samples: int = 8) -> list[Item]:
    return [(f"{i:02d}", k, of_mode(mode(i, k), k)) for i in range(inputs) for k in range(samples)]


def noise(inputs: int, samples: int) -> list[Item]:
    draws = torch.Generator().manual_seed(5)
    return [
        (f"{i:02d}", k, torch.rand(3, 1, 1, generator=draws) * torch.rand(3, SIDE, SIDE, generator=draws) * 2 - 1)
        for i in range(inputs)
        for k in range(samples)
    ]  # fmt: skip


def values(scores: ModeScores) -> dict[str, float]:
    return {m.name: m.value for m in scores.measurements(0)}


def test_what_the_scores_hide_is_told_apart() -> None:
    """Half of the inputs reach all modes, the others one; six tenths of everything is tabby."""
    p = np.zeros((10, 4, 4))
    p[:5] = np.eye(4)
    p[5:, :, 1] = 1.0
    p[5:7, :, 1], p[5:7, :, 2] = 0.6, 0.4  # unsure, yet tabby
    scores = ModeScores(p, tuple("abcdefghij"), {"modes": list(MODES)})
    found = values(scores)
    assert found["modes-reached"] == 0.5
    assert found["exp-cis"] == pytest.approx(math.exp(found["cis"])) and found["cis"] > 0.5
    assert scores.counts[0].tolist() == [1, 1, 1, 1]
    assert scores.counts[5].tolist() == [0, 4, 0, 0]
    counts, means = ([of[k] for of in scores.distribution().values()] for k in ("count", "mean"))
    assert counts == [5, 25, 5, 5]
    assert means == pytest.approx([0.125, 0.545, 0.205, 0.125], abs=1e-12)
    assert found["mode-entropy"] == pytest.approx(stats.entropy(means), abs=1e-12)
    assert found["mode-confidence"] == pytest.approx((8 + 2 * 0.6) / 10, abs=1e-12)


def test_a_deterministic_method_has_cis_exactly_0_whatever_the_batches() -> None:
    again = [(name, k, picture) for k in range(9) for name, _, picture in noise(7, 1)]
    for batch_size in (3, 64):
        classifier = Convolutions()
        found = values(mode_scores(again, classifier, MODES, batch_size=batch_size))
        assert found["cis"] == 0 and found["is"] > 0.01
        assert sum(classifier.calls) == 7  # equal pictures are classified once
        assert max(classifier.calls) <= batch_size


def test_neither_order_nor_batch_size_matters() -> None:
    # Of 6 inputs, resamples would tie with the sample, and last bits decide how BCa counts those.
    items = noise(12, 7)
    first = mode_scores(items, Convolutions(), MODES, batch_size=84)
    assert np.ptp(first.probabilities, axis=1).min() > 1e-4  # translations differ
    order = np.random.default_rng(0).permutation(len(items))
    again = mode_scores([items[k] for k in order], Convolutions(), MODES, batch_size=5)
    assert again.probabilities == pytest.approx(first.probabilities, abs=1e-5)
    assert (again.input_ids, again.protocol) == (first.input_ids, first.protocol)
    for one, two in zip(first.measurements(3), again.measurements(3), strict=True):
        assert one.value == pytest.approx(two.value, abs=1e-5)
        assert one.interval.high == pytest.approx(two.interval.high, abs=1e-4)


def test_rows_are_those_of_their_pictures() -> None:
    items = noise(4, 3)
    scores = mode_scores(items[::-1], Colours(2.0), MODES, batch_size=5)
    in_bytes = torch.stack([((p + 1) * 127.5).round() for _, _, p in items]) / 127.5 - 1
    expected = Colours(2.0).probabilities(in_bytes).numpy().reshape(4, 3, 4)
    assert scores.probabilities == pytest.approx(expected, abs=len(MODES) / 2 / STEPS)
    assert scores.input_ids == ("00", "01", "02", "03")


def test_real_pictures_have_an_is_and_no_cis() -> None:
    pictures = [(f"{i:03d}.png", 0, of_mode(i % 4, i)) for i in range(40)]
    scores = mode_scores(pictures, Colours(), MODES)
    found = {m.name: m for m in scores.measurements(0)}
    assert set(found) == {"is", "exp-is", "mode-entropy", "mode-confidence"}
    assert found["is"].value == pytest.approx(math.log(4), abs=1e-12)
    assert found["is"].protocol["protocol"] == "real@40"
    assert found["is"].interval.over == "pictures"


def test_measurements_hold_intervals_and_protocol() -> None:
    scores = mode_scores(noise(9, 5), Colours(2.0), MODES, {"direction": "a2b"})
    for m in scores.measurements(1):
        record = json.loads(json.dumps(m.as_dict(), allow_nan=False))
        assert record["interval"]["low"] <= record["value"] <= record["interval"]["high"]
        assert record["interval"]["over"] == "inputs"
        assert record["protocol"] == {
            "protocol": "paper@9x5", "N": 9, "K": 5, "modes": list(MODES), "ln_modes": math.log(4),
            "resolution": [SIDE, SIDE], "classifier": "colours", "sha256": "ab" * 32,
            "accuracy": 0.99, "direction": "a2b",
        }  # fmt: skip
    ends = {m.name: np.array([m.interval.low, m.interval.high]) for m in scores.measurements(1)}
    for name in ("is", "cis"):
        assert ends[f"exp-{name}"].tolist() == [math.exp(end) for end in ends[name]]


def test_a_share_of_all_or_none_of_the_inputs_is_not_certain() -> None:
    everything = mode_scores(stream(lambda i, k: k % 4), Colours(), MODES)
    nothing = mode_scores(stream(lambda i, k: i % 4), Colours(), MODES)
    for scores, limits in ((everything, (0.676, 1)), (nothing, (0, 0.324))):  # 8 / (8 + 1.96^2)
        interval = {m.name: m.interval for m in scores.measurements(0)}["modes-reached"]
        assert (interval.low, interval.high) == pytest.approx(limits, abs=1e-3)
        assert interval.low == 0 or interval.high == 1


def test_probabilities_survive_a_file(tmp_path: Path) -> None:
    scores = mode_scores(noise(5, 6), Convolutions(), MODES, {"note": 1})
    path = tmp_path / "deep" / "raw.npz"
    mode_scores(noise(2, 2), Colours(), MODES).save(path)
    os.link(path, tmp_path / "before.npz")
    for kept in (scores, scores.compact()):
        kept.save(path)
        again = load_mode_scores(path)
        assert np.array_equal(again.probabilities, kept.probabilities)
        assert (again.input_ids, again.protocol) == (kept.input_ids, kept.protocol)
    assert load_mode_scores(tmp_path / "before.npz").input_ids == ("00", "01")  # not written over
    assert [p.name for p in path.parent.iterdir()] == ["raw.npz"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*raw\.npz"):
        scores.save(tmp_path / "file" / "raw.npz")


def test_compact_probabilities_move_no_score_by_more_than_is_said() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 4, 10):
        p = rng.dirichlet(np.full(k, 0.03), (50, 20))  # nearly certain: where rounding hurts
        names = tuple(f"{i:02d}" for i in range(50))
        found = ModeScores(p, names, {"modes": [*map(str, range(k))]})
        few = found.compact()
        assert np.abs(few.probabilities - p).max() <= k / 131_070
        moved = np.subtract(found.sums.scores(), few.sums.scores())
        assert 0 < np.abs(moved).max() < 9e-5 * (k - 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p * 0.9, r"by classifier colours: row \[0\] sums to 0\.9"),
        (lambda p: p[:, :3], r"colours gives \(8, 3\) for 8 pictures of 4 modes"),
    ],
)
def test_classifiers_that_give_no_probabilities_are_refused(change, message, monkeypatch):
    right = Colours.probabilities
    monkeypatch.setattr(Colours, "probabilities", lambda *given: change(right(*given)))
    with pytest.raises(UserError, match=message):
        mode_scores(stream(lambda i, k: k % 4, 1), Colours(), MODES)


def test_a_classifier_of_other_modes_is_refused() -> None:
    with pytest.raises(UserError, match=f"colours knows the modes {', '.join(MODES)}, the domain"):
        mode_scores(noise(2, 2), Colours(), (*MODES, "lion"))


def filled(value: float, side: int = SIDE) -> Tensor:
    return torch.full((3, side, side), float(value))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no pictures to measure"),
        (noise(3, 4)[:-1], "11 translations are not samples 0 to S - 1 of each of 3 inputs"),
        ([*noise(3, 4), noise(1, 1)[0]], "sample 0 of input '00' came twice"),
        ([("a", 0, filled(2))], r"sample 0 of input 'a': pictures have values in \[2, 2\]"),
        ([("a", 0, filled(0)), ("a", 1, filled(0, 8))], "sample 1 of input 'a' is 8x8, others are 16"),
    ],
)  # fmt: skip
def test_streams_that_make_no_sense_are_refused(items: list[Item], message: str) -> None:
    with pytest.raises(UserError, match=message):
        mode_scores(items, Colours(), MODES)
