"""Networks that measure: found among runs or stored weights, or trained once; and the classifier of
a drawn task."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from benchmarks.files import whole
from benchmarks.networks.classifier_training import Labelled, train_classifier
from benchmarks.networks.classifiers import RECIPES, Classifier, load_classifier
from benchmarks.networks.precision import no_tf32
from benchmarks.pictures import to_bytes
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.measuring.stored_manifest import stored_network
from reproduce.measuring.subject import Pictures
from reproduce.records.code import code_behind, made_by, sign
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource

if TYPE_CHECKING:  # imported late: torch-fidelity imports torchvision, which takes seconds
    from benchmarks.networks.extractors import Extractor


class _Saves(Protocol):
    def save(self, path: Path) -> None: ...


Network = TypeVar("Network", bound=_Saves)


@dataclass(frozen=True)
class Kept(Generic[Network]):
    """A network that ``train`` makes, identified by ``name`` and the JSON values ``about``."""

    places: Places
    name: str
    about: Sequence[object]
    load: Callable[[Path], Network]
    train: Callable[[], Network]
    trained_by: str  # the module whose code determines the result of ``train``

    @cached_property
    def path(self) -> Path:
        """The network's file."""
        digest = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode()).hexdigest()[:16]
        name = f"{self.name.replace(' ', '-')}-{digest}.safetensors"
        return self.places.runs / "classifiers" / name

    def open(self) -> Network:
        """Load the network that the present code trained before, here or for the stored results;
        otherwise train it."""
        no_tf32()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            if made_by(self.path, self.trained_by):
                return self.load(self.path)
            code = code_behind(self.trained_by)
            stored = stored_network(self.places.results, self.path.name, code)
            if stored is None:
                network = self.train()
                network.save(self.path)
            else:
                with whole(self.path) as part:
                    shutil.copyfile(stored, part)
                network = self.load(self.path)
            sign(self.path, self.trained_by)
        return network


def as_bytes(source: PictureSource, size: int, count: int | None = None) -> Tensor:
    """Read the first ``count`` pictures of a source, or all, as uint8 (N, 3, size, size)."""
    fixed = Preparation(size).at_test()
    rows = range(len(source) if count is None else count)
    return torch.cat([to_bytes(fixed(source.read(i))[None]) for i in rows])


RECIPE = RECIPES["small-resnet-2"]
SEED = 0
CATEGORY_FLOOR = 0.9  # held-out accuracy of the category that scores require
HELD_OUT = 1000  # photos, at most, of the unpaired training set


def kept_classifier(pictures: Pictures, places: Places) -> Kept[Classifier]:
    """Return the classifier of a drawn task, identified by its pictures, heads and recipe.

    It is trained on the photos of the aligned training pairs and tested on those of the unpaired
    training set, which fidelity uses as its reference: the two sets have no picture in common.
    """
    domains, truth = pictures.domains, pictures.drawn

    def train() -> Classifier:
        if domains.pairs is None:
            raise UserError(f"{domains.folder} has no trainPairs: draw the task again")
        shown = {"trainPairs": domains.pairs[1], "trainB": domains.train_b}
        ids = {split: source.ids for split, source in shown.items()}
        ids["trainB"] = ids["trainB"][:HELD_OUT]
        learned, held_out = (
            Labelled(
                as_bytes(shown[split], truth.size, len(ids[split])), truth.labels(split, ids[split])
            )
            for split in shown
        )
        return train_classifier(
            RECIPE, truth.heads, learned, held_out,
            seed=SEED, device=places.device, progress=places.progress,
            facts={"task": domains.name, "data_sha256": pictures.data},
        )  # fmt: skip

    about = [pictures.data, asdict(RECIPE), truth.heads, SEED]
    load = partial(load_classifier, device=places.device)
    name = f"{RECIPE.name}-{domains.name}"
    return Kept(places, name, about, load, train, train_classifier.__module__)


def task_classifier(pictures: Pictures, places: Places) -> Classifier:
    """Open this classifier; UserError if its accuracy is below ``CATEGORY_FLOOR``."""
    classifier = kept_classifier(pictures, places).open()
    classifier.require({"category": CATEGORY_FLOOR})
    return classifier


def extractor_of(pictures: Pictures, places: Places) -> Extractor:
    """Return the feature extractor: the classifier for drawn pictures, Inception-v3 for others."""
    from benchmarks.networks.extractors import classifier_extractor

    if pictures.truth is not None:
        return classifier_extractor(task_classifier(pictures, places))
    return inception(places)


def inception(places: Places) -> Extractor:
    """Load Inception-v3 from the places' file or torch's cache, or download it."""
    from benchmarks.networks.extractors import inception_extractor

    return inception_extractor(places.inception_path, places.inception_sha256, True, places.device)


def chosen(count: int, of: int, seed: int) -> list[int]:
    """Draw ``count`` distinct indices below ``of`` with ``seed``; return them sorted."""
    draws = np.random.default_rng([0x5E1, seed & (2**64 - 1)])
    return sorted(int(i) for i in draws.permutation(of)[:count])
