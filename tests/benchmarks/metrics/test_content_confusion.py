"""Content confusion: closed forms, invariances, streams and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.metric import Measurement
from benchmarks.metrics.content_confusion import ContentScores, ContentTable, confusion
from benchmarks.networks.streams import consume
from models.errors import UserError

Item = tuple[str, int, Tensor]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([3, seed]).standard_normal(shape)


def content_confusion(read: np.ndarray, truth: np.ndarray) -> Measurement:
    return ContentTable(read, truth, (), {}).measurement(4)


def test_content_that_is_kept_has_none() -> None:
    truth = normal(20, 4)
    kept = np.repeat(truth[:, None], 3, axis=1)
    assert confusion(kept, truth).tolist() == [[0.0] * 3] * 20
    m = content_confusion(kept, truth)
    assert (m.value, m.interval.low, m.interval.high) == (0, 0, 0)


def test_content_that_is_lost_is_at_chance() -> None:
    """A method that ignores its input draws the same contents whatever the input."""
    truth, lost = normal(30, 4), np.repeat(normal(1, 6, 4, seed=1), 30, axis=0)
    assert content_confusion(lost, truth).value == pytest.approx(0.5, abs=1e-12)
    drawn = content_confusion(normal(200, 5, 4, seed=2), normal(200, 4))
    assert drawn.value == pytest.approx(0.5, abs=0.05)
    assert drawn.interval.low < 0.5 < drawn.interval.high


def test_ties_count_one_half() -> None:
    truth = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert confusion(truth[:, None], truth).tolist() == [[1 / 6]] * 4
    assert confusion(np.full((4, 2, 1), 0.5), truth).tolist() == [[0.5, 0.5]] * 4


def test_an_input_counts_once_however_wrong_it_is_in_how_many_samples() -> None:
    truth = np.array([[0.0], [1.0], [2.0]])
    read = np.array([[[0.0], [0.0]], [[1.0], [0.2]], [[2.0], [-9.0]]])
    assert confusion(read, truth).tolist() == [[0, 0], [0, 0.5], [0, 1]]
    assert content_confusion(read, truth).value == pytest.approx((0 + 0.25 + 0.5) / 3)


def test_order_of_inputs_samples_and_factors_does_not_matter() -> None:
    read, truth = normal(12, 5, 3, seed=7), normal(12, 3, seed=8)
    found = confusion(read, truth)
    draws = np.random.default_rng(0)
    i, k, f = (draws.permutation(n) for n in (12, 5, 3))
    again = confusion(read[i][:, k][..., f], truth[i][:, f])
    assert again.tolist() == found[i][:, k].tolist()


class MeanColour:
    """Reads red and green off pictures."""

    name, used, r2, sha256 = "mean-colour", ("red", "green"), {"red": 0.9, "green": 0.8}, "ab" * 32

    def read(self, pictures: Tensor) -> np.ndarray:
        return pictures.mean(dim=(2, 3))[:, :2].double().numpy()


TRUTH = {f"{i:02d}": normal(2, seed=i) / 4 for i in range(8)}


def stream(noise: float) -> list[Item]:
    """Three pictures of each input, whose colours are its content's but for some noise."""
    found = []
    for i, (name, content) in enumerate(TRUTH.items()):
        for k in range(3):
            colour = np.append(content + noise * normal(2, seed=100 + 10 * i + k), 0)
            found.append((name, k, torch.from_numpy(colour).float()[:, None, None].expand(3, 4, 4)))
    return found


def collected(items: list[Item]) -> ContentTable:
    scores: Any = ContentScores(MeanColour(), TRUTH, {"domain": "colours"}, batch_size=5)
    return consume(scores, items)


def test_rows_are_those_of_their_inputs_and_the_protocol_says_who_read() -> None:
    table = collected(stream(0)[::-1])
    assert table.input_ids == tuple(TRUTH)
    expected = np.repeat(table.truth[:, None], 3, axis=1)
    assert table.predictions == pytest.approx(expected, abs=1 / 255)  # of bytes, kept as halves
    record = json.loads(json.dumps(table.measurement(2).as_dict(), allow_nan=False))
    assert record["protocol"] == {
        "protocol": "paper@8x3", "N": 8, "K": 3, "reader": "mean-colour", "sha256": "ab" * 32,
        "factors": ["red", "green"], "r2": {"red": 0.9, "green": 0.8}, "domain": "colours",
    }  # fmt: skip


def test_which_factor_is_lost() -> None:
    table = collected(stream(0))
    red, green = table.predictions[..., 0], table.predictions[..., 1]
    lost = replace(table, predictions=np.stack([red, 0 * green], axis=2))
    assert lost.by_factor == {"red": 0, "green": pytest.approx(0.5)}
    assert table.by_factor == {"red": 0, "green": 0}


def test_raw_values_are_kept(tmp_path: Path) -> None:
    table = collected(stream(0.1))
    table.save(tmp_path / "content.npz")
    with np.load(tmp_path / "content.npz", allow_pickle=False) as file:
        found = confusion(file["predictions"], file["truth"]).mean()
        assert found == pytest.approx(table.measurement(0).value)
        assert tuple(file["input_ids"]) == table.input_ids
        assert json.loads(str(file["meta"])) == table.protocol


def test_streams_that_do_not_fit_are_refused() -> None:
    (first, *_) = stream(0)
    for wrong, message in (
        (("99", *first[1:]), "the true content of input '99' is not known"),
        (first, "measure more inputs"),
    ):
        with pytest.raises(UserError, match=message):
            collected([wrong]).measurement(0)
