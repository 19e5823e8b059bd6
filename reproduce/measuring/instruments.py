"""What a task's translations are measured with: its pictures, a classifier, an extractor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from benchmarks.networks.classifier_training import Labelled, train_classifier
from benchmarks.networks.classifiers import RECIPES, Classifier, Recipe, load_classifier
from benchmarks.networks.extractors import Extractor, classifier_extractor, inception_extractor
from benchmarks.pictures import to_bytes
from models.errors import UserError
from models.method import Method
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.run import RunConfig
from reproduce.measuring.together import finished_method
from reproduce.records.code import made_by, sign
from reproduce.tasks.drawn.truth import Truth, truth_of
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, PictureSource

RECIPE = "small-resnet-2"
CATEGORY_FLOOR = 0.9  # held-out accuracy of the category, under which no number is worth much
TRAINED_BY = train_classifier.__module__
HELD_OUT = 1000  # photos at most, of those that translations are compared with


@dataclass(frozen=True)
class Instruments:
    """Everything that measurements of one task share, opened once.

    ``truth`` and ``classifier`` are there for drawn pictures only; ``data``: the fingerprint of
    the pictures.
    """

    domains: Domains
    data: str
    size: int
    truth: Truth | None
    classifier: Classifier | None
    extractor: Extractor

    def trained_method(self, run: RunConfig, checkpoint: Path, device: str) -> Method:
        """The networks of a finished training on these very pictures; UserError otherwise."""
        return finished_method(run, checkpoint, self.domains, self.data, device)


def open_instruments(
    run: RunConfig,
    places: Places,
    *,
    inception: Path | None = None,
    inception_sha256: str | None = None,
) -> Instruments:
    """The instruments for the task of ``run``.

    Drawn pictures are measured with a classifier of their own, trained now unless the runs folder
    has it; all others with Inception-v3, from ``inception``, torch's cache or by download.
    """
    domains = open_run_task(run, places)
    data = domains.fingerprint()
    truth = truth_of(domains, run.size)
    classifier = None
    if truth is None:
        extractor = inception_extractor(inception, inception_sha256, True, places.device)
    else:
        classifier = task_classifier(domains, truth, data, places)
        extractor = classifier_extractor(classifier)
    return Instruments(domains, data, run.size, truth, classifier, extractor)


def classifier_path(
    domains: Domains, truth: Truth, data: str, runs: Path, recipe: Recipe, seed: int
) -> Path:
    """Where the classifier is kept: a name for these pictures, recipe, questions and seed."""
    about = [data, asdict(recipe), truth.heads, seed]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return runs / "classifiers" / f"{recipe.name}-{domains.name}-{digest[:16]}.safetensors"


def task_classifier(
    domains: Domains,
    truth: Truth,
    data: str,
    places: Places,
    recipe: Recipe = RECIPES[RECIPE],
    seed: int = 0,
) -> Classifier:
    """The classifier of a drawn task: from the runs folder, or trained there.

    It learns from the photos of the aligned training pairs and is tried on those of the unpaired
    training set, which fidelity is measured against: no picture is on both sides. Raises UserError
    where its category is under the floor.
    """
    path = classifier_path(domains, truth, data, places.runs, recipe, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        classifier = _kept_or_trained(path, domains, truth, data, places, recipe, seed)
    classifier.require({"category": CATEGORY_FLOOR})
    return classifier


def _kept_or_trained(
    path: Path, domains: Domains, truth: Truth, data: str, places: Places, recipe: Recipe, seed: int
) -> Classifier:
    if made_by(path, TRAINED_BY):
        classifier = load_classifier(path, places.device)
    else:
        if domains.pairs is None:
            raise UserError(f"{domains.folder} has no trainPairs: draw the task again")
        photos_of_pairs, others = domains.pairs[1], domains.train_b
        held_out = min(HELD_OUT, len(others))
        classifier = train_classifier(
            recipe,
            truth.heads,
            _labelled(photos_of_pairs, truth, "trainPairs", len(photos_of_pairs)),
            _labelled(others, truth, "trainB", held_out),
            seed=seed,
            device=places.device,
            facts={"task": domains.name, "data_sha256": data},
            progress=places.progress,
        )
        classifier.save(path)
        sign(path, TRAINED_BY)
    return classifier


def _labelled(source: PictureSource, truth: Truth, split: str, number: int) -> Labelled:
    """The first ``number`` pictures of a source with their true classes."""
    fixed = Preparation(truth.size).at_test()
    pictures = torch.cat([to_bytes(fixed(source.read(i))[None]) for i in range(number)])
    return Labelled(pictures, truth.labels(split, source.ids[:number]))


def chosen(count: int, of: int, seed: int) -> list[int]:
    """``count`` different indices below ``of``, sorted, by ``seed``."""
    draws = np.random.default_rng([0x5E1, seed & (2**64 - 1)])
    return sorted(int(i) for i in draws.permutation(of)[:count])
