"""Rows of Table 1, measured again from stored weights."""

from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from regression_tolerances import CLASSES, COLOURS, FEATURES, KEPT_AS_FLOAT32, tolerance
from regression_world import (
    SEED,
    Findings,
    Pictures,
    Record,
    World,
    arrays_in,
    check_protocol,
    check_value,
    shown,
)
from torch import Tensor

from benchmarks.metrics.diversity import DiversityResult, diversity, real_diversity
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.exact import ExactTable, examine
from benchmarks.metrics.fidelity import scores
from benchmarks.metrics.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.metrics.observer import (
    QUALITY_OBSERVED,
    TRUTH_DISTANCE,
    Observation,
    right_distances,
)
from benchmarks.metrics.style_scores import CONSISTENCY
from benchmarks.networks.extractors import Features, classifier_extractor, extract
from benchmarks.networks.weights import trained
from models.method import Method
from reproduce.experiments.places import Places
from reproduce.experiments.run import RunConfig
from reproduce.measuring.diversity import REAL_PAIRS
from reproduce.measuring.exact import (
    ALWAYS,
    CONTENTS,
    SAMPLES,
    SOMETIMES,
    STYLES,
    ExactKind,
    same_noises,
)
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
from reproduce.training.translate import Translation

INPUTS = 20  # of the test inputs, those whose values are compared one by one
SILHOUETTES = 100
REAL_INPUTS = 10
EXACT = {metric.name for metric in (*ALWAYS, *SOMETIMES)}


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

    def nearest(self, pictures: Pictures, samples: range) -> dict[str, float]:
        """How far the ``samples`` of the first inputs are from the nearest true picture."""
        shown = {n: torch.stack([pictures[n, k] for k in samples]) for n in self.true_features}
        return {
            n: float(right_distances(shown[n], true, self.observer).min(axis=1).mean())
            for n, true in self.true_features.items()
        }

    @cached_property
    def reference_pictures(self) -> Pictures:
        """Translations by the method that all others are set against."""
        return self.translations(*self.network(REFERENCE), few=False)

    @cached_property
    def reference_nearest(self) -> dict[str, float]:
        """How near they come."""
        return self.nearest(self.reference_pictures, OTHERS)

    def network(self, method: str) -> tuple[Method, RunConfig]:
        """That of a row, compared with what its records say of it."""
        record = next(iter(self.rows[method].values()))
        return self.world.network((self.task, method, None), record)

    def translations(self, network: Method, run: RunConfig, few: bool) -> Pictures:
        """Of the first inputs all samples that diversity takes, of the others as many as fidelity
        does; ``few``: one of those that diversity takes."""
        source, fixed = self.domains.test_a, Preparation(self.size)
        rest = range(INPUTS, self.protocol.inputs if few else len(source))
        first, others = (Subset(source, rows) for rows in (range(INPUTS), rest))
        samples = 1 if few else self.fidelity.counts[1]
        made = list(shown(network, first, fixed, samples=self.protocol.samples, seed=run.seed))
        made += shown(network, others, fixed, samples=samples, seed=run.seed)
        return {(name, k): picture for name, k, picture in made}


def check_method(bench: Bench, method: str, records: dict[str, Record], findings: Findings) -> None:
    """Compare ``records`` about a method with what its weights give now."""
    network, run = bench.network(method)
    bench.world.check_translation((bench.task, method, None), network, records, findings)
    few = not any(map(_is_fidelity, records))
    if method == REFERENCE and not few:
        pictures = bench.reference_pictures
    else:
        pictures = bench.translations(network, run, few)
    for metric in filter(_is_diversity, records):
        _diversity(bench, records[metric], pictures, findings)
    if SILHOUETTE.name in records:
        _silhouettes(bench, records[SILHOUETTE.name], pictures, findings)
    _observed(bench, records, pictures, OWN, findings)
    _fidelity(bench, records, pictures, findings)
    contents = min(CONTENTS, len(bench.exact.names))
    styled = same_noises(network, bench.pictures, contents, run.seed)
    _exact(bench, records, pictures, INPUTS, styled, findings)


def check_real(bench: Bench, records: dict[str, Record], findings: Findings) -> None:
    """The same for the row of real pictures."""
    domains, fixed, truth = bench.domains, bench.fixed, bench.truth
    for metric in filter(_is_diversity, records):
        record = records[metric]
        photos = {n: fixed(domains.test_b.read(i)) for i, n in enumerate(domains.test_b.ids)}
        pairs = min(REAL_PAIRS, len(photos) * (len(photos) - 1) // 2)
        found = real_diversity(photos, bench.distance, pairs, seed=SEED)
        check_protocol(metric, record["protocol"], found.protocol, findings)
        stored = DiversityResult.load(bench.world.raw(record))
        check_value(record, stored.value, findings)
        what = "mean of all pairs"
        findings.close(metric, what, stored.value, found.value, tolerance(metric))
    _, few = bench.fidelity.counts
    made = {(n, k): p for n, k, p in truth.best_translations(domains.test_a.ids, few)}
    if SILHOUETTE.name in records:
        _silhouettes(bench, records[SILHOUETTE.name], made, findings)
    _fidelity(bench, records, made, findings)
    some = truth.best_translations(domains.test_a.ids[:REAL_INPUTS], SAMPLES)
    styled = truth.best_translations(bench.exact.names[:CONTENTS], STYLES, same_styles=True)
    pictures = {(n, k): p for n, k, p in some}
    _observed(bench, records, pictures, range(OBSERVED), findings)
    _exact(bench, records, pictures, REAL_INPUTS, styled, findings)


def _is_diversity(metric: str) -> bool:
    return metric.startswith("diversity-")


def _is_fidelity(metric: str) -> bool:
    return metric.startswith(("fid-", "kid-", "precision-", "recall-"))


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
    metrics = {TRUTH_DISTANCE.name, QUALITY_OBSERVED.name} & records.keys()
    if not metrics:
        return
    told = protocol(bench.size, bench.observer.weights, bench.preferring.about())
    now = bench.nearest(pictures, own)
    for metric in metrics:
        record = records[metric]
        check_protocol(metric, record["protocol"], told, findings)
        arrays = bench.world.arrays(record)
        names = tuple(map(str, arrays["input_ids"]))
        findings.same(metric, "inputs", names, tuple(bench.domains.test_a.ids))
        seen = Observation(arrays["distances"], names, told)
        found, sides = seen.mean(TRUTH_DISTANCE), {"distances": now}
        if metric == QUALITY_OBSERVED.name:
            others = Observation(arrays["reference"], names, told)
            found = seen.quality(QUALITY_OBSERVED, others, {})
            sides["reference"] = bench.reference_nearest
        check_value(record, found.value, findings)
        for side, by_input in sides.items():
            findings.same(metric, "samples", arrays[side].shape[1], len(own))
            for name, stored in zip(by_input, arrays[side], strict=False):
                what, before = f"{side} of input {name}", float(stored.mean())
                findings.close(metric, what, before, by_input[name], tolerance(metric))


def _fidelity(
    bench: Bench, records: dict[str, Record], pictures: Pictures, findings: Findings
) -> None:
    inputs, samples = bench.fidelity.counts
    about = [records[name] for name in filter(_is_fidelity, records)]
    if not about:
        return
    few = ((n, k, p) for (n, k), p in pictures.items() if k < samples)
    fake = extract(few, bench.fidelity.extractor)
    found = scores(fake.values, bench.photos.values)
    told = {
        "inputs": inputs, "K": samples, "N_real": len(bench.photos.values),
        "sha256": bench.fidelity.extractor.sha256, "resolution": list(fake.size),
    }  # fmt: skip
    means = {
        side: features.values.double().numpy().mean(axis=0)
        for side, features in (("real", bench.photos), ("fake", fake))
    }
    for record in about:
        name = record["metric"]
        check_protocol(name, record["protocol"], told, findings)
        arrays = bench.world.arrays(record)
        for side, mean in means.items():
            stored = arrays[f"{side}_mean"]
            worst = int(np.abs(mean - stored).argmax())
            allowed = FEATURES if side == "real" else tolerance("fid")
            what = f"mean feature {worst} of {side} pictures"
            findings.close(name, what, stored[worst], mean[worst], allowed)
        now = found[name.split("-")[0]]
        findings.close(name, "value", record["value"], now, tolerance(name))


def _exact(
    bench: Bench, records: dict[str, Record], pictures: Pictures, inputs: int,
    styled: Iterable[Translation], findings: Findings,
) -> None:  # fmt: skip
    """``styled``: contents in the same styles, none of a method without noise."""
    if not EXACT & set(records):
        return
    task = bench.exact
    names = task.names[:inputs]
    wanted = [(name, k) for name in names for k in range(SAMPLES)]
    some: list[Translation] = [(name, k, pictures[name, k]) for name, k in wanted]
    found = examine(some, {name: task.known[name] for name in names}, task.classifier)

    @cache
    def stored(raw: Path) -> tuple[ExactTable, dict[str, float], dict[str, float]]:
        whole = _table(raw, found.n_patterns)
        part = _first(whole, inputs)
        return part, _measured(whole, task), _measured(part, task)

    now = _measured(found, task)
    if (consistency := task.consistency(styled)) is not None:
        now[CONSISTENCY.name] = consistency.value
    protocol = {k: v for k, v in task.protocol().items() if k != "accuracy"}
    for name, value in now.items():
        if name not in records:
            findings.say(name, "measured now, and not on record")
            continue
        record = records[name]
        more = {"K": STYLES} if name == CONSISTENCY.name else {}
        check_protocol(name, record["protocol"], protocol | more, findings)
        if name == CONSISTENCY.name:
            findings.close(name, "value", record["value"], value, tolerance(name))
            continue
        part, values, of_part = stored(bench.world.raw(record))
        check_value(record, values[name], findings, KEPT_AS_FLOAT32)
        findings.same(name, "inputs", part.ids, found.ids)
        what = f"mean over {inputs} inputs"
        findings.close(name, what, of_part[name], value, tolerance(name))
        _raw_values(name, part, found, findings)


def _raw_values(name: str, stored: ExactTable, found: ExactTable, findings: Findings) -> None:
    """Single pictures, of what a metric is made of."""
    if name.startswith("colour-"):
        change = float(np.abs(stored.colours - found.colours).mean())
        findings.close(name, "change of a colour", 0.0, change, COLOURS)
    elif name.startswith("pattern-"):
        share = float((stored.patterns != found.patterns).mean())
        findings.close(name, "share of patterns changed", 0.0, share, CLASSES)
    elif name == "category-kept":
        share = float((stored.kept != found.kept).mean())
        findings.close(name, "share of categories changed", 0.0, share, CLASSES)


def _measured(table: ExactTable, task: ExactKind) -> dict[str, float]:
    every = [*table.content(SEED, {}), *table.styles(task.style_truth, SEED, {})]
    return {m.name: m.value for m in every}


def _table(raw: Path, n_patterns: int) -> ExactTable:
    arrays = arrays_in(raw)
    return ExactTable(
        tuple(map(str, arrays["input_ids"])), arrays["colours"].astype(np.float64),
        arrays["patterns"].astype(np.int64), arrays["categories"].astype(np.int64),
        arrays["parts"].astype(np.float64), arrays["kept"], n_patterns,
    )  # fmt: skip


def _first(table: ExactTable, inputs: int) -> ExactTable:
    return ExactTable(
        table.ids[:inputs], table.colours[:inputs], table.patterns[:inputs],
        table.categories[:inputs], table.parts[:inputs], table.kept[:inputs], table.n_patterns,
    )  # fmt: skip
