"""FID, KID, precision and recall: protocol, raw values, intervals. That the numbers are
torch-fidelity's is tested through the command."""

import numpy as np
import pytest
import torch

from benchmarks.intervals import jackknife, jackknife_interval, jackknife_variance, leave_out
from benchmarks.metrics.fidelity import fidelity, scores
from benchmarks.networks.extractors import Extractor, Features
from models.errors import UserError

NAME = "small-resnet-2"
EXTRACTOR = Extractor(NAME, NAME, "0" * 64, 8, "none", torch.nn.Identity(), torch.device("cpu"))


def normal(count: int, dims: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed))


def table(values: torch.Tensor, samples: int = 1) -> Features:
    keys = [(f"{i // samples:05d}", i % samples) for i in range(len(values))]
    return Features(tuple(keys), values, (32, 32))


def test_fid_of_equal_sets_is_not_below_0():
    found = [scores(x, x.clone())["fid"] for x in (normal(200, seed=k) for k in range(8))]
    assert min(found) >= 0 and max(found) < 1e-4


def test_measurements_carry_protocol_and_intervals():
    result = fidelity(table(normal(200), 4), table(normal(200, seed=1)), EXTRACTOR, {"note": 7})
    found = {m.name: m for m in result.measurements()}
    assert set(found) == {f"{s}-{NAME}" for s in ("fid", "kid", "precision", "recall")}
    for m in found.values():
        assert m.protocol["N_fake"] == m.protocol["N_real"] == 200
        assert m.protocol["K"] == 4
        assert m.protocol["note"] == 7
        assert m.protocol["sha256"] == "0" * 64
        assert m.interval.low <= m.value <= m.interval.high
        assert m.interval.over == "inputs"


def test_numbers_that_would_not_compare_are_refused():
    real = table(normal(200, seed=1))
    for fake, message in (
        (Features(table(normal(200)).keys, normal(200), (64, 64)), r"are \(64, 64\), real"),
        (table(normal(200), 25), "8 inputs cannot be left out in 10 groups"),
        (Features((*table(normal(199), 2).keys, ("x", 0)), normal(200), (32, 32)), "different num"),
    ):
        with pytest.raises(UserError, match=message):
            fidelity(fake, real, EXTRACTOR)


def whole(triangle):
    """The symmetric matrix of an upper triangle."""
    found = np.zeros((EXTRACTOR.dims,) * 2)
    found[np.triu_indices(EXTRACTOR.dims)] = triangle
    return found + np.triu(found, 1).T


def test_raw_values_tell_the_fid(tmp_path):
    result = fidelity(table(normal(200)), table(normal(200, seed=1) * 1.5), EXTRACTOR)
    result.save(tmp_path / "raw.npz")
    with np.load(tmp_path / "raw.npz", allow_pickle=False) as raw:
        difference = raw["fake_mean"] - raw["real_mean"]
        fake, real = (whole(raw[f"{side}_covariance"]) for side in ("fake", "real"))
        product = np.linalg.eigvals(fake @ real)
        traces = np.trace(fake) + np.trace(real)
        found = difference @ difference + traces - 2 * np.sqrt(product.astype(complex)).real.sum()
        assert found == pytest.approx(result.values["fid"], rel=1e-5)
        assert raw["without_group_recall"].tolist() == result.replicates["recall"]


def test_jackknife_of_a_mean_is_its_textbook_variance():
    x = np.random.default_rng(0).normal(size=50)
    replicates = jackknife(lambda kept: float(x[kept].mean()), 50, 50)
    assert jackknife_variance(replicates) == pytest.approx(x.var(ddof=1) / 50, rel=1e-12)


def test_jackknife_leaves_every_input_out_once():
    groups = leave_out(23, 10)
    assert len(groups) == 10
    assert sorted(23 - len(kept) for kept in groups) == [2] * 7 + [3] * 3
    left = [set(range(23)) - set(kept.tolist()) for kept in groups]
    assert sorted(i for group in left for i in group) == list(range(23))


def test_jackknife_intervals_are_cut_at_the_limits():
    found = jackknife_interval(0.9, 0.01, 10, "inputs", (0.0, 1.0))
    assert found.high == 1
    assert found.low == pytest.approx(0.9 - 2.262157 * 0.1, abs=1e-6)  # t with 9 degrees, 97.5%
