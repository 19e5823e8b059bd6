"""Fidelity of trained runs as records: FID, KID, precision, recall against training photos."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.metrics.fidelity import METRIC_OF, SCORES, fidelity, protocol_name
from benchmarks.networks.extractors import Features, extract
from models.errors import UserError
from models.method import Method
from reproduce.experiments.places import Places, facts_of
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.instruments import Instruments, chosen
from reproduce.measuring.together import Found, Pending, complete
from reproduce.records.store import Records, sha256_file
from reproduce.tasks.pictures import Preparation

SAMPLES = 10  # translations of each test input, fewer where there are too few photos
REFERENCE_SEED = 0  # of the photos to compare with: the same for every method and seed


def counts(instruments: Instruments) -> tuple[int, int]:
    """Test inputs, and translations of each: at most as many together as there are photos."""
    inputs, photos = len(instruments.domains.test_a), len(instruments.domains.train_b)
    samples = min(SAMPLES, photos // inputs)
    if samples < 1:
        raise UserError(
            f"{inputs} test inputs for {photos} training photos: fidelity compares equal numbers, "
            "so use fewer test inputs or more photos"
        )
    return inputs, samples


def reference(instruments: Instruments) -> Features:
    """Features of the photos that translations are compared with, drawn from the training set.

    The classifier behind the features was trained on others.
    """
    inputs, samples = counts(instruments)
    source = instruments.domains.train_b
    fixed = Preparation(instruments.size).at_test()
    rows = chosen(inputs * samples, len(source), REFERENCE_SEED)
    return extract(((source.ids[i], 0, fixed(source.read(i))) for i in rows), instruments.extractor)


def measure_fidelity(
    preset: Preset,
    run: RunConfig,
    checkpoint: Path,
    places: Places,
    instruments: Instruments,
    real: Callable[[], Features] | None = None,
) -> Found:
    """FID, KID, precision and recall of a trained run, by metric; recorded unless they are.

    ``real`` gives ``reference(instruments)``, once for whoever measures several runs of one task.
    """
    waiting = [pending_fidelity(preset, run, checkpoint, places, instruments, real)]
    source = instruments.domains.test_a
    return complete(waiting, source, Preparation(run.size), run.seed)[0]


def pending_fidelity(
    preset: Preset,
    run: RunConfig,
    checkpoint: Path,
    places: Places,
    instruments: Instruments,
    real: Callable[[], Features] | None = None,
) -> Found | Pending:
    """The records that ``measure_fidelity`` gives, or what makes them."""
    inputs, samples = counts(instruments)
    sha = sha256_file(checkpoint)
    records = places.records(preset, __name__)
    known = _recorded(records, instruments, inputs, samples, checkpoint_sha256=sha)
    if known:
        return known

    def record(fake: Features, method: Method, seconds: float) -> Found:
        facts = facts_of(preset, run, places) | {
            "steps": run.steps,
            "checkpoint_sha256": sha,
            "data_sha256": instruments.data,
            "config_sha256": run.digest(),
            "config": run.as_dict(),
        }
        return _record(records, instruments, facts, fake, real, sha, seconds)

    return Pending(
        partial(instruments.trained_method, run, checkpoint, places.device), inputs, samples,
        partial(extract, extractor=instruments.extractor), record,
    )  # fmt: skip


def measure_real_fidelity(
    preset: Preset,
    run: RunConfig,
    places: Places,
    instruments: Instruments,
    real: Callable[[], Features] | None = None,
) -> Found:
    """The same for real pictures: what a perfect translator would score.

    Drawn inputs are painted anew in random styles, as many as methods make translations. Of other
    tasks, training photos that are not in the reference are taken, as many as there are
    translations; where there are too few, nothing is measured, since other numbers of pictures
    would give numbers that do not compare.
    """
    inputs, samples = counts(instruments)
    records = places.records(preset, __name__)
    facts = facts_of(preset, run, places, real=True) | {"data_sha256": instruments.data}
    same = {key: facts[key] for key in ("method", "task", "size", "data_sha256")}
    domains = instruments.domains
    pictures: Iterable[tuple[str, int, Tensor]]
    if instruments.truth is not None:
        pictures = instruments.truth.best_translations(domains.test_a.ids, samples)
    else:
        pictures = _other_photos(instruments, inputs * samples)
        inputs, samples = inputs * samples, 1
        if 2 * inputs > len(domains.train_b):
            return {}
    known = _recorded(records, instruments, inputs, samples, **same)
    if known:
        return known
    begin = time.perf_counter()
    fake = extract(pictures, instruments.extractor)
    seconds = round(time.perf_counter() - begin, 2)
    return _record(records, instruments, facts, fake, real, instruments.data, seconds)


def _other_photos(instruments: Instruments, number: int) -> Iterator[tuple[str, int, Tensor]]:
    source = instruments.domains.train_b
    fixed = Preparation(instruments.size).at_test()
    taken = set(chosen(number, len(source), REFERENCE_SEED))
    rest = [i for i in range(len(source)) if i not in taken]
    for i in chosen(number, len(rest), REFERENCE_SEED):
        yield source.ids[rest[i]], 0, fixed(source.read(rest[i]))


def _recorded(
    records: Records, instruments: Instruments, inputs: int, samples: int, **wanted: object
) -> Found:
    """The four records, if all of them are there."""
    total = inputs * samples
    found: Found = {}
    for score in SCORES:
        metric = METRIC_OF[score, instruments.extractor.name].name
        record = records.find(
            metric=metric, protocol__sha256=instruments.extractor.sha256,
            protocol__protocol=protocol_name(inputs, samples, total), **wanted,
        )  # fmt: skip
        if record is None:
            return {}
        found[metric] = record
    return found


def _record(
    records: Records,
    instruments: Instruments,
    facts: dict[str, Any],
    fake: Features,
    real: Callable[[], Features] | None,
    sha256: str,
    seconds: float,
) -> Found:
    begin = time.perf_counter()
    photos = reference(instruments) if real is None else real()
    about = {"reference": "training photos", "reference_seed": REFERENCE_SEED}
    result = fidelity(fake, photos, instruments.extractor, about)
    name = (
        f"fidelity-{Path(facts['task']).name}-{facts['method']}-{result.protocol['protocol']}"
        f"-{sha256[:12]}-{instruments.extractor.sha256[:8]}.npz"
    )
    seconds = round(seconds + time.perf_counter() - begin, 2)
    more = {**records.keep_raw(name, result.save), "seconds": seconds}
    return {m.name: records.append(facts | m.as_dict() | more) for m in result.measurements()}
