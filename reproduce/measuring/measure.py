"""From a trained run to records: translate the test inputs, measure, store the raw values."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.metrics.diversity import diversity, real_diversity
from benchmarks.metrics.diversity_protocols import get_protocol, real_name
from benchmarks.metrics.diversity_result import DiversityResult
from benchmarks.metrics.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from models.method import Method
from reproduce.experiments.places import Places, facts_of, open_run_task
from reproduce.experiments.preset import Measuring, Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.together import Found, Pending, complete, finished_method
from reproduce.records.current import REAL
from reproduce.records.store import sha256_file
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, FolderSource, PictureSource
from reproduce.training.translate import Translation, keeping_first

REAL_PAIRS = 1900


def lpips_distance(measuring: Measuring, places: Places) -> LpipsDistance:
    """LPIPS of the version that a preset's protocol takes."""
    version = get_protocol(measuring.protocol).version
    return LpipsDistance(trained(version, places.lpips_path), places.device)


def measure_run(preset: Preset, run: RunConfig, checkpoint: Path, places: Places) -> Found:
    """Diversity, and on drawn pictures silhouette IoU, of a trained run; by metric. What has a
    record of this checkpoint under this protocol is not measured again."""
    waiting = [pending_run(preset, run, checkpoint, places)]
    source = open_run_task(run, places).test_a
    return complete(waiting, source, Preparation(run.size), run.seed)[0]


def pending_run(
    preset: Preset, run: RunConfig, checkpoint: Path, places: Places
) -> Found | Pending:
    """The records that ``measure_run`` gives, or what makes them."""
    records = places.records(preset, __name__)
    distance = lpips_distance(preset.measure, places)
    protocol = get_protocol(preset.measure.protocol, preset.measure.inputs, preset.measure.samples)
    sha = sha256_file(checkpoint)
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

    data = domains.fingerprint()

    def measured(pictures: Iterable[Translation]) -> tuple[DiversityResult, dict[str, Tensor]]:
        first: dict[str, Tensor] = {}
        if masks is not None:
            pictures = keeping_first(pictures, first)
        return diversity(pictures, distance, protocol, seed=run.seed), first

    def record(
        made: tuple[DiversityResult, dict[str, Tensor]], method: Method, seconds: float
    ) -> Found:
        result, first = made
        facts = facts_of(preset, run, places) | {
            "steps": run.steps,
            "checkpoint_sha256": sha,
            "data_sha256": data,
            "config_sha256": run.digest(),
            "config": run.as_dict(),
        }
        raw = records.keep_raw(
            _raw_name(run.task, run.method, protocol.name, sha, distance), result.save
        )
        told = result.as_dict() | raw | {"seconds": seconds}
        found = {told["metric"]: records.append(facts | told)}
        if masks is not None:
            agreement = silhouette_iou(first, masks_by_id(masks, first, run.size), seed=run.seed)
            found[SILHOUETTE.name] = records.append(facts | agreement.as_dict())
        return found

    load = partial(finished_method, run, checkpoint, domains, data, places.device)
    return Pending(load, protocol.inputs, protocol.samples, measured, record)


def measure_real(preset: Preset, run: RunConfig, places: Places) -> dict[str, Any]:
    """Diversity of random pairs of real target pictures: the last row of Table 1."""
    records = places.records(preset, __name__)
    distance = lpips_distance(preset.measure, places)
    domains = open_run_task(run, places)
    data = domains.fingerprint()
    source = domains.test_b
    pairs = min(REAL_PAIRS, len(source) * (len(source) - 1) // 2)
    known = records.find(
        method=REAL, task=run.task, data_sha256=data, seed=run.seed, size=run.size,
        protocol__sha256=distance.weights.sha256, protocol__protocol=real_name(pairs),
    )  # fmt: skip
    if known:
        return known
    begin = time.perf_counter()
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
