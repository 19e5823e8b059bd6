"""Streaming metrics for any method in any framework: update with batches, then compute.

    metric = diversity("paper", inputs=100, samples=38)
    for input_ids, samples in batches:  # samples: (B, S, H, W, 3), uint8
        metric.update(input_ids, samples)
    for name, measured in metric.compute().items():
        print(name, measured.value, measured.interval)

Pictures are quantised as in PNG files, so arrays, tensors and files give equal results.
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
    """A metric with torchmetrics' interface (``update``, ``compute``).

    ``value_range``: range of the floats given to ``update``. ``most``: greatest numbers of inputs
    and of samples per input."""

    def __init__(
        self, metric: Accumulates[T], measured: Callable[[T], Sequence[Measurement]],
        value_range: Range | None = None, most: tuple[float, float] = (math.inf, math.inf),
    ) -> None:  # fmt: skip
        self._metric, self._measured, self._range = metric, measured, value_range
        self._most, self._size = most, torch.Size()
        self._count = Counter[str]()
        self._result: T | None = None

    def update(self, input_ids: Sequence[str], samples: ArrayLike | Tensor) -> None:
        """Add samples of the inputs ``input_ids`` (B).

        ``samples``: (B, S, H, W, 3) or, for one sample each, (B, H, W, 3); channels may come first.
        uint8, or floats in the declared range. Passing all samples of an input together saves
        memory. Raises UserError for anything else and then leaves the metric unchanged.
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
                f"samples of shape {tuple(given.shape)}, but earlier ones are {tuple(self._size)}: all "
                "must have the same size"
            )
        counts = self._count + Counter(names * given.shape[1])
        for what, count, most in (
            ("inputs", len(counts), self._most[0]),
            ("samples of an input", max(counts.values(), default=0), self._most[1]),
        ):
            if count > most:
                raise UserError(f"{count} {what}, but the metric takes {most}: pass fewer")
        for pictures in given:
            in_range(pictures, self._range)  # raises before the metric changes
        for name, pictures in zip(names, given, strict=True):
            for picture in in_range(pictures, self._range):
                self.take(name, self._count[name], picture)

    def take(self, name: str, sample: int, picture: Tensor) -> None:
        """Add one translation (3, H, W) in [-1, 1], quantised as in a PNG file."""
        self._metric.update(name, sample, picture)
        self._count[name], self._size = sample + 1, picture.shape
        self._result = None

    def compute(self) -> dict[str, Measurement]:
        """Return the measurements by name, with 95 % intervals over inputs and their protocol."""
        return {measured.name: measured for measured in self._measured(self.result)}

    @property
    def result(self) -> T:
        """Raw values; raises UserError if samples or inputs are missing."""
        if self._result is None:
            self._result = self._metric.finish()
        return self._result


def diversity(
    protocol: str = "paper", inputs: int | None = None, samples: int | None = None, *,
    lpips: Version = "0.0", value_range: Range | None = None, device: Device = "cpu", seed: int = 0,
    weights: Path | None = None,
) -> Streaming[DiversityResult]:  # fmt: skip
    """Create LPIPS diversity by a ``protocol`` (paper, consecutive, all-pairs) and LPIPS version,
    for a number of ``inputs`` and of ``samples`` per input (default: the protocol's)."""
    name = protocol if lpips == "0.0" else f"{protocol}-v{lpips}"
    found = get_protocol(name, inputs, samples)
    distance = LpipsDistance(trained(found.version, weights), device)
    metric, most = Diversity(distance, found, seed=seed), (found.inputs, found.samples)
    return Streaming(metric, lambda result: [result.measurement()], value_range, most)


def modes(
    classifier: ClassifiesModes, *, value_range: Range | None = None, seed: int = 0
) -> Streaming[ModeScores]:
    """Create IS and CIS by a ``classifier`` of the target's modes (see ``open_classifier``)."""
    return Streaming(
        ModeProbabilities(classifier, classifier.modes), lambda r: r.measurements(seed), value_range
    )


class _AgainstReal:
    """Fidelity of streamed translations to real pictures. The real features are extracted once the
    first translation has been found to have the real pictures' size."""

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
                    "{}x{}: resize them to the same size".format(*self._size)
                )
            paths = tqdm(self._real, unit="real picture", disable=not self._progress)
            pictures = ((str(path), 0, tensor_of(read(path))) for path in paths)
            self._features = extract(pictures, self._extractor)
        self._fake.update(name, sample, picture)

    def finish(self) -> FidelityResult:
        fake = self._fake.finish()
        assert self._features is not None  # extracted at the first update
        return scores_of(fake, self._features, self._extractor)


def fidelity(
    real: Path, inputs: int | None = None, samples: int | None = None, *,
    extractor: Extractor | None = None, weights: Path | None = None,
    value_range: Range | None = None, device: Device = "cpu", progress: bool = False,
) -> Streaming[FidelityResult]:  # fmt: skip
    """Create FID, KID, precision and recall against the pictures in the folder ``real``, which must
    have the translations' size. Features come from torch-fidelity's Inception-v3 (optionally with
    other ``weights``) or from ``extractor``. ``inputs`` and ``samples`` per input, if known, are
    checked at once: UserError if they are too few."""
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
    """A user's classifier: ``call`` maps float32 (B, 3, H, W) in [-1, 1] to (B, K) probabilities,
    or to logits if ``logits`` is set."""

    name: str
    modes: tuple[str, ...]
    sha256: str
    call: Classify
    logits: bool = False
    accuracy: float | None = None

    @torch.inference_mode()
    def probabilities(self, pictures: Tensor) -> Tensor:
        with foreign(f"{self.name} fails on pictures {tuple(pictures.shape)}", "fix it"):
            found = torch.as_tensor(self.call(pictures)).double()
            return found.softmax(dim=1) if self.logits else found


def open_classifier(
    word: str, size: tuple[int, int], *, modes: Sequence[str] = (), logits: bool = False,
    device: Device = "cpu",
) -> ClassifiesModes:  # fmt: skip
    """Open a classifier: this project's .safetensors, a TorchScript file, or ``module:function``.

    ``size``: height and width of the pictures. ``modes``: names of the modes (default: numbers).
    Raises UserError for anything else, or if the output is not one row of numbers per picture.
    """
    path = Path(word)
    if path.suffix == ".safetensors":
        if modes or logits:
            raise UserError(f"{word} defines its modes and its output: omit --modes and --logits")
        return load_mode_classifier(path, device)
    call, sha256 = _function(word) if ":" in word and not path.exists() else _script(path, device)
    # A trial call shows how many modes it has.
    answer = GivenClassifier(word, (), sha256, call).probabilities(torch.zeros(2, 3, *size))
    if answer.ndim != 2 or len(answer) != 2 or answer.shape[1] < 2:
        raise UserError(
            f"{word} returns {tuple(answer.shape)} for 2 pictures: it must return (2, modes)"
        )
    names = tuple(modes) or tuple(map(str, range(answer.shape[1])))
    if len(set(names)) != answer.shape[1]:
        raise UserError(f"{word} has {answer.shape[1]} modes, but --modes names {len(set(names))}")
    return GivenClassifier(word, names, sha256, call, logits)


def _script(path: Path, device: Device) -> tuple[Classify, str]:
    if not path.is_file():
        raise UserError(
            f"{path}: no such file: give a classifier's .safetensors, a TorchScript file or "
            "module:function"
        )
    load: Any = torch.jit.load  # untyped
    with (
        foreign(f"{path} is not a TorchScript file", "save it with torch.jit.save"),
        warnings.catch_warnings(),  # deprecated, but still in use
    ):
        warnings.simplefilter("ignore", FutureWarning)
        network = load(str(path), map_location=device).eval()
    call: Classify = lambda pictures: network(pictures.to(device)).cpu()  # noqa: E731
    return call, sha256_file(path)


def _function(word: str) -> tuple[Classify, str]:
    module, _, name = word.partition(":")
    with foreign(f"{word} cannot be imported", "fix it, or write module:function"):
        code = importlib.import_module(module)
        found: Classify = getattr(code, name)
    if not callable(found):
        raise UserError(f"{word} is not a function: give one that maps pictures to probabilities")
    file = getattr(code, "__file__", None)
    return found, sha256_file(Path(file)) if file else ""
