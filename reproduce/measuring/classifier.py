"""The classifier of a drawn task, and the extractor of features that fidelity is measured on."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.networks.classifier_training import Labelled, train_classifier
from benchmarks.networks.classifiers import RECIPES, Classifier, Recipe, load_classifier
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.measuring.kept import as_bytes, kept, kept_path
from reproduce.measuring.subject import Pictures

if TYPE_CHECKING:  # imported late: torch-fidelity brings torchvision, which takes seconds
    from benchmarks.networks.extractors import Extractor

RECIPE = "small-resnet-2"
CATEGORY_FLOOR = 0.9  # held-out accuracy of the category, under which no number is worth much
TRAINED_BY = train_classifier.__module__
HELD_OUT = 1000  # photos at most, of those that translations are compared with


def classifier_path(pictures: Pictures, runs: Path, recipe: Recipe, seed: int) -> Path:
    """Where the classifier is kept: a name for these pictures, recipe, questions and seed."""
    about = [pictures.data, asdict(recipe), pictures.drawn.heads, seed]
    return kept_path(runs, f"{recipe.name}-{pictures.domains.name}", about)


def task_classifier(
    pictures: Pictures, places: Places, recipe: Recipe = RECIPES[RECIPE], seed: int = 0
) -> Classifier:
    """The classifier of a drawn task: from the runs folder, or trained there.

    It learns from the photos of the aligned training pairs and is tried on those of the unpaired
    training set, which fidelity is measured against: no picture is on both sides. Raises UserError
    where its category is under the floor.
    """
    domains = pictures.domains

    def train() -> Classifier:
        if domains.pairs is None:
            raise UserError(f"{domains.folder} has no trainPairs: draw the task again")
        photos_of_pairs = len(domains.pairs[1])
        return train_classifier(
            recipe, pictures.drawn.heads,
            _labelled(pictures, "trainPairs", photos_of_pairs),
            _labelled(pictures, "trainB", min(HELD_OUT, len(domains.train_b))),
            seed=seed, device=places.device, progress=places.progress,
            facts={"task": domains.name, "data_sha256": pictures.data},
        )  # fmt: skip

    path = classifier_path(pictures, places.runs, recipe, seed)
    classifier = kept(path, TRAINED_BY, partial(load_classifier, device=places.device), train)
    classifier.require({"category": CATEGORY_FLOOR})
    return classifier


def extractor_of(pictures: Pictures, places: Places) -> Extractor:
    """Of drawn pictures the features of their classifier; of all others those of Inception-v3, from
    the places' file, torch's cache or by download."""
    from benchmarks.networks.extractors import classifier_extractor, inception_extractor

    if pictures.truth is not None:
        return classifier_extractor(task_classifier(pictures, places))
    return inception_extractor(places.inception_path, places.inception_sha256, True, places.device)


def _labelled(pictures: Pictures, split: str, count: int) -> Labelled:
    """The first ``count`` photos of a split with their true classes."""
    domains, truth = pictures.domains, pictures.drawn
    source = domains.pairs[1] if split == "trainPairs" and domains.pairs else domains.train_b
    return Labelled(as_bytes(source, truth.size, count), truth.labels(split, source.ids[:count]))


def chosen(count: int, of: int, seed: int) -> list[int]:
    """``count`` different indices below ``of``, sorted, by ``seed``."""
    draws = np.random.default_rng([0x5E1, seed & (2**64 - 1)])
    return sorted(int(i) for i in draws.permutation(of)[:count])
