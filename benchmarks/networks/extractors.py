"""Feature extractors for fidelity metrics.

Photographs use Inception-v3 with torch-fidelity's weights, drawn pictures the task's classifier.
Both are registered with torch-fidelity, so anyone can verify a result on saved pictures:
``torch_fidelity.calculate_metrics(feature_extractor=NAME, feature_extractor_weights_path=...)``.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_fidelity import register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from benchmarks.networks.classifiers import INCEPTION, RECIPES, Classifier, load_classifier
from benchmarks.networks.precision import no_tf32
from benchmarks.networks.streams import Batches, Stream, consume
from benchmarks.networks.weight_files import Published
from models.errors import UserError

INCEPTION_DIMS = 2048
PUBLISHED = Published("torch-fidelity", URL_INCEPTION_V3)


@dataclass(frozen=True)
class Extractor:
    """A network that maps each picture to a vector of ``dims`` values. ``name`` is part of the
    names of metrics; ``sha256`` is of the parameters' values, not of a file; ``registered`` is the
    name in torch-fidelity's registry."""

    name: str
    registered: str
    sha256: str
    dims: int
    source: str
    network: nn.Module
    device: torch.device

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """Return float32 features (N, ``dims``), on the CPU, of uint8 pictures (N, 3, H, W)."""
        (features,) = self.network(pictures.to(self.device))
        return features.float().cpu()


LAYER = "features"
AS_GIVEN = "features-as-given"


class FeaturesAsGiven(FeatureExtractorBase):  # type: ignore[misc]
    """Passes features through unchanged, so that torch-fidelity can use precomputed features."""

    def __init__(self, name: str, features_list: list[str], **_: object) -> None:
        super().__init__(name, features_list)

    def forward(self, rows: Tensor) -> tuple[Tensor]:
        return (rows,)

    @staticmethod
    def get_provided_features_list() -> tuple[str]:
        return (LAYER,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return LAYER


class ClassifierFeatures(FeaturesAsGiven):
    """Wraps a saved classifier for torch-fidelity; returns its features before the heads."""

    def __init__(
        self, name: str, features_list: list[str], classifier: Classifier | None = None,
        feature_extractor_weights_path: str | None = None, **_: object,
    ) -> None:  # fmt: skip
        super().__init__(name, features_list)
        if classifier is None:
            if feature_extractor_weights_path is None:
                raise UserError(f"{name} needs feature_extractor_weights_path: a saved classifier")
            classifier = load_classifier(Path(feature_extractor_weights_path))
        self.classifier = classifier
        self.network = classifier.network  # a submodule, so that it moves with this module

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        return super().forward(self.classifier(pictures)[0])


register_feature_extractor(AS_GIVEN, FeaturesAsGiven)
for _name in RECIPES:
    register_feature_extractor(_name, ClassifierFeatures)


def classifier_extractor(classifier: Classifier) -> Extractor:
    """Return an extractor for the features of a trained classifier, on its device."""
    name = classifier.recipe.name
    network = ClassifierFeatures(name, [LAYER], classifier)
    source = f"accuracy {classifier.accuracy}"
    return Extractor(
        name, name, classifier.sha256, classifier.recipe.dims, source, network, classifier.device
    )


def inception_extractor(
    path: Path | None = None,
    sha256: str | None = None,
    allow_download: bool = False,
    device: torch.device | str = "cpu",
) -> Extractor:
    """Return the Inception-v3 that defines FID (TensorFlow's weights of 2015), 2,048 features.
    Weights are read by ``Published.read``. If the file's hash is not that of torch-fidelity's file,
    the extractor's name ends in "-unverified"."""
    with torch.random.fork_rng(devices=[]):
        with torch.device("meta"):
            wanted = _inception(_Shapes, {}).state_dict()
        found = PUBLISHED.read(path, sha256, allow_download, wanted)
        network = _inception(FeatureExtractorInceptionV3, found.state)
    return Extractor(
        name=INCEPTION if found.verified else f"{INCEPTION}-unverified",
        registered="inception-v3-compat",
        sha256=_hash_of_numbers(network.state_dict()),
        dims=INCEPTION_DIMS,
        source=found.file,
        network=network.to(device),
        device=torch.device(device),
    )


def _inception(kind: type[nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """Build the network from checked weights. torch-fidelity reads weights as a pickle that could
    run code, so it gets a file written here that holds only tensors."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "inception.pth"
        torch.save({k: v.detach().clone() for k, v in state.items()}, own)
        return kind(INCEPTION, [str(INCEPTION_DIMS)], feature_extractor_weights_path=str(own))


class _Shapes(FeatureExtractorInceptionV3):  # type: ignore[misc]
    """The network without weights: nothing is read, drawn or allocated."""

    def load_state_dict(self, *_: object, **__: object) -> None:
        return None


def _hash_of_numbers(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(INCEPTION.encode())
    for name, tensor in sorted(state.items()):
        digest.update(f"\n{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Features:
    """Features (N, D) of pictures, sorted by (input id, sample number)."""

    keys: tuple[tuple[str, int], ...]
    values: Tensor
    size: tuple[int, int]

    @property
    def inputs(self) -> list[str]:
        """The distinct input ids, sorted."""
        return sorted({name for name, _ in self.keys})


class Extraction(Batches[Features]):
    """Extracts features of streamed pictures."""

    def __init__(self, extractor: Extractor, batch_size: int = 64) -> None:
        super().__init__(batch_size)
        no_tf32()
        self._extractor = extractor
        self._rows: list[Tensor] = []

    def _measure(self, pictures: Tensor) -> None:
        # Copies: a view of one row would keep the whole batch in memory.
        self._rows += [row.clone() for row in self._extractor.features(pictures)]

    def _result(self, size: tuple[int, int]) -> Features:
        keys = tuple(sorted(self._row_of))
        return Features(keys, torch.stack([self._rows[self._row_of[key]] for key in keys]), size)


def extract(stream: Stream, extractor: Extractor, batch_size: int = 64) -> Features:
    """Return the ``Extraction`` of a whole ``stream``."""
    return consume(Extraction(extractor, batch_size), stream)
