"""Metrics from Python: whatever frame pictures come in, the numbers are those of their files."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from outputs_case import LAYOUTS, Pixels, pixels_of, save

from benchmarks.harness.outputs import open_outputs
from benchmarks.harness.streaming import diversity, fidelity
from benchmarks.networks.extractors import Extractor
from models.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
NAMES = [f"in{i}" for i in range(4)]


@pytest.fixture(scope="module")
def of_files(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The number of the same pictures in files."""
    metric = diversity(inputs=4, samples=6)
    folder = tmp_path_factory.mktemp("files") / "out"
    for item in open_outputs(LAYOUTS["translate"](folder, pixels_of())).stream():
        metric.take(*item)
    return metric.compute()["diversity-lpips"].value


def channels_first(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 2)


FRAMES: dict[str, tuple[Callable[[Pixels], Any], tuple[float, float] | None]] = {
    "float32": (lambda p: (p / 127.5 - 1).astype(np.float32), (-1, 1)),
    "lists": (lambda p: p.astype(float).tolist(), (0, 255)),
    "tensors": (channels_first, None),
    "with gradients": (lambda p: (channels_first(p) / 255).requires_grad_(), (0, 1)),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_arrays_and_tensors_give_the_files_number(frame: str, of_files: float) -> None:
    given, value_range = FRAMES[frame]
    metric = diversity("paper", inputs=4, samples=6, value_range=value_range)
    for i in (0, 2):
        metric.update(NAMES[i : i + 2], given(pixels_of()[i : i + 2]))
    assert metric.compute()["diversity-lpips"].value == of_files


def test_samples_may_come_one_by_one_and_what_is_missing_is_named(of_files: float) -> None:
    pixels = pixels_of()
    metric = diversity(inputs=4, samples=6)
    for k in range(5):
        metric.update(NAMES, pixels[:, k])
    with pytest.raises(UserError, match="input 'in0' has 5 of 6 samples"):
        metric.compute()
    metric.update(NAMES, pixels[:, 5])
    assert metric.compute()["diversity-lpips"].value == of_files


@pytest.mark.parametrize(
    ("samples", "value_range", "message"),
    [
        (np.zeros((3, 6, 16, 16, 3), np.uint8), None, "4 inputs with samples of shape (3, 6"),
        (np.zeros((4, 6, 16, 16, 4), np.uint8), None, "pictures have 3 channels"),
        (np.zeros((4, 16, 16, 3)), None, "give uint8, or floats with their range"),
        (np.full((4, 16, 16, 3), 2.0), (-1, 1), "values in [2, 2] are outside [-1, 1]"),
        (np.zeros((4, 16, 16, 3), np.int32), (0, 255), "pictures are torch.int32"),
        (np.zeros((4, 0, 16, 16, 3), np.uint8), None, "4 inputs with samples of shape (4, 0"),
        ("text", None, "cannot be converted to a tensor"),
        (np.zeros((4, 16, 16, 3), np.longdouble), (0, 1), "cannot be converted to a tensor"),
    ],
)
def test_what_does_not_fit(samples: Any, value_range: Any, message: str) -> None:
    metric = diversity(inputs=4, samples=6, value_range=value_range)
    with pytest.raises(UserError, match=re.escape(message)):
        metric.update(NAMES, samples)


@pytest.mark.parametrize(
    ("names", "change", "message"),
    [
        (NAMES, lambda p: p[:, :, :8], "all must have the same size"),
        (NAMES, lambda p: np.where(p == p[3, 2, 1, 1, 1], np.nan, p), "values in [nan"),
        (["in0", "in1", "in2", "in4"], lambda p: p, "5 inputs, but the metric takes 4"),
        ("abcd", lambda p: p, "give (inputs, samples"),
        (NAMES, lambda p: p.repeat(3, axis=1), "12 samples of an input, but the metric takes 6"),
    ],
)
def test_a_batch_that_is_refused_leaves_nothing_behind(names, change, message, of_files):
    pixels = pixels_of()
    metric = diversity(inputs=4, samples=6, value_range=(0, 255))
    metric.update(NAMES, pixels[:, :3].astype(float))
    with pytest.raises(UserError, match=re.escape(message)):
        metric.update(names, change(pixels[:, 3:].astype(float)))
    metric.update(NAMES, pixels[:, 3:].astype(">f4")[..., ::-1][..., ::-1])
    assert metric.compute()["diversity-lpips"].value == of_files


def test_fidelity_is_refused_before_anything_is_extracted(tmp_path: Path) -> None:
    (real,) = LAYOUTS["flat"](tmp_path / "real", pixels_of())
    seen = list[int]()

    class Counts(Extractor):
        def features(self, pictures: torch.Tensor) -> torch.Tensor:
            seen.append(len(pictures))
            return torch.zeros(len(pictures), 4)

    own = Counts("a", "a", "0" * 64, 4, "here", torch.nn.Identity(), torch.device("cpu"))
    with pytest.raises(UserError, match="24 pictures for 2048 features"):
        fidelity(real, 100, 100)
    with pytest.raises(UserError, match="9 inputs cannot be left out"):
        fidelity(real, 9, 9, extractor=own)
    with pytest.raises(UserError, match=r"translations are 16x16, .*in0_0.png is 24x16"):
        fidelity(real, extractor=own).update(["a"], np.zeros((1, 16, 16, 3), np.uint8))
    save(real / "in9_0.png", pixels_of(1, 1, (8, 8))[0, 0])
    with pytest.raises(UserError, match="in9_0.png is 8x8"):
        fidelity(real, extractor=own)
    assert seen == []


def test_the_documented_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "benchmarks" / "harness" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    assert re.fullmatch(r"diversity-lpips 0\.\d+ Interval\(.*\)\n", capsys.readouterr().out)
