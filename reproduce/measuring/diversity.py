"""Diversity of translations, and on drawn pictures the silhouette IoU of each input's first one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from benchmarks.metrics.diversity import Diversity, DiversityResult, real_diversity
from benchmarks.metrics.diversity_protocols import METRIC_OF, Protocol, get_protocol, real_name
from benchmarks.metrics.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Measuring
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Pictures, Subject

REAL_PAIRS = 1900


def lpips_distance(measuring: Measuring, places: Places) -> LpipsDistance:
    """Return LPIPS in the version of a preset's protocol."""
    version = get_protocol(measuring.protocol).version
    return LpipsDistance(trained(version, places.lpips_path), places.device)


class DiversityKind(OneByOne):
    """Diversity (MUNIT, section 5.2) and silhouette IoU; of real pictures, that of random pairs."""

    name = "diversity"
    metrics = frozenset(metric.name for metric in METRIC_OF.values())
    of_runs = frozenset({SILHOUETTE.name})

    @cached_property
    def distance(self) -> LpipsDistance:
        return lpips_distance(self.measuring, self.places)

    @property
    def protocol(self) -> Protocol:
        measuring = self.measuring
        return get_protocol(measuring.protocol, measuring.inputs, measuring.samples)

    @property
    def pairs(self) -> int:
        """The number of random pairs of real pictures."""
        count = len(self.pictures.domains.test_b)
        return min(REAL_PAIRS, count * (count - 1) // 2)

    def wanted(self, subject: Subject) -> Wanted:
        weights = self.distance.weights
        name = real_name(self.pairs) if subject.real else self.protocol.name
        told: dict[str, Any] = {"protocol__sha256": weights.sha256, "protocol__protocol": name}
        if subject.real:  # the pairs depend on the seed
            told["seed"] = subject.run.seed
        wanted = {METRIC_OF[weights.name].name: told}
        if self.pictures.masks is not None and not subject.real:
            wanted[SILHOUETTE.name] = {"protocol__N": self.protocol.inputs}
        return wanted

    def look(self, subject: Subject) -> Looking:
        if subject.real:
            return Looking(lambda: [self._real(subject)])
        protocol, seed, known = self.protocol, subject.run.seed, self.pictures.masks is not None
        diversity, first = Diversity(self.distance, protocol, seed=seed), dict[str, Tensor]()

        def update(name: str, k: int, picture: Tensor) -> None:
            if k == 0 and known:
                # Copied, since a view would keep the whole batch in memory.
                first[name] = picture.clone()
            diversity.update(name, k, picture)

        def finish() -> Sequence[Made]:
            result = diversity.finish()
            made = [self._made(result, subject, str(result.protocol["protocol"]))]
            if known:
                iou = silhouette_iou(first, self.pictures.silhouettes(first), seed=seed)
                made.append(Made(iou.as_dict()))
            return made

        return Looking(finish, update, protocol.inputs, protocol.samples)

    def _real(self, subject: Subject) -> Made:
        pictures, seed = _Lazy(self.pictures), subject.run.seed
        result = real_diversity(pictures, self.distance, self.pairs, seed=seed)
        # Names omit seed 0.
        return self._made(result, subject, f"{self.pairs}pairs" + (f"-seed{seed}" if seed else ""))

    def _made(self, result: DiversityResult, subject: Subject, which: str) -> Made:
        name = self.raw_name("diversity", subject, which, self.distance.weights.sha256)
        return Made(result.as_dict(), (name, result.save))


class _Lazy(dict[str, Any]):
    """Real test pictures by name, read on access."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__((name, i) for i, name in enumerate(pictures.domains.test_b.ids))
        self._pictures = pictures

    def __getitem__(self, name: str) -> Tensor:
        return self._pictures.read(self._pictures.domains.test_b, super().__getitem__(name))
