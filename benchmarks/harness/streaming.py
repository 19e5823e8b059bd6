"""Metrics for any method in any framework: pictures go in batch by batch, numbers come out.

    metric = diversity("paper", inputs=100, samples=38)
    for input_ids, samples in batches:  # samples: (B, S, H, W, 3), uint8
        metric.update(input_ids, samples)
    for name, measured in metric.compute().items():
        print(name, measured.value, measured.interval)

Pictures are measured as PNG files of them hold them, so arrays, tensors and files give equal numbers.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from tqdm import tqdm

from benchmarks.files import foreign, sha256_file
from benchmarks.harness.arrays import Range, in_memory, in_range
from benchmarks.harness.layouts import pictures_under
from benchmarks.harness.outputs import one_size
from benchmarks.metric import Accumulates, Measurement
from benchmarks.metrics.diversity import Diversity, DiversityResult
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.fidelity import FidelityResult, check_counts
from benchmarks.metrics.fidelity import fidelity as scores_of
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.metrics.mode_scores import ClassifiesModes, ModeProbabilities, ModeScores
from benchmarks.networks.extractors import (
    INCEPTION_DIMS,
    Extraction,
    Extractor,
    Features,
    extract,
    inception_extractor,
)
from benchmarks.networks.mode_classifiers import load_mode_classifier
from benchmarks.networks.weights import Version, trained
from benchmarks.pictures import read, size_of, tensor_of
from models.errors import UserError

Device = torch.device | str
Classify = Callable[[Tensor], ArrayLike | Tensor]
T = TypeVar("T")


class Streaming(Generic[T]):
    """A metric in torchmetrics' habit. ``value_range``: of floats that it will be given. ``most``: inputs,
    and samples of each, that it takes."""

    def __init__(
        self, metric: Accumulates[T], measured: Callable[[T], Sequence[Measurement]],
        value_range: Range | None = None, most: tuple[float, float] = (math.inf, math.inf),
    ) -> None:  # fmt: skip
        self._metric, self._measured, self._range = metric, measured, value_range
        self._most, self._size = most, torch.Size()
        self._count = Counter[str]()
        self._result: T | None = None

    def update(self, input_ids: Sequence[str], samples: ArrayLike | Tensor) -> None:
        """Translations of the inputs called ``input_ids`` (B): further samples of each.

        ``samples``: (B, S, H, W, 3) or, one a call, (B, H, W, 3); of tensors also with channels
        first. uint8, or floats in the declared range. Memory is least where all samples of an input
        come together. Raises UserError for anything else, and takes nothing then.
        """
        given, names = in_memory(samples), [*map(str, input_ids)]
        if given.ndim == 4:
            given = given[:, None]
        fits = given.ndim == 5 and len(given) == len(names) and 0 not in given.shape
        if not fits or isinstance(input_ids, str):
            raise UserError(
                f"{len(names)} inputs with samples of shape {tuple(given.shape)}: give "
                "(inputs, samples, H, W, 3)"
            )
        if given.shape[-1] == 3:
            given = given.movedim(-1, 2)
        if given.shape[2] != 3:
            raise UserError(f"samples of shape {tuple(given.shape)}: pictures have 3 channels, RGB")
        if self._size not in (torch.Size(), given.shape[2:]):
            raise UserError(
                f"samples of shape {tuple(given.shape)}, others are {tuple(self._size)}: all must have "
                "one size"
            )
        counts = self._count + Counter(names * given.shape[1])
        for what, count, most in (
            ("inputs", len(counts), self._most[0]),
            ("samples of an input", max(counts.values(), default=0), self._most[1]),
        ):
            if count > most:
                raise UserError(f"{count} {what}, of {most} that are measured: pass fewer")
        for pictures in given:
            in_range(pictures, self._range)  # or nothing is taken
        for name, pictures in zip(names, given, strict=True):
            for picture in in_range(pictures, self._range):
                self.take(name, self._count[name], picture)

    def take(self, name: str, sample: int, picture: Tensor) -> None:
        """One translation (3, H, W) in [-1, 1], as a PNG file holds it."""
        self._metric.update(name, sample, picture)
        self._count[name], self._size = sample + 1, picture.shape
        self._result = None

    def compute(self) -> dict[str, Measurement]:
        """The numbers by name, with 95 % intervals over inputs and all that defines them."""
        return {measured.name: measured for measured in self._measured(self.result)}

    @property
    def result(self) -> T:
        """Raw values; UserError where samples or inputs are missing."""
        if self._result is None:
            self._result = self._metric.finish()
        return self._result


def diversity(
    protocol: str = "paper", inputs: int | None = None, samples: int | None = None, *,
    lpips: Version = "0.0", value_range: Range | None = None, device: Device = "cpu", seed: int = 0,
    weights: Path | None = None,
) -> Streaming[DiversityResult]:  # fmt: skip
    """LPIPS diversity by a ``protocol`` (paper, consecutive, all-pairs) and version of LPIPS, of so many
    ``inputs`` and ``samples`` of each: without them, as many as the protocol has."""
    name = protocol if lpips == "0.0" else f"{protocol}-v{lpips}"
    found = get_protocol(name, inputs, samples)
    distance = LpipsDistance(trained(found.version, weights), device)
    metric, most = Diversity(distance, found, seed=seed), (found.inputs, found.samples)
    return Streaming(metric, lambda result: [result.measurement()], value_range, most)


def modes(
    classifier: ClassifiesModes, *, value_range: Range | None = None, seed: int = 0
) -> Streaming[ModeScores]:
    """IS and CIS by a ``classifier`` of the target domain's modes (``open_classifier`` opens files)."""
    return Streaming(
        ModeProbabilities(classifier, classifier.modes), lambda r: r.measurements(seed), value_range
    )


class _AgainstReal:
    """Fidelity of translations that come one by one, to real pictures, whose features are taken as
    soon as the first translation is of their size."""

    def __init__(self, real: Sequence[Path], extractor: Extractor, progress: bool) -> None:
        self._real, self._size = real, one_size(real, size_of)
        self._extractor, self._progress = extractor, progress
        self._fake = Extraction(extractor)
        self._features: Features | None = None

    def update(self, name: str, sample: int, picture: Tensor) -> None:
        if self._features is None:
            height, width = picture.shape[1:]
            if (width, height) != self._size:
                raise UserError(
                    f"translations are {width}x{height}, {self._real[0]} is "
                    "{}x{}: resize them to one size".format(*self._size)
                )
            paths = tqdm(self._real, unit="real picture", disable=not self._progress)
            pictures = ((str(path), 0, tensor_of(read(path))) for path in paths)
            self._features = extract(pictures, self._extractor)
        self._fake.update(name, sample, picture)

    def finish(self) -> FidelityResult:
        fake = self._fake.finish()
        assert self._features is not None  # which the first of them asked for
        return scores_of(fake, self._features, self._extractor)


def fidelity(
    real: Path, inputs: int | None = None, samples: int | None = None, *,
    extractor: Extractor | None = None, weights: Path | None = None,
    value_range: Range | None = None, device: Device = "cpu", progress: bool = False,
) -> Streaming[FidelityResult]:  # fmt: skip
    """FID, KID, precision and recall against the pictures in the folder ``real``, which have the size of
    the translations; by torch-fidelity's Inception-v3, with its own or other ``weights``, or another
    ``extractor``. ``inputs``, ``samples`` of each: how many will come, if that is known; too few are
    refused at once."""
    paths = [*pictures_under(real).values()]
    if inputs is not None and samples is not None:
        dims = INCEPTION_DIMS if extractor is None else extractor.dims
        check_counts(inputs, inputs * samples, len(paths), dims)
    if extractor is None:
        extractor = inception_extractor(weights, allow_download=True, device=device)
    metric = _AgainstReal(paths, extractor, progress)
    return Streaming(metric, FidelityResult.measurements, value_range)


@dataclass(frozen=True)
class GivenClassifier:
    """Someone's classifier, of which nothing is known but what it answers: ``call`` takes float32
    (B, 3, H, W) in [-1, 1] to (B, K) probabilities, or with ``logits`` to what softmax makes them of."""

    name: str
    modes: tuple[str, ...]
    sha256: str
    call: Classify
    logits: bool = False
    accuracy: float | None = None

    @torch.inference_mode()
    def probabilities(self, pictures: Tensor) -> Tensor:
        with foreign(f"{self.name} fails on pictures {tuple(pictures.shape)}", "mend it"):
            found = torch.as_tensor(self.call(pictures)).double()
            return found.softmax(dim=1) if self.logits else found


def open_classifier(
    word: str, size: tuple[int, int], *, modes: Sequence[str] = (), logits: bool = False,
    device: Device = "cpu",
) -> ClassifiesModes:  # fmt: skip
    """The classifier that ``word`` names: a file of ours, a TorchScript file, or ``module:function``.

    ``size``: height and width of the pictures. ``modes``: their names, else numbers. UserError for
    what is none, and for answers that are no row of numbers a picture.
    """
    path = Path(word)
    if path.suffix == ".safetensors":
        if modes or logits:
            raise UserError(
                f"{word} knows its modes and how it answers: leave out --modes, --logits"
            )
        return load_mode_classifier(path, device)
    call, sha256 = _function(word) if ":" in word and not path.exists() else _script(path, device)
    # Its modes are known from its answer.
    answer = GivenClassifier(word, (), sha256, call).probabilities(torch.zeros(2, 3, *size))
    if answer.ndim != 2 or len(answer) != 2 or answer.shape[1] < 2:
        raise UserError(
            f"{word} answers {tuple(answer.shape)} for 2 pictures: it must give (2, modes)"
        )
    names = tuple(modes) or tuple(map(str, range(answer.shape[1])))
    if len(set(names)) != answer.shape[1]:
        raise UserError(f"{word} knows {answer.shape[1]} modes, --modes names {len(set(names))}")
    return GivenClassifier(word, names, sha256, call, logits)


def _script(path: Path, device: Device) -> tuple[Classify, str]:
    if not path.is_file():
        raise UserError(
            f"{path}: no such file: give a classifier's .safetensors, a TorchScript file or "
            "module:function"
        )
    load: Any = torch.jit.load  # which has no types
    with (
        foreign(f"{path} is no TorchScript file", "save it by torch.jit.save"),
        warnings.catch_warnings(),  # deprecated, and what people have
    ):
        warnings.simplefilter("ignore", FutureWarning)
        network = load(str(path), map_location=device).eval()
    call: Classify = lambda pictures: network(pictures.to(device)).cpu()  # noqa: E731
    return call, sha256_file(path)


def _function(word: str) -> tuple[Classify, str]:
    module, _, name = word.partition(":")
    with foreign(f"{word} cannot be imported", "mend it, or write module:function"):
        code = importlib.import_module(module)
        found: Classify = getattr(code, name)
    if not callable(found):
        raise UserError(f"{word} is no function: give one that takes pictures to probabilities")
    file = getattr(code, "__file__", None)
    return found, sha256_file(Path(file)) if file else ""
