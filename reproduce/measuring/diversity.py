"""Diversity of translations, and on drawn pictures whether the first of each keeps the silhouette."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from benchmarks.metrics.diversity import METRIC_OF, Diversity, DiversityResult, real_diversity
from benchmarks.metrics.diversity_protocols import get_protocol, real_name
from benchmarks.metrics.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Measuring
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Pictures, Subject
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, FolderSource

REAL_PAIRS = 1900


def lpips_distance(measuring: Measuring, places: Places) -> LpipsDistance:
    """LPIPS of the version that a preset's protocol takes."""
    version = get_protocol(measuring.protocol).version
    return LpipsDistance(trained(version, places.lpips_path), places.device)


class DiversityKind(OneByOne):
    """Diversity (MUNIT, section 5.2), silhouette IoU; of real pictures, of random pairs of them."""

    name = "diversity"
    metrics = frozenset(metric.name for metric in METRIC_OF.values())
    of_runs = frozenset({SILHOUETTE.name})

    @cached_property
    def distance(self) -> LpipsDistance:
        return lpips_distance(self.measuring, self.places)

    @cached_property
    def masks(self) -> FolderSource | None:
        return silhouettes(self.pictures.domains)

    @property
    def pairs(self) -> int:
        """Of real pictures."""
        count = len(self.pictures.domains.test_b)
        return min(REAL_PAIRS, count * (count - 1) // 2)

    def wanted(self, subject: Subject) -> tuple[Wanted, Wanted]:
        measuring, weights = self.measuring, self.distance.weights
        protocol = get_protocol(measuring.protocol, measuring.inputs, measuring.samples)
        name = real_name(self.pairs) if subject.real else protocol.name
        told: dict[str, Any] = {"protocol__sha256": weights.sha256, "protocol__protocol": name}
        if subject.real:  # pairs are drawn by the seed
            told["seed"] = subject.run.seed
        wanted: dict[str, Any] = {METRIC_OF[weights.name].name: told}
        if self.masks is not None and not subject.real:
            wanted[SILHOUETTE.name] = {"protocol__N": protocol.inputs}
        return wanted, {}

    def look(self, subject: Subject) -> Looking:
        seed, measuring = subject.run.seed, self.measuring
        if subject.real:
            return Looking(0, 0, _nothing, lambda: [self._made(self._real(seed), subject)])
        protocol = get_protocol(measuring.protocol, measuring.inputs, measuring.samples)
        diversity, first = Diversity(self.distance, protocol, seed=seed), dict[str, Tensor]()

        def update(name: str, k: int, picture: Tensor) -> None:
            if k == 0 and self.masks is not None:
                # A copy: a row of a batch would keep the whole batch in memory.
                first[name] = picture.clone()
            diversity.update(name, k, picture)

        def finish() -> Sequence[Made]:
            made = [self._made(diversity.finish(), subject)]
            if self.masks is not None:
                masks = masks_by_id(self.masks, first, self.pictures.size)
                made.append(Made(silhouette_iou(first, masks, seed=seed).as_dict()))
            return made

        return Looking(protocol.inputs, protocol.samples, update, finish)

    def _real(self, seed: int) -> DiversityResult:
        return real_diversity(_Lazy(self.pictures), self.distance, self.pairs, seed=seed)

    def _made(self, result: DiversityResult, subject: Subject) -> Made:
        which = str(result.protocol["protocol"])
        if subject.real:  # that of seed 0 is not told
            which = f"{self.pairs}pairs" + (f"-seed{subject.run.seed}" if subject.run.seed else "")
        words = which, subject.sha256[:12], self.distance.weights.sha256[:8]
        return Made(result.as_dict(), (self.raw_name("diversity", subject, *words), result.save))


def silhouettes(domains: Domains) -> FolderSource | None:
    """True silhouettes of the test inputs, where the task knows them (drawn pictures)."""
    folder = domains.folder / "testMask"
    return FolderSource(folder) if folder.is_dir() else None


def masks_by_id(source: FolderSource, wanted: Mapping[str, object], size: int) -> dict[str, Tensor]:
    """Silhouettes (H, W) in [0, 1] of the wanted inputs."""
    fixed = Preparation(size).at_test()
    index = {name: i for i, name in enumerate(source.ids)}
    return {name: fixed(source.read(index[name])).mean(0) * 0.5 + 0.5 for name in wanted}


def _nothing(name: str, k: int, picture: Tensor) -> None:
    """Real pictures are not translated."""


class _Lazy(Mapping[str, Tensor]):
    """Real test pictures as a mapping that reads one when it is asked for."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures, self._source = pictures, pictures.domains.test_b
        self._index = {name: i for i, name in enumerate(self._source.ids)}

    def __getitem__(self, name: str) -> Tensor:
        return self._pictures.read(self._source, self._index[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)
