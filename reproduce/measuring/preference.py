"""Table 1's Quality of translations, by an observer who knows every drawn input's true pictures, or
by a judge who has photos of similar inputs.

All methods of a task and seed are measured in one pass over the inputs: an input's right pictures
are drawn or read, its translations are compared with them, and both are discarded. The right
pictures do not depend on the translations; true pictures have styles of the observer's own.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from benchmarks.metric import Metric
from benchmarks.metrics.diversity import describe
from benchmarks.metrics.lpips_features import MEASURED_SIDE, LpipsDistance
from benchmarks.metrics.observer import (
    CANDIDATES,
    PHOTO_DISTANCE,
    QUALITY_JUDGED,
    QUALITY_OBSERVED,
    RIGHT,
    TRUTH_DISTANCE,
    Distance,
    Observation,
    by_input,
    look,
    most_like,
)
from benchmarks.networks.weights import LpipsWeights, trained
from reproduce.measuring.kind import Found, Kind, Made, Wanted, keep, key_of
from reproduce.measuring.subject import Subject
from reproduce.records.store import REFERENCE
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION
from reproduce.tasks.drawn.truth import Truth
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource

SAMPLES = 10  # translations of each input
OWN = range(0, 2 * SAMPLES, 2)  # sample numbers of a method; the reference's are odd,
OTHERS = range(1, 2 * SAMPLES, 2)  # so that it can be compared with itself
Shown = Iterator[Tensor]  # one (K, 3, H, W) in [-1, 1] per input


class PreferenceKind(Kind):
    """The distance (``truth-distance``, or ``photo-distance`` if judged) of subjects with one seed.
    If MUNIT is among them, also Quality (``quality-observed``, ``quality-judged``): the preference
    over MUNIT.

    As a control, MUNIT is compared with other samples of itself: about 50 %.
    """

    distance: ClassVar[Metric]
    quality: ClassVar[Metric]

    @abstractmethod
    def right(self, count: int) -> Iterator[Tensor]:
        """Yield each input's right pictures (``count``, 3, H, W)."""

    @abstractmethod
    def perfect(self) -> Shown:
        """Return a perfect translator's pictures, if ``has_perfect``."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what determines the right pictures, for the protocol."""

    @property
    def has_perfect(self) -> bool:
        """Whether a perfect translator's pictures are known."""
        return True

    @property
    def names(self) -> list[str]:
        """The test inputs."""
        return self.pictures.domains.test_a.ids

    @cached_property
    def lpips(self) -> LpipsDistance:
        return LpipsDistance(trained("0.1"), self.places.device)

    def wanted(self, subject: Subject, reference: str | None = None) -> Wanted:
        """``reference``: the sha256 of MUNIT's weights, if it is among the subjects."""
        if subject.real and not self.has_perfect:
            return {}
        told = {"protocol__sha256": self.lpips.weights.sha256, "seed": subject.run.seed}
        preferred = {self.quality.name: told | {"protocol__reference_sha256": reference}}
        return {self.distance.name: told} | (preferred if reference else {})

    def measure(self, subjects: Sequence[Subject]) -> dict[str, Found]:
        if len({(of.run.task, of.run.size, of.run.seed) for of in subjects}) > 1:
            raise ValueError("who prefers looks at runs on one task, at one size and seed")
        munit = next((s for s in subjects if s.name == REFERENCE), None)
        reference = None if munit is None else munit.sha256
        wanted = [self.wanted(subject, reference) for subject in subjects]
        both = list(zip(subjects, wanted, strict=True))
        found = {subject.name: self.recorded(subject, of) for subject, of in both}
        missing = [subject for subject, of in both if of.keys() - found[subject.name].keys()]
        if not missing:
            return found
        begin = time.perf_counter()
        shown = {subject.name: self.translations(subject) for subject in missing}
        if munit is not None:
            shown[""] = self.translations(munit, OTHERS)
        (seen,) = self.see(shown, [self.lpips], len(self.names))
        views = {name: self.observation(of) for name, of in seen.items()}
        seconds = {"seconds": round((time.perf_counter() - begin) / len(missing), 2)}
        for subject in missing:
            made = self._made(subject, views[subject.name], views.get(""), reference)
            # There was one pass, so its seconds are recorded once.
            records = [*keep(self, subject, made[:1], seconds), *keep(self, subject, made[1:], {})]
            found[subject.name] |= {key_of(record): record for record in records}
        return found

    def translations(self, subject: Subject, samples: range = OWN) -> Shown:
        """Return translations of a finished run, or of a perfect translator."""
        return self.perfect() if subject.real else by_input(subject.translations(samples))

    def see(
        self, shown: Mapping[str, Shown], distances: Sequence[Distance],
        inputs: int, right: int = RIGHT,
    ) -> list[dict[str, NDArray[np.float32]]]:  # fmt: skip
        """Return, for each of ``distances``, the distances (I, K, R) of the K pictures shown for
        each of the first I = ``inputs`` inputs to its R right pictures."""
        bar = tqdm(
            islice(self.right(right), inputs), total=inputs, unit="input",
            desc=f"{self.pictures.domains.name}: {self.quality.name}", disable=not self.places.progress,
        )  # fmt: skip
        return look(bar, shown, distances)

    def observation(self, distances: NDArray[np.float32]) -> Observation:
        """Return the distances to the nearest right pictures, given all distances (I, K, R)."""
        about = protocol(self.pictures.size, self.lpips.weights, self.about())
        return Observation(distances.min(axis=2), tuple(self.names), about)

    def _made(
        self, subject: Subject, seen: Observation, others: Observation | None,
        reference: str | None,
    ) -> list[Made]:  # fmt: skip
        """``others``: the reference's, whose weights have the sha256 ``reference``."""
        seed, name = subject.run.seed, self.raw_name(self.distance.name, subject)
        made = [Made(seen.mean(self.distance, seed).as_dict(), (name, seen.save))]
        if others is not None and reference is not None:
            told = {"reference": REFERENCE, "reference_sha256": reference}
            name = self.raw_name(self.quality.name, subject, tool=reference)
            raw = name, partial(seen.save, reference=others.distances)
            made.append(Made(seen.quality(self.quality, others, told, seed).as_dict(), raw))
        return made


class Observed(PreferenceKind):
    """Quality by an observer who knows the truth of drawn pictures; UserError if it is unknown."""

    name, distance, quality = "observed", TRUTH_DISTANCE, QUALITY_OBSERVED
    metrics = frozenset({TRUTH_DISTANCE.name, QUALITY_OBSERVED.name})

    def measure(self, subjects: Sequence[Subject]) -> dict[str, Found]:
        _ = self.pictures.drawn  # raises UserError before any work
        return super().measure(subjects)

    def right(self, count: int) -> Iterator[Tensor]:
        truth = self.pictures.drawn
        return (true_pictures(truth, name, count) for name in self.names)

    def perfect(self) -> Shown:
        return by_input(self.pictures.drawn.best_translations(self.names, SAMPLES))

    def about(self) -> dict[str, Any]:
        return {"generator_version": GENERATOR_VERSION}


class Judged(PreferenceKind):
    """Quality by a judge who has photos of similar training inputs."""

    name, distance, quality = "judged", PHOTO_DISTANCE, QUALITY_JUDGED
    metrics = frozenset({PHOTO_DISTANCE.name, QUALITY_JUDGED.name})

    def right(self, count: int) -> Iterator[Tensor]:
        """Yield the photos of each test input's nearest candidates, nearest first."""
        like, photos, candidates = self._candidates()
        small = Preparation(min(self.pictures.size, MEASURED_SIDE)).at_test()
        inputs = self.pictures.domains.test_a
        found = most_like(
            lambda i: small(inputs.read(i)), len(self.names), lambda i: small(like.read(i)),
            candidates, count, self.lpips,
        )  # fmt: skip
        for nearest in found:
            yield torch.stack([self.pictures.read(photos, i) for i in nearest])

    @property
    def has_perfect(self) -> bool:
        return self.pictures.domains.paired_test

    def perfect(self) -> Shown:
        return by_input(self.pictures.shown(self.pictures.domains.test_b))

    def about(self) -> dict[str, Any]:
        candidates = self._candidates()[2]
        return {
            "candidates": candidates,
            "right": min(RIGHT, candidates),
            "pairs_known": self.pictures.domains.pairs is not None,
        }

    def _candidates(self) -> tuple[PictureSource, PictureSource, int]:
        """Return what inputs are compared with (the pairs' inputs, or without pairs the photos
        themselves), the photos that belong to it, and their number."""
        domains = self.pictures.domains
        like, photos = domains.pairs or (domains.train_b,) * 2
        return like, photos, min(CANDIDATES, len(like))


WAYS: dict[str, type[PreferenceKind]] = {"observed": Observed, "judged": Judged}


def protocol(size: int, weights: LpipsWeights, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol that records contain."""
    return {"right": RIGHT, "resolution": [size] * 2} | dict(about) | describe(weights)


def true_pictures(truth: Truth, name: str, right: int = RIGHT) -> Tensor:
    """Draw the true pictures (R, 3, size, size) of test input ``name``, in styles that no other
    measurement uses."""
    return torch.stack(list(truth.repainted(name, (("observer", name, k) for k in range(right)))))
