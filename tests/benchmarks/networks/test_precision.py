"""What measures switches TF32 off for its process, once, and never for a while."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.extractors import Extraction
from benchmarks.networks.precision import full_precision
from benchmarks.networks.weights import trained
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.measuring.kept import Kept


def switches() -> tuple[bool, ...]:
    cudnn = torch.backends.cudnn
    return cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, cudnn.deterministic


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    """Switches as a training has them."""
    before = switches()
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic = True, True, False
    yield
    cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic = before


def test_classifiers_turn_them_off_for_good_and_autocast_for_the_while() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        with full_precision(torch.device("cpu")):
            assert not torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_enabled("cpu")
    assert switches() == (False, False, True)


def test_features_for_fid_turn_them_off() -> None:
    Extraction(cast(Any, None))
    assert switches() == (False, False, True)


def test_networks_that_measure_are_trained_without(tmp_path: Path) -> None:
    def train() -> Any:
        assert switches() == (False, False, True)
        raise UserError("enough")

    places = Places(tmp_path / "data", tmp_path / "runs", tmp_path / "results")
    with pytest.raises(UserError, match="enough"):
        Kept(places, "x", [], lambda path: None, train, "benchmarks.networks.classifiers").open()


def test_lpips_turns_them_off() -> None:
    LpipsDistance(trained("0.0")).features(torch.zeros(1, 3, 64, 64))
    assert switches() == (False, False, True)
