"""FID, KID, precision and recall of translations against real pictures of the target domain.

torch-fidelity computes them from features that were extracted picture by picture, so only features
are held in memory; the results equal its results on the saved files.

Sources: FID, Heusel et al., NIPS 2017; KID, Binkowski et al., ICLR 2018; improved precision and
recall, Kynkaanniemi et al., NeurIPS 2019. All depend on the numbers of pictures (FID and recall
most: with few pictures FID is too high), so compare methods only at equal numbers. There must be
more pictures than feature dimensions, or the covariance lacks full rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.files import save_arrays
from benchmarks.intervals import Limits, jackknife_interval, jackknife_variance, leave_out
from benchmarks.metric import Measurement, Metric
from benchmarks.networks.classifiers import INCEPTION, RECIPES
from models.errors import UserError

if TYPE_CHECKING:
    from benchmarks.networks.extractors import Extractor, Features

GROUPS = 10  # of inputs, for the jackknife
NEIGHBOURS = 3  # Kynkaanniemi et al., section 3
# Score -> torch-fidelity's name, definition, limits, digits.
_SCORES: dict[str, tuple[str, str, Limits, int]] = {
    "fid": (
        "frechet_inception_distance",
        "Frechet distance of Gaussians fitted to the features",
        (0.0, None),
        1,
    ),
    "kid": (
        "kernel_inception_distance_mean",
        "squared maximum mean discrepancy, cubic kernel, unbiased, over all pairs of pictures",
        (None, None),  # unbiased, so it may fall below 0
        3,
    ),
    "precision": (
        "precision",
        "share of translations within a real picture's 3 nearest neighbours",
        (0.0, 1.0),
        2,
    ),
    "recall": (
        "recall",
        "share of real pictures within a translation's 3 nearest neighbours; near 0 where the "
        "samples of an input are copies of each other",
        (0.0, 1.0),
        2,
    ),
}
SCORES = tuple(_SCORES)
METRIC_OF: dict[tuple[str, str], Metric] = {
    (score, extractor): Metric(
        name=f"{score}-{extractor}",
        unit="squared feature distance" if score == "fid" else "1",
        direction="lower" if score in ("fid", "kid") else "higher",
        protocol=f"{about}; features of {extractor}",
        limits=limits,
        title=score.upper() if score in ("fid", "kid") else score.capitalize(),
        digits=digits,
    )
    for score, (_, about, limits, digits) in _SCORES.items()
    for extractor in (INCEPTION, f"{INCEPTION}-unverified", *RECIPES)
}


class _Rows(Dataset[Tensor]):
    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Tensor:
        return self.values[index]


def scores(fake: Tensor, real: Tensor) -> dict[str, float]:
    """Return FID, KID, precision and recall of features (N, D) against (M, D), by torch-fidelity.
    KID is one estimate with as many pictures of each set as the smaller set has."""
    import torch_fidelity  # imported late: reading stored scores does not need it

    from benchmarks.networks.extractors import AS_GIVEN

    with torch.random.fork_rng(devices=[]):  # data loaders draw from the global generator
        found = torch_fidelity.calculate_metrics(
            input1=_Rows(fake), input2=_Rows(real), feature_extractor=AS_GIVEN,
            fid=True, kid=True, prc=True, kid_subsets=1, kid_subset_size=min(len(fake), len(real)),
            prc_neighborhood=NEIGHBOURS, batch_size=1024, cuda=False, cache=False,
            save_cpu_ram=True, verbose=False,
        )  # fmt: skip
    values = {score: float(found[key]) for score, (key, *_) in _SCORES.items()}
    # For two equal sets, rounding may give about -1e-6.
    return values | {"fid": max(0.0, values["fid"])}


@dataclass(frozen=True)
class FidelityResult:
    """The four scores, the features behind them, and their protocol."""

    values: dict[str, float]
    replicates: dict[str, list[float]]  # with each group of inputs left out
    fake: Features
    real: Features
    protocol: dict[str, Any]

    def measurements(self) -> list[Measurement]:
        """Return one measurement per score, with intervals over inputs for fixed real pictures."""
        made = []
        for score, groups in self.replicates.items():
            metric, value = METRIC_OF[score, self.protocol["extractor"]], self.values[score]
            variance = jackknife_variance(groups)
            interval = jackknife_interval(value, variance, len(groups), "inputs", metric.limits)
            made.append(Measurement(metric.name, value, interval, self.protocol))
        return made

    def save(self, path: Path) -> None:
        """Write raw values to an ``.npz`` file, atomically: jackknife replicates of all scores and,
        of both sets, the feature means and (up to 256 dimensions) covariances (upper triangles),
        which give FID."""
        raw: dict[str, Any] = {f"without_group_{s}": v for s, v in self.replicates.items()}
        for side, features in (("fake", self.fake), ("real", self.real)):
            values = features.values.double().numpy()
            dims = values.shape[1]
            raw[f"{side}_mean"] = values.mean(axis=0, dtype=np.float32)
            if dims <= 256:
                triangle = np.cov(values, rowvar=False)[np.triu_indices(dims)]
                raw[f"{side}_covariance"] = triangle.astype(np.float32)
        save_arrays(path, {"protocol": self.protocol, "values": self.values}, raw)


def protocol_name(inputs: int, samples: int, real: int) -> str:
    """Return e.g. ``200x10-vs-2000``: inputs, samples per input, real pictures."""
    return f"{inputs}x{samples}-vs-{real}"


def check_counts(inputs: int, fake: int, real: int, dims: int) -> None:
    """Raise UserError for fewer than 10 inputs, or unless both ``fake`` and ``real`` counts of
    pictures exceed the feature dimensions ``dims``."""
    if min(fake, real) <= dims:
        raise UserError(
            f"{min(fake, real)} pictures for {dims} features: their covariance would lack full "
            f"rank; measure more than {dims:,} pictures a side"
        )
    leave_out(inputs, GROUPS)


def fidelity(
    fake: Features, real: Features, extractor: Extractor, about: Mapping[str, Any] | None = None
) -> FidelityResult:
    """Score ``fake`` against ``real``, features of the same ``extractor``, with equally many
    samples of every input. Intervals are jackknife intervals that leave out a tenth of the inputs,
    with all their samples, at a time; the real pictures are fixed. ``about`` is added to the
    protocol. Raises UserError for pictures of different sizes, and as ``check_counts``."""
    inputs = fake.inputs
    check_counts(len(inputs), len(fake.values), len(real.values), extractor.dims)
    if fake.size != real.size:
        raise UserError(
            f"translations are {fake.size}, real pictures {real.size}: resize them to one size"
        )
    row_of_input = np.searchsorted(inputs, [name for name, _ in fake.keys])
    samples = len(fake.keys) // len(inputs)
    if not (np.bincount(row_of_input) == samples).all():
        raise UserError("inputs have different numbers of samples: translate all alike")
    kept = [
        torch.from_numpy(np.isin(row_of_input, rows)) for rows in leave_out(len(inputs), GROUPS)
    ]
    without = [scores(fake.values[rows], real.values) for rows in kept]
    protocol = {
        "protocol": protocol_name(len(inputs), samples, len(real.values)),
        "inputs": len(inputs),
        "K": samples,
        "N_fake": len(fake.values),
        "N_real": len(real.values),
        "resolution": list(fake.size),
        "extractor": extractor.name,
        "registered": extractor.registered,
        "sha256": extractor.sha256,
        "dims": extractor.dims,
        "source": extractor.source,
        "torch_fidelity": version("torch-fidelity"),
        "kid_subsets": 1,
        "neighbours": NEIGHBOURS,
    }
    return FidelityResult(
        values=scores(fake.values, real.values),
        replicates={score: [found[score] for found in without] for score in SCORES},
        fake=fake,
        real=real,
        protocol=protocol | dict(about or {}),
    )
