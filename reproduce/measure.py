"""From a trained run to records: translate the test inputs, measure, store the raw values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.diversity import diversity, real_diversity
from benchmarks.diversity_protocols import get_protocol
from benchmarks.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.lpips_features import LpipsDistance
from benchmarks.weights import trained, untrained
from models.errors import UserError
from reproduce.checkpoints import load_method
from reproduce.experiments import Measuring, Preset
from reproduce.places import REAL, Places, facts_of, open_run_task
from reproduce.results import sha256_file
from reproduce.runs import RunConfig
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, FolderSource, PictureSource
from reproduce.translate import keeping_first, stream

REAL_PAIRS = 1900


def lpips_distance(measuring: Measuring, places: Places) -> LpipsDistance:
    """The distance that a preset measures with: never another one in silence."""
    version = get_protocol(measuring.protocol).version
    if measuring.lpips == "untrained" and places.lpips_path is None:
        return LpipsDistance(untrained(version), places.device)
    weights = trained(version, places.lpips_path, places.lpips_sha256, allow_download=True)
    return LpipsDistance(weights, places.device)


def measure_run(
    preset: Preset, run: RunConfig, checkpoint: Path, places: Places
) -> dict[str, dict[str, Any]]:
    """Diversity, and on drawn pictures silhouette IoU, of a trained run; by metric. What has a
    record of this checkpoint under this protocol is not measured again."""
    records = places.records(preset, __name__)
    distance = lpips_distance(preset.measure, places)
    protocol = get_protocol(preset.measure.protocol, preset.measure.inputs, preset.measure.samples)
    sha = sha256_file(checkpoint)
    found: dict[str, dict[str, Any]] = {}
    known = records.find(
        checkpoint_sha256=sha, protocol__protocol=protocol.name,
        protocol__sha256=distance.weights.sha256,
    )  # fmt: skip
    silhouette = records.find(
        checkpoint_sha256=sha, metric=SILHOUETTE.name, protocol__N=protocol.inputs
    )
    domains = open_run_task(run, places)
    masks = silhouettes(domains)
    if known and (silhouette or masks is None):
        return {m["metric"]: m for m in (known, silhouette) if m is not None}

    method, read = load_method(checkpoint, places.device)
    if read.step < run.steps:
        raise UserError(f"{checkpoint} is at step {read.step} of {run.steps}: finish its training")
    if read.data != domains.fingerprint():
        raise UserError(
            f"the pictures of {domains.folder} are not those that {checkpoint} was trained on: "
            "restore them, or train again"
        )
    begin = time.perf_counter()
    preparation = Preparation(run.size)
    keep: dict[str, Tensor] = {}
    pictures = stream(
        method, domains.test_a, preparation, samples=protocol.samples, inputs=protocol.inputs,
        seed=run.seed,
    )  # fmt: skip
    if masks is not None:
        pictures = keeping_first(pictures, keep)
    result = diversity(pictures, distance, protocol, seed=run.seed)
    name = _raw_name(run.task, run.method, protocol.name, sha, distance)
    facts = facts_of(preset, run, places) | {
        "steps": run.steps,
        "checkpoint_sha256": sha,
        "data_sha256": read.data,
        "config_sha256": run.digest(),
        "config": run.as_dict(),
    }
    measured = result.as_dict() | records.keep_raw(name, result.save)
    measured["seconds"] = round(time.perf_counter() - begin, 2)
    found[measured["metric"]] = records.append(facts | measured)
    if masks is not None:
        agreement = silhouette_iou(keep, masks_by_id(masks, keep, run.size), seed=run.seed)
        found[SILHOUETTE.name] = records.append(facts | agreement.as_dict())
    return found


def measure_real(preset: Preset, run: RunConfig, places: Places) -> dict[str, Any]:
    """Diversity of random pairs of real target pictures: the last row of Table 1."""
    records = places.records(preset, __name__)
    distance = lpips_distance(preset.measure, places)
    domains = open_run_task(run, places)
    data = domains.fingerprint()
    known = records.find(
        method=REAL, task=run.task, data_sha256=data, seed=run.seed, size=run.size,
        protocol__sha256=distance.weights.sha256,
    )  # fmt: skip
    if known:
        return known
    begin = time.perf_counter()
    source = domains.test_b
    pairs = min(REAL_PAIRS, len(source) * (len(source) - 1) // 2)
    result = real_diversity(_Lazy(source, Preparation(run.size)), distance, pairs, seed=run.seed)
    # Pairs are drawn by the seed; that of seed 0 is not told.
    which = f"{pairs}pairs" + (f"-seed{run.seed}" if run.seed else "")
    name = _raw_name(run.task, REAL, which, data, distance)
    facts = facts_of(preset, run, places, real=True) | {"data_sha256": data}
    measured = result.as_dict() | records.keep_raw(name, result.save)
    measured["seconds"] = round(time.perf_counter() - begin, 2)
    return records.append(facts | measured)


def _raw_name(task: str, method: str, protocol: str, sha256: str, by: LpipsDistance) -> str:
    """A name that no other measurement takes."""
    weights = by.weights.sha256[:8]
    return f"diversity-{Path(task).name}-{method}-{protocol}-{sha256[:12]}-{weights}.npz"


def silhouettes(domains: Domains) -> FolderSource | None:
    """True silhouettes of the test inputs, where the task knows them (drawn pictures)."""
    folder = domains.folder / "testMask"
    return FolderSource(folder) if folder.is_dir() else None


def masks_by_id(source: FolderSource, wanted: Mapping[str, Tensor], size: int) -> dict[str, Tensor]:
    """Silhouettes (H, W) in [0, 1] of the wanted inputs."""
    fixed = Preparation(size).at_test()
    index = {name: i for i, name in enumerate(source.ids)}
    return {name: fixed(source.read(index[name])).mean(0) * 0.5 + 0.5 for name in wanted}


class _Lazy(Mapping[str, Tensor]):
    """A source as a mapping that reads a picture when it is asked for."""

    def __init__(self, source: PictureSource, preparation: Preparation) -> None:
        self._source, self._prepare = source, preparation.at_test()
        self._index = {name: i for i, name in enumerate(source.ids)}

    def __getitem__(self, name: str) -> Tensor:
        return self._prepare(self._source.read(self._index[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)
