"""Raw values of a diversity measurement, what is computed from them, and their file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.files import foreign, save_arrays
from benchmarks.intervals import Interval, bootstrap_mean, dyadic_mean
from benchmarks.metric import Measurement, Metric, register
from benchmarks.metrics.lpips_features import MEASURED_SIDE
from benchmarks.networks.weights import LpipsWeights
from models.errors import UserError

METRIC_OF = {
    weights: register(
        Metric(
            name=f"diversity-{weights}",
            unit="LPIPS" if weights == "lpips" else weights,
            direction="higher",
            protocol=(
                f"mean distance ({text}) over pairs of translations of one input, then over "
                "inputs; for real data over random pairs of pictures; pictures whose shorter side "
                f"is under {MEASURED_SIDE} px are enlarged to it"
            ),
            limits=(0.0, None),
        )
    )
    for weights, text in {
        "lpips": "LPIPS, AlexNet trained on ImageNet",
        "lpips-unverified": "LPIPS, an AlexNet file of unknown training",
    }.items()
}


@dataclass(frozen=True)
class DiversityResult:
    """Distances of all pairs, and the protocol they were measured under.

    ``distances`` is (inputs, pairs), rows in the order of ``input_ids`` (sorted). For real data
    each row is one pair of pictures, ``pair_ids`` (pairs, 2) names them and ``input_ids`` is
    empty. ``value`` is the mean over rows of the means over their pairs.
    """

    distances: NDArray[np.float32]
    input_ids: tuple[str, ...]
    pair_ids: NDArray[np.str_]
    protocol: dict[str, Any]
    seed: int

    @property
    def n_inputs(self) -> int:
        return len(self.input_ids)

    @property
    def n_pairs(self) -> int:
        return int(self.distances.size)

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

    def save(self, path: Path | str) -> None:
        """Writes the raw values as ``.npz``: whole or not at all."""
        path = Path(path)
        if path.suffix != ".npz":
            raise UserError(f"{path}: raw diversity values are stored as .npz: rename it")
        arrays = {
            "distances": self.distances,
            "input_ids": np.array(self.input_ids, dtype=np.str_),
            "pair_ids": self.pair_ids,
        }
        save_arrays(path, {"protocol": self.protocol, "seed": self.seed}, arrays)

    @classmethod
    def load(cls, path: Path | str) -> DiversityResult:
        """Reads what ``save`` wrote; a missing, broken or foreign file raises UserError."""
        remedy = "measure again"
        with (
            foreign(f"{path}: no raw diversity values", remedy),
            Path(path).open("rb") as raw,
            np.load(raw, allow_pickle=False) as file,
        ):
            distances, pair_ids = file["distances"], file["pair_ids"]
            input_ids = tuple(str(name) for name in file["input_ids"])
            meta = json.loads(str(file["meta"]))
            result = cls(distances, input_ids, pair_ids, meta["protocol"], int(meta["seed"]))
        shape = (len(input_ids), len(pair_ids)) if input_ids else (len(pair_ids), 1)
        shaped = distances.shape == shape and pair_ids.shape[1:] == (2,) and distances.size > 0
        known = isinstance(result.protocol, dict) and result.protocol.get("extractor") in METRIC_OF
        if distances.dtype != np.float32 or not shaped or not known:
            raise UserError(f"{path}: inconsistent raw diversity values: {remedy}")
        return result


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
