"""Rows of Table 1, measured again from stored weights."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from regression_exact import EXACT, check_exact
from regression_tolerances import FEATURES, FIRST_PAIR, tolerance
from regression_world import (
    SEED,
    Findings,
    Pictures,
    Record,
    World,
    check_protocol,
    check_value,
    shown,
)
from torch import Tensor

from benchmarks.metrics.diversity import DiversityResult, diversity, real_diversity
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.fidelity import scores
from benchmarks.metrics.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.metrics.observer import (
    QUALITY_OBSERVED,
    TRUTH_DISTANCE,
    Observation,
    right_distances,
)
from benchmarks.networks.extractors import Features, classifier_extractor, extract
from benchmarks.networks.weights import trained
from reproduce.experiments.places import Places
from reproduce.measuring.diversity import REAL_PAIRS
from reproduce.measuring.exact import CONTENTS, SAMPLES, STYLES, ExactKind, same_noises
from reproduce.measuring.fidelity import FidelityKind
from reproduce.measuring.preference import OTHERS, OWN, Observed, protocol, true_pictures
from reproduce.measuring.preference import SAMPLES as OBSERVED
from reproduce.measuring.subject import Pictures as OfTask
from reproduce.records.store import REFERENCE
from reproduce.tasks.drawn.truth import Truth
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.tasks.sources import Subset
from reproduce.training.single_pictures import SEED as PICTURES_SEED

INPUTS = 20  # of the test inputs, those whose values are compared one by one
SILHOUETTES = 100
REAL_INPUTS = 10
PAIR = 2  # samples of every other input, whose first distance is compared


class Bench:
    """What all rows of one task of Table 1 are measured with."""

    def __init__(self, world: World, task: str) -> None:
        self.world, self.task = world, task
        self.rows = {row[1]: by for row, by in world.rows.items() if row[0] == task}
        drawn = world.drawn(task)
        self.size, self.masks = drawn.size, world.sources(task, drawn)["testMask"]
        self.domains = world.domains(task)
        numbers = next(
            record["protocol"]["sha256"] for by in self.rows.values() for name, record in by.items()
            if name.startswith("fid-")
        )  # fmt: skip
        classifier = world.instrument("classifier", numbers)
        kind, categories = TASKS[task].subject, classifier.heads["category"]
        truth = Truth(self.domains.folder, kind, self.size, PICTURES_SEED, drawn.rows, categories)
        run = world.preset.make_run(REFERENCE, task, SEED)
        self.pictures = OfTask(run, self.domains, world.manifest.pictures[task]["data_sha256"])
        self.pictures.truth = truth
        nowhere = Places(world.results, world.results, world.results)
        self.exact, self.fidelity, self.preferring = (
            kind(self.pictures, nowhere, world.preset.measure)
            for kind in (ExactKind, FidelityKind, Observed)
        )
        self.exact.classifier = classifier
        self.fidelity.extractor = classifier_extractor(classifier)
        self.exact.masks = {n: self.mask(i) for i, n in enumerate(self.exact.names)}
        self.truth, self.fixed = truth, Preparation(self.size).at_test()
        self.distance = LpipsDistance(trained(self.protocol.version))

    @property
    def protocol(self) -> Any:
        """Of diversity, as this code has it."""
        measure = self.world.preset.measure
        return get_protocol(measure.protocol, measure.inputs, measure.samples)

    def mask(self, index: int) -> Tensor:
        """The true silhouette of a test input."""
        fixed = Preparation(self.size).at_test()
        return fixed(self.masks.read(index)).mean(0) * 0.5 + 0.5

    @cached_property
    def photos(self) -> Features:
        """Features of the photos that fidelity compares with."""
        return self.fidelity.reference

    @cached_property
    def observer(self) -> LpipsDistance:
        """What the observer compares pictures by."""
        return LpipsDistance(trained("0.1"), "cpu")

    @cached_property
    def true_features(self) -> dict[str, Tensor]:
        """Those of the first inputs' true pictures."""
        names = self.domains.test_a.ids[: min(INPUTS, REAL_INPUTS)]
        return {n: self.observer.features(true_pictures(self.truth, n)) for n in names}

    @cached_property
    def reference_pictures(self) -> Pictures:
        """Translations by the method that all others are set against."""
        return self.translations(REFERENCE, True)

    def translations(self, method: str, of_all: bool) -> Pictures:
        """Of the first inputs all samples that diversity takes, of the others a pair; ``of_all``: of
        these as many as fidelity takes."""
        record = next(iter(self.rows[method].values()))
        network, run = self.world.network((self.task, method, None), record)
        source, fixed = self.domains.test_a, Preparation(self.size)
        _, few = self.fidelity.counts
        first, rest = (Subset(source, r) for r in (range(INPUTS), range(INPUTS, len(source))))
        samples = self.protocol.samples
        made = list(shown(network, first, fixed, samples=samples, seed=run.seed))
        made += shown(network, rest, fixed, samples=few if of_all else PAIR, seed=run.seed)
        return {(name, k): picture for name, k, picture in made}


def check_method(bench: Bench, method: str, records: dict[str, Record], findings: Findings) -> None:
    """Compare ``records`` about a method with what its weights give now."""
    row = bench.task, method, None
    network, run = bench.world.network(row, next(iter(records.values())))
    bench.world.check_translation(row, network, records, findings)
    of_all = not all(name.startswith("diversity-") for name in records)
    if of_all and method == REFERENCE:
        pictures = bench.reference_pictures
    else:
        pictures = bench.translations(method, of_all)
    for record in records.values():
        if record["metric"].startswith("diversity-"):
            _diversity(bench, record, pictures, findings)
    if SILHOUETTE.name in records:
        _silhouettes(bench, records[SILHOUETTE.name], pictures, findings)
    _observed(bench, records, pictures, OWN, findings)
    _fidelity(bench, records, pictures, findings)
    if EXACT & set(records):
        styled = same_noises(
            network, bench.pictures, min(CONTENTS, len(bench.exact.names)), run.seed
        )
        check_exact(
            bench.world,
            bench.exact,
            records,
            pictures,
            INPUTS,
            bench.exact.consistency(styled),
            findings,
        )


def check_real(bench: Bench, records: dict[str, Record], findings: Findings) -> None:
    """The same for the row of real pictures."""
    domains, fixed, truth = bench.domains, bench.fixed, bench.truth
    for record in records.values():
        if record["metric"].startswith("diversity-"):
            photos = {n: fixed(domains.test_b.read(i)) for i, n in enumerate(domains.test_b.ids)}
            pairs = min(REAL_PAIRS, len(photos) * (len(photos) - 1) // 2)
            found = real_diversity(photos, bench.distance, pairs, seed=SEED)
            check_protocol(record["metric"], record["protocol"], found.protocol, findings)
            stored = DiversityResult.load(bench.world.raw(record))
            check_value(record, stored.value, findings)
            findings.close(
                record["metric"], "mean of all pairs", stored.value, found.value,
                tolerance(record["metric"]),
            )  # fmt: skip
    _, few = bench.fidelity.counts
    made = {(n, k): p for n, k, p in truth.best_translations(domains.test_a.ids, few)}
    if SILHOUETTE.name in records:
        _silhouettes(bench, records[SILHOUETTE.name], made, findings)
    _fidelity(bench, records, made, findings)
    some = truth.best_translations(domains.test_a.ids[:REAL_INPUTS], SAMPLES)
    styled = truth.best_translations(bench.exact.names[:CONTENTS], STYLES, same_styles=True)
    pictures = {(n, k): p for n, k, p in some}
    _observed(bench, records, pictures, range(OBSERVED), findings)
    if EXACT & set(records):
        check_exact(
            bench.world,
            bench.exact,
            records,
            pictures,
            REAL_INPUTS,
            bench.exact.consistency(styled),
            findings,
        )


def _diversity(bench: Bench, record: Record, pictures: Pictures, findings: Findings) -> None:
    metric, allowed = record["metric"], tolerance(record["metric"])
    check_protocol(metric, record["protocol"], {"protocol": bench.protocol.name}, findings)
    names = bench.domains.test_a.ids[:INPUTS]
    some = bench.protocol.scaled(INPUTS)
    samples = range(bench.protocol.samples)
    translations = [(n, k, pictures[n, k]) for n in names for k in samples]
    found = diversity(translations, bench.distance, some)
    told = {k: v for k, v in found.protocol.items() if k not in ("protocol", "N", "range")}
    check_protocol(metric, record["protocol"], told, findings)
    stored = DiversityResult.load(bench.world.raw(record))
    check_value(record, stored.value, findings)
    for name, value in found.per_input.items():
        findings.close(metric, f"input {name}", stored.per_input[name], value, allowed)
    others = bench.domains.test_a.ids[INPUTS : bench.protocol.inputs]
    translations = [(n, k, pictures[n, k]) for n in others for k in range(PAIR)]
    found = diversity(translations, bench.distance, bench.protocol.scaled(len(others), PAIR))
    rows = dict(zip(stored.input_ids, stored.distances[:, 0].tolist(), strict=True))
    for name, value in found.per_input.items():
        findings.close(metric, f"first pair of input {name}", rows[name], value, FIRST_PAIR)


def _silhouettes(bench: Bench, record: Record, pictures: Pictures, findings: Findings) -> None:
    names = bench.domains.test_a.ids[:SILHOUETTES]
    masks = {name: bench.mask(i) for i, name in enumerate(names)}
    found = silhouette_iou({name: pictures[name, 0] for name in names}, masks)
    check_protocol(SILHOUETTE.name, record["protocol"], found.protocol, findings)
    allowed = tolerance(SILHOUETTE.name)
    findings.close(SILHOUETTE.name, "mean over inputs", record["value"], found.value, allowed)


def _observed(
    bench: Bench, records: dict[str, Record], pictures: Pictures, own: range, findings: Findings
) -> None:
    """Distances to true pictures, of both sides of a preference."""
    told = protocol(bench.size, bench.observer.weights, bench.preferring.about())
    for metric in {TRUTH_DISTANCE.name, QUALITY_OBSERVED.name} & records.keys():
        record = records[metric]
        check_protocol(metric, record["protocol"], told, findings)
        arrays = bench.world.arrays(record)
        names = tuple(map(str, arrays["input_ids"]))
        findings.same(metric, "inputs", names, tuple(bench.domains.test_a.ids))
        seen = Observation(arrays["distances"], names, told)
        found, sides = seen.mean(TRUTH_DISTANCE), [("distances", pictures, own)]
        if metric == QUALITY_OBSERVED.name:
            found = seen.quality(
                QUALITY_OBSERVED, Observation(arrays["reference"], names, told), {}
            )
            sides.append(("reference", bench.reference_pictures, OTHERS))
        check_value(record, found.value, findings)
        for side, of, numbers in sides:
            for (name, true), stored in zip(
                bench.true_features.items(), arrays[side], strict=False
            ):
                shown = torch.stack([of[name, k] for k in numbers[: len(stored)]])
                now = float(right_distances(shown, true, bench.observer).min(axis=1).mean())
                what = f"{side} of input {name}"
                findings.close(metric, what, float(stored.mean()), now, tolerance(metric))


def _fidelity(
    bench: Bench, records: dict[str, Record], pictures: Pictures, findings: Findings
) -> None:
    inputs, samples = bench.fidelity.counts
    about = {
        name: record for name, record in records.items()
        if name.split("-")[0] in ("fid", "kid", "precision", "recall")
    }  # fmt: skip
    if not about:
        return
    few = ((n, k, p) for (n, k), p in pictures.items() if k < samples)
    fake = extract(few, bench.fidelity.extractor)
    found = scores(fake.values, bench.photos.values)
    told = {
        "inputs": inputs, "K": samples, "N_real": len(bench.photos.values),
        "sha256": bench.fidelity.extractor.sha256, "resolution": list(fake.size),
    }  # fmt: skip
    for name, record in about.items():
        check_protocol(name, record["protocol"], told, findings)
        arrays = bench.world.arrays(record)
        score = name.split("-")[0]
        for side, features in (("real", bench.photos), ("fake", fake)):
            mean = features.values.double().numpy().mean(axis=0)
            stored = arrays[f"{side}_mean"]
            worst = int(np.abs(mean - stored).argmax())
            allowed = FEATURES if side == "real" else tolerance("fid")
            findings.close(
                name,
                f"mean feature {worst} of {side} pictures",
                stored[worst],
                mean[worst],
                allowed,
            )
        findings.close(name, "value", record["value"], found[score], tolerance(name))
