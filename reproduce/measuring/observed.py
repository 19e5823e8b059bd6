"""Quality of trained runs as records: Table 1's, by an observer who knows every drawn input's true
pictures, or by a judge who has photos of similar inputs.

All methods of a task and seed are looked at in one pass over the inputs: an input's right pictures are
drawn or read, what is shown is compared with them, and both are dropped. They are the same whatever is
shown; styles of true pictures are the observer's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from benchmarks.metric import Metric
from benchmarks.metrics.diversity_result import describe
from benchmarks.metrics.lpips_features import MEASURED_SIDE, LpipsDistance
from benchmarks.metrics.observer import (
    PHOTO_DISTANCE,
    QUALITY_JUDGED,
    QUALITY_OBSERVED,
    RIGHT,
    TRUTH_DISTANCE,
    Distance,
    Observation,
    right_distances,
)
from benchmarks.networks.weights import LpipsWeights, trained
from models.errors import UserError
from reproduce.experiments.places import REAL, Places, facts_of, open_run_task
from reproduce.experiments.preset import REFERENCE, Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.together import Found, finished_method
from reproduce.records.store import Records, sha256_file
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION
from reproduce.tasks.drawn.truth import Truth, truth_of
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import Translation, stream

DRAWN = {"generator_version": GENERATOR_VERSION}  # what an observer's right pictures depend on
CANDIDATES = 4000  # training inputs, among which a judge looks for similar ones
BATCH = 512  # of them at a time
SAMPLES = 10  # translations of each input
OWN = range(0, 2 * SAMPLES, 2)  # a method's; the reference's others are odd,
OTHERS = range(1, 2 * SAMPLES, 2)  # so that it can be set against itself
Pictures = Iterator[Tensor]  # input by input, (K, 3, H, W) in [-1, 1]


@dataclass(frozen=True)
class Way:
    """Who prefers: what the numbers are called, and which pictures of an input are right."""

    distance: Metric
    quality: Metric
    right: Callable[[Observer, int], Iterator[Tensor]]  # input by input (R, 3, H, W)
    real: Callable[[Observer], Pictures | None]  # what a perfect translator would give, if known
    about: Callable[[Observer], dict[str, Any]]  # for the protocol


class Observer:
    """Looks at translations of a task's test pictures: ``by`` "observed", as one who knows the
    truth of drawn pictures, or "judged".

    Raises UserError for pictures whose truth is not known to an observer.
    """

    def __init__(self, run: RunConfig, places: Places, by: str = "observed") -> None:
        self.domains, self.size, self.places = open_run_task(run, places), run.size, places
        self.names, self.data = self.domains.test_a.ids, self.domains.fingerprint()
        self.way, self.fixed = WAYS[by], Preparation(run.size).at_test()
        self.known = truth_of(self.domains, run.size)
        if by == "observed":
            _ = self.truth
        self.lpips = LpipsDistance(trained("0.1"), places.device)

    @property
    def truth(self) -> Truth:
        if self.known is None:
            raise UserError(
                f"{self.domains.folder} holds no pictures that were drawn at {self.size} px, so "
                "their truth is not known: observe a drawn task"
            )
        return self.known

    def translations(self, run: RunConfig, checkpoint: Path, samples: range) -> Pictures:
        """Those of a finished run."""
        method = finished_method(run, checkpoint, self.domains, self.data, self.places.device)
        fixed, source = Preparation(run.size), self.domains.test_a
        return _by_input(stream(method, source, fixed, samples=samples, seed=run.seed))

    def look(
        self, shown: Mapping[str, Pictures], distances: Sequence[Distance],
        inputs: int, right: int = RIGHT,
    ) -> list[dict[str, NDArray[np.float32]]]:  # fmt: skip
        """By each of ``distances``, those of all that is shown of the first ``inputs``, (I, K), to
        the right pictures, (I, K, R)."""
        found: list[dict[str, list[NDArray[np.float32]]]] = [
            {key: [] for key in shown} for _ in distances
        ]
        bar = tqdm(
            islice(self.way.right(self, right), inputs), total=inputs, unit="input",
            desc=f"{self.domains.name}: {self.way.quality.name}", disable=not self.places.progress,
        )  # fmt: skip
        for these in bar:
            pictures = {key: next(of) for key, of in shown.items()}
            for distance, rows in zip(distances, found, strict=True):
                features = distance.features(these)
                # One after the other, so that no bit depends on what else is shown.
                for key, some in pictures.items():
                    rows[key].append(right_distances(some, features, distance))
        return [{key: np.stack(rows) for key, rows in of.items()} for of in found]

    def observation(self, distances: NDArray[np.float32]) -> Observation:
        """Of distances (I, K, R) of all inputs, how near the nearest true pictures are."""
        about = protocol(self.size, self.lpips.weights, self.way.about(self))
        return Observation(distances.min(axis=2), tuple(self.names), about)


def protocol(size: int, weights: LpipsWeights, about: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of how it was measured."""
    return {"right": RIGHT, "resolution": [size] * 2} | dict(about) | describe(weights)


def true_pictures(truth: Truth, name: str, right: int = RIGHT) -> Tensor:
    """Of test input ``name``, (R, 3, size, size): in styles that no other measurement draws."""
    return torch.stack(list(truth.repainted(name, (("observer", name, k) for k in range(right)))))


def _true(observer: Observer, right: int) -> Iterator[Tensor]:
    return (true_pictures(observer.truth, name, right) for name in observer.names)


def _candidates(observer: Observer) -> tuple[PictureSource, PictureSource, int]:
    """What inputs are compared with, the photos that belong to it, and how many there are: of pairs
    the inputs, without pairs the photos themselves."""
    like, photos = observer.domains.pairs or (observer.domains.train_b,) * 2
    return like, photos, min(CANDIDATES, len(like))


def _photos(observer: Observer, right: int) -> Iterator[Tensor]:
    """The photos of each test input's nearest candidates, nearest first."""
    like, photos, count = _candidates(observer)
    asked = _small_features(observer, observer.domains.test_a, range(len(observer.names)))
    found = torch.empty(len(asked), 0)
    for begin in range(0, count, BATCH):
        known = _small_features(observer, like, range(begin, min(begin + BATCH, count)))
        found = torch.cat([found, torch.cdist(asked, known).cpu()], dim=1)
    for nearest in found.argsort(dim=1, stable=True)[:, :right].tolist():
        yield torch.stack([observer.fixed(photos.read(i)) for i in nearest])


def _small_features(observer: Observer, source: PictureSource, rows: range) -> Tensor:
    """LPIPS features (N, D) of pictures at 64 px, at which likeness is looked for."""
    small = Preparation(min(observer.size, MEASURED_SIDE)).at_test()
    pictures = [small(source.read(i)) for i in rows]
    parts = [torch.stack(pictures[i : i + 64]) for i in range(0, len(pictures), 64)]
    return torch.cat([observer.lpips.features(part) for part in parts])


def _real_photos(observer: Observer) -> Pictures | None:
    if not observer.domains.paired_test:
        return None
    source = observer.domains.test_b
    return (observer.fixed(source.read(i))[None] for i in range(len(source)))


WAYS = {
    "observed": Way(
        TRUTH_DISTANCE, QUALITY_OBSERVED, _true,
        lambda observer: _by_input(observer.truth.best_translations(observer.names, SAMPLES)),
        lambda _: DRAWN,
    ),
    "judged": Way(
        PHOTO_DISTANCE, QUALITY_JUDGED, _photos, _real_photos,
        lambda observer: {
            "candidates": _candidates(observer)[2],
            "right": min(RIGHT, _candidates(observer)[2]),
            "pairs_known": observer.domains.pairs is not None,
        },
    ),
}  # fmt: skip


def measure_observed(
    preset: Preset, pictures: RunConfig, runs: Sequence[RunConfig], places: Places,
    by: str = "observed",
) -> dict[str, Found]:  # fmt: skip
    """The distance (``truth-distance``, or ``photo-distance`` if judged) of the finished ``runs``, all
    on the pictures of the run ``pictures`` and of its seed, and of real pictures where there are
    some; and with MUNIT among them Quality (``quality-observed``, ``quality-judged``), which
    is preference over it. By method, then metric; recorded unless they are.

    MUNIT is set against itself too, in two different samples: a control, 50 % but for chance.
    """
    if any((r.task, r.size, r.seed) != (pictures.task, pictures.size, pictures.seed) for r in runs):
        raise ValueError("an observer looks at runs on one task, at one size and seed")
    observer, records = Observer(pictures, places, by), places.records(preset, __name__)
    by_method = {run.method: run for run in runs}
    checkpoints = {method: checkpoint_of(preset, run, places) for method, run in by_method.items()}
    shas = {method: sha256_file(path) for method, path in checkpoints.items()}
    data, reference = {"data_sha256": observer.data}, shas.get(REFERENCE)
    perfect = observer.way.real(observer)
    facts: dict[str, dict[str, Any]] = {}
    if perfect is not None:
        facts[REAL] = facts_of(preset, pictures, places, real=True) | data
    for method, run in by_method.items():
        facts[method] = facts_of(preset, run, places) | data | {
            "steps": run.steps,
            "checkpoint_sha256": shas[method],
            "config_sha256": run.digest(),
            "config": run.as_dict(),
        }  # fmt: skip
    found = {name: _recorded(records, observer, of, reference) for name, of in facts.items()}
    wanted = {observer.way.distance.name, *([observer.way.quality.name] if reference else [])}
    missing = {name for name, of in found.items() if wanted - of.keys()}
    if missing:
        begin = time.perf_counter()
        shown = {REAL: perfect} if perfect is not None and REAL in missing else {}
        for method in (m for m in by_method if m in missing):
            shown[method] = observer.translations(by_method[method], checkpoints[method], OWN)
        if reference:
            run = by_method[REFERENCE]
            shown[""] = observer.translations(run, checkpoints[REFERENCE], OTHERS)
        (seen,) = observer.look(shown, [observer.lpips], len(observer.names))
        views = {name: observer.observation(of) for name, of in seen.items()}
        seconds = {"seconds": round((time.perf_counter() - begin) / len(missing), 2)}
        for name in (name for name in shown if name in missing):
            found[name] |= _record(
                observer.way, records, facts[name] | seconds, views[name], views.get(""), reference
            )
    return found


def _recorded(
    records: Records, observer: Observer, facts: Mapping[str, Any], reference: str | None
) -> Found:
    """Those records that are there."""
    about = ("method", "task", "size", "seed", "data_sha256", "checkpoint_sha256")
    same: dict[str, Any] = {key: facts[key] for key in about if key in facts}
    same["protocol__sha256"] = observer.lpips.weights.sha256
    preferred = {"protocol__reference_sha256": reference}
    distance, quality = observer.way.distance.name, observer.way.quality.name
    by_metric = {
        distance: records.find(metric=distance, **same),
        quality: records.find(metric=quality, **same, **preferred),
    }
    return {metric: record for metric, record in by_metric.items() if record is not None}


def _record(
    way: Way, records: Records, facts: Mapping[str, Any], seen: Observation, others: Observation | None,
    reference: str | None,
) -> Found:  # fmt: skip
    """``others``: of the reference, whose checkpoint has the sha256 ``reference``."""
    seed, sha = facts["seed"], facts.get("checkpoint_sha256", facts["data_sha256"])
    about = f"{Path(facts['task']).name}-{facts['method']}"
    raw = records.keep_raw(f"{way.distance.name}-{about}-{sha[:12]}.npz", seen.save)
    measured = [(seen.mean(way.distance, seed), raw)]
    if others is not None and reference is not None:
        told = {"reference": REFERENCE, "reference_sha256": reference}
        raw = records.keep_raw(
            f"{way.quality.name}-{about}-{sha[:12]}-{reference[:12]}.npz",
            lambda path: seen.save(path, reference=others.distances),
        )
        measured.append((seen.quality(way.quality, others, told, seed), raw))
    # One look was taken, so its seconds are told once.
    again = {key: value for key, value in facts.items() if key != "seconds"}
    return {
        m.name: records.append({**(again if i else facts), **m.as_dict(), **raw})
        for i, (m, raw) in enumerate(measured)
    }


def _by_input(translations: Iterable[Translation]) -> Pictures:
    for _, of_input in groupby(translations, key=lambda translation: translation[0]):
        yield torch.stack([picture for *_, picture in of_input])
