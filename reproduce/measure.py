"""From a trained run to records: translate the test inputs, measure, store the raw values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.diversity import diversity, real_diversity
from benchmarks.diversity_protocols import get_protocol
from benchmarks.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.lpips_features import LpipsDistance
from benchmarks.weights import trained, untrained
from models.errors import UserError
from reproduce.checkpoints import load_method
from reproduce.environment import environment
from reproduce.experiments import Measuring, Preset
from reproduce.results import Records, sha256_file
from reproduce.runs import RunConfig
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import open_task
from reproduce.tasks.sources import Domains, FolderSource, PictureSource
from reproduce.translate import stream

REAL = "real"  # the method name of Table 1's last row
REAL_PAIRS = 1900


@dataclass(frozen=True)
class Places:
    """Where pictures, runs and results are kept, and what computes."""

    data: Path
    runs: Path
    results: Path
    device: str = "cpu"
    lpips_path: Path | None = None
    lpips_sha256: str | None = None
    progress: bool = True
    inception_path: Path | None = None
    inception_sha256: str | None = None


def open_run_task(run: RunConfig, places: Places) -> Domains:
    """The pictures of a run's task."""
    return open_task(
        run.task, data_dir=places.data, size=run.size, train=run.train, test=run.test,
        source=Path(run.source) if run.source else None, progress=places.progress,
    )  # fmt: skip


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
    records = Records(places.results, preset.name)
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

    def watched() -> Iterator[tuple[str, int, Tensor]]:
        """The stream, remembering the first translation of each input."""
        for name, k, picture in stream(
            method, domains.test_a, preparation, samples=protocol.samples,
            inputs=protocol.inputs, seed=run.seed,
        ):  # fmt: skip
            if k == 0 and masks is not None:
                keep[name] = picture
            yield name, k, picture

    result = diversity(watched(), distance, protocol, seed=run.seed)
    raw = (
        records.folder
        / "raw"
        / f"{_raw_name(run.task, run.method, protocol.name, sha, distance)}.npz"
    )
    result.save(raw)
    facts = facts_of(preset, run, places) | {
        "steps": run.steps,
        "checkpoint_sha256": sha,
        "data_sha256": read.data,
        "config_sha256": run.digest(),
        "config": run.as_dict(),
    }
    measured = result.as_dict() | _raw_facts(raw, places)
    measured["seconds"] = round(time.perf_counter() - begin, 2)
    found[measured["metric"]] = records.append(facts | measured)
    if masks is not None:
        agreement = silhouette_iou(keep, masks_by_id(masks, keep, run.size), seed=run.seed)
        found[SILHOUETTE.name] = records.append(facts | agreement.as_dict())
    return found


def measure_real(preset: Preset, run: RunConfig, places: Places) -> dict[str, Any]:
    """Diversity of random pairs of real target pictures: the last row of Table 1."""
    records = Records(places.results, preset.name)
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
    raw = (
        records.folder / "raw" / f"{_raw_name(run.task, REAL, f'{pairs}pairs', data, distance)}.npz"
    )
    result.save(raw)
    facts = facts_of(preset, run, places) | {"method": REAL, "data_sha256": data}
    measured = result.as_dict() | _raw_facts(raw, places)
    measured["seconds"] = round(time.perf_counter() - begin, 2)
    return records.append(facts | measured)


def _raw_name(task: str, method: str, protocol: str, sha256: str, by: LpipsDistance) -> str:
    """A name that no other measurement takes."""
    weights = by.weights.sha256[:8]
    return f"diversity-{Path(task).name}-{method}-{protocol}-{sha256[:12]}-{weights}"


def _raw_facts(raw: Path, places: Places) -> dict[str, str]:
    return {"raw": raw.relative_to(places.results).as_posix(), "raw_sha256": sha256_file(raw)}


def facts_of(preset: Preset, run: RunConfig, places: Places) -> dict[str, Any]:
    """What every record says of where its number comes from."""
    return {
        "preset": preset.name,
        "task": run.task,
        "method": run.method,
        "seed": run.seed,
        "size": run.size,
        "environment": environment(places.device),
    }


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


def set_threads(threads: int) -> None:
    """CPU threads of this process; 0 leaves torch's choice."""
    if threads:
        torch.set_num_threads(threads)
