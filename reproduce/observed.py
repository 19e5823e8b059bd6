"""Observed quality of trained runs on drawn pictures, as records: Table 1's Quality, by an observer
who knows every input's true pictures.

All methods of a task and seed are looked at in one pass over the inputs: an input's true pictures are
drawn, what is shown is compared with them, and both are dropped. Their styles are the observer's
own, the same whatever is shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from benchmarks.diversity_result import describe
from benchmarks.lpips_features import LpipsDistance
from benchmarks.observer import (
    QUALITY_OBSERVED,
    TRUTH_DISTANCE,
    TRUTHS,
    Distance,
    Observation,
    truth_distances,
)
from benchmarks.weights import LpipsWeights, trained
from models.errors import UserError
from reproduce.experiments import REFERENCE, Preset
from reproduce.pipeline import checkpoint_of
from reproduce.places import REAL, Places, facts_of, open_run_task
from reproduce.results import Records, sha256_file
from reproduce.runs import RunConfig
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION
from reproduce.tasks.pictures import Preparation
from reproduce.together import Found, finished_method
from reproduce.translate import Translation, stream
from reproduce.truth import Truth, truth_of

SAMPLES = 10  # translations of each input
OWN = range(0, 2 * SAMPLES, 2)  # a method's; the reference's others are odd,
OTHERS = range(1, 2 * SAMPLES, 2)  # so that it can be set against itself
Pictures = Iterator[Tensor]  # input by input, (K, 3, H, W) in [-1, 1]


class Observer:
    """Looks at translations of a drawn task's test pictures.

    Raises UserError for pictures whose truth is not known.
    """

    def __init__(self, run: RunConfig, places: Places) -> None:
        self.domains, self.size, self.places = open_run_task(run, places), run.size, places
        self.names, self.data = self.domains.test_a.ids, self.domains.fingerprint()
        truth = truth_of(self.domains, run.size)
        if truth is None:
            raise UserError(
                f"{self.domains.folder} holds no pictures that were drawn at {run.size} px, so their "
                "truth is not known: observe a drawn task"
            )
        self.truth = truth
        self.lpips = LpipsDistance(trained("0.1", places.lpips_path), places.device)

    def translations(self, run: RunConfig, checkpoint: Path, samples: range) -> Pictures:
        """Those of a finished run."""
        method = finished_method(run, checkpoint, self.domains, self.data, self.places.device)
        fixed, source = Preparation(run.size), self.domains.test_a
        return _by_input(stream(method, source, fixed, samples=samples, seed=run.seed))

    def real(self) -> Pictures:
        """What a perfect translator would give."""
        return _by_input(self.truth.best_translations(self.names, SAMPLES))

    def look(
        self, shown: Mapping[str, Pictures], distances: Sequence[Distance],
        inputs: int, truths: int = TRUTHS,
    ) -> list[dict[str, NDArray[np.float32]]]:  # fmt: skip
        """By each of ``distances``, those of all that is shown of the first ``inputs``, (I, K), to
        the true pictures, (I, K, R)."""
        found: list[dict[str, list[NDArray[np.float32]]]] = [
            {key: [] for key in shown} for _ in distances
        ]
        bar = tqdm(
            self.names[:inputs], desc=f"{self.domains.name}: observed", unit="input",
            disable=not self.places.progress,
        )  # fmt: skip
        for name in bar:
            true = true_pictures(self.truth, name, truths)
            pictures = {key: next(of) for key, of in shown.items()}
            for distance, rows in zip(distances, found, strict=True):
                features = distance.features(true)
                # One after the other, so that no bit depends on what else is shown.
                for key, some in pictures.items():
                    rows[key].append(truth_distances(some, features, distance))
        return [{key: np.stack(rows) for key, rows in of.items()} for of in found]

    def observation(self, distances: NDArray[np.float32]) -> Observation:
        """Of distances (I, K, R) of all inputs, how near the nearest true pictures are."""
        about = protocol(self.size, self.lpips.weights)
        return Observation(distances.min(axis=2), tuple(self.names), about)


def true_pictures(truth: Truth, name: str, truths: int = TRUTHS) -> Tensor:
    """Of test input ``name``, (R, 3, size, size): in styles that no other measurement draws."""
    return torch.stack(list(truth.repainted(name, (("observer", name, k) for k in range(truths)))))


def protocol(size: int, weights: LpipsWeights) -> dict[str, Any]:
    """What a record says of how it was measured."""
    return {
        "truths": TRUTHS,
        "resolution": [size] * 2,
        "generator_version": GENERATOR_VERSION,
    } | describe(weights)


def measure_observed(
    preset: Preset, pictures: RunConfig, runs: Sequence[RunConfig], places: Places
) -> dict[str, Found]:
    """``truth-distance`` of the finished ``runs``, all on the pictures of the run ``pictures`` and of
    its seed, and of real pictures; and with MUNIT among them ``quality-observed``, which is
    preference over it. By method, then metric; recorded unless they are.

    MUNIT is set against itself too, in two different samples: a control, 50 % but for chance.
    """
    if any((r.task, r.size, r.seed) != (pictures.task, pictures.size, pictures.seed) for r in runs):
        raise ValueError("an observer looks at runs on one task, at one size and seed")
    observer, records = Observer(pictures, places), places.records(preset, __name__)
    by_method = {run.method: run for run in runs}
    checkpoints = {method: checkpoint_of(preset, run, places) for method, run in by_method.items()}
    shas = {method: sha256_file(path) for method, path in checkpoints.items()}
    data, reference = {"data_sha256": observer.data}, shas.get(REFERENCE)
    facts = {REAL: facts_of(preset, pictures, places, real=True) | data}
    for method, run in by_method.items():
        facts[method] = facts_of(preset, run, places) | data | {
            "steps": run.steps,
            "checkpoint_sha256": shas[method],
            "config_sha256": run.digest(),
            "config": run.as_dict(),
        }  # fmt: skip
    found = {name: _recorded(records, observer, of, reference) for name, of in facts.items()}
    wanted = {TRUTH_DISTANCE.name, *([QUALITY_OBSERVED.name] if reference else [])}
    missing = {name for name, of in found.items() if wanted - of.keys()}
    if missing:
        begin = time.perf_counter()
        shown = {REAL: observer.real()} if REAL in missing else {}
        for method in (m for m in by_method if m in missing):
            shown[method] = observer.translations(by_method[method], checkpoints[method], OWN)
        if reference:
            run = by_method[REFERENCE]
            shown[""] = observer.translations(run, checkpoints[REFERENCE], OTHERS)
        (seen,) = observer.look(shown, [observer.lpips], len(observer.names))
        views = {name: observer.observation(of) for name, of in seen.items()}
        seconds = {"seconds": round((time.perf_counter() - begin) / len(missing), 2)}
        for name in shown.keys() & missing:
            found[name] |= _record(
                records, facts[name] | seconds, views[name], views.get(""), reference
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
    by_metric = {
        TRUTH_DISTANCE.name: records.find(metric=TRUTH_DISTANCE.name, **same),
        QUALITY_OBSERVED.name: records.find(metric=QUALITY_OBSERVED.name, **same, **preferred),
    }
    return {metric: record for metric, record in by_metric.items() if record is not None}


def _record(
    records: Records, facts: Mapping[str, Any], seen: Observation, others: Observation | None,
    reference: str | None,
) -> Found:  # fmt: skip
    """``others``: of the reference, whose checkpoint has the sha256 ``reference``."""
    seed, sha = facts["seed"], facts.get("checkpoint_sha256", facts["data_sha256"])
    about = f"{Path(facts['task']).name}-{facts['method']}"
    raw = records.keep_raw(f"truths-{about}-{sha[:12]}.npz", seen.save)
    measured = [(seen.truth_distance(seed), raw)]
    if others is not None and reference is not None:
        told = {"reference": REFERENCE, "reference_sha256": reference}
        raw = records.keep_raw(
            f"observed-{about}-{sha[:12]}-{reference[:12]}.npz",
            lambda path: seen.save(path, reference=others.distances),
        )
        measured.append((seen.quality(others, told, seed), raw))
    return {m.name: records.append({**facts, **m.as_dict(), **raw}) for m, raw in measured}


def _by_input(translations: Iterable[Translation]) -> Pictures:
    for _, of_input in groupby(translations, key=lambda translation: translation[0]):
        yield torch.stack([picture for *_, picture in of_input])
