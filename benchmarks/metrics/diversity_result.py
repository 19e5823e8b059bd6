"""Raw values of a diversity measurement, what is computed from them, and their file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.files import load_arrays, save_arrays
from benchmarks.intervals import Interval, bootstrap_mean, dyadic_mean
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.lpips_features import MEASURED_SIDE
from benchmarks.networks.weights import LpipsWeights

METRIC_OF = {
    weights: Metric(
        name=f"diversity-{weights}",
        unit="LPIPS" if weights == "lpips" else weights,
        direction="higher",
        protocol=f"mean distance ({text}) over pairs of translations of one input, then over "
        "inputs; for real data over random pairs of pictures; pictures whose shorter side "
        f"is under {MEASURED_SIDE} px are enlarged to it",
        limits=(0.0, None),
    )
    for weights, text in {
        "lpips": "LPIPS, AlexNet trained on ImageNet",
        "lpips-unverified": "LPIPS, an AlexNet file of unknown training",
    }.items()
}


@dataclass(frozen=True)
class DiversityResult:
    """``distances`` is (inputs, pairs), rows in the order of ``input_ids`` (sorted). For real data
    each row is one pair of pictures, ``pair_ids`` (pairs, 2) names them and ``input_ids`` is
    empty. ``value`` is the mean over rows of the means over their pairs."""

    distances: NDArray[np.float32]
    input_ids: tuple[str, ...]
    pair_ids: NDArray[np.str_]
    protocol: dict[str, Any]
    seed: int

    @property
    def value(self) -> float:
        return float(self.distances.mean(axis=1, dtype=np.float64).mean())

    @property
    def per_input(self) -> dict[str, float]:
        means = self.distances.mean(axis=1, dtype=np.float64)
        return dict(zip(self.input_ids, means.tolist(), strict=True)) if self.input_ids else {}

    @cached_property
    def interval(self) -> Interval:
        """95 %: bootstrap over inputs; for real data the variance of pairs sharing pictures."""
        if self.input_ids:
            return bootstrap_mean(list(self.per_input.values()), self.seed)
        return dyadic_mean(self.distances[:, 0], self.pair_ids)

    def measurement(self) -> Measurement:
        metric = METRIC_OF[self.protocol["extractor"]]
        return Measurement(metric.name, self.value, self.interval, self.protocol)

    def as_dict(self) -> dict[str, Any]:
        return self.measurement().as_dict()

    def save(self, path: Path) -> None:
        """Writes the raw values as ``.npz``: whole or not at all."""
        arrays = {"distances": self.distances, "pair_ids": self.pair_ids}
        save_arrays(path, {"protocol": self.protocol, "seed": self.seed}, arrays, self.input_ids)

    @classmethod
    def load(cls, path: Path) -> DiversityResult:
        """Reads what ``save`` wrote; UserError for anything else."""
        meta, of = load_arrays(path)
        ids = tuple(of["input_ids"].tolist())
        return cls(of["distances"], ids, of["pair_ids"], meta["protocol"], meta["seed"])


def describe(weights: LpipsWeights) -> dict[str, Any]:
    """What a record needs to know of the network that measured."""
    return {
        "extractor": weights.name,
        "network": "alexnet",
        "version": weights.version,
        "sha256": weights.sha256,
        "source": weights.source,
        "lpips_package": version("lpips"),
    }
