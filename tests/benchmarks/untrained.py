"""A classifier that nobody trained, for tests of all that uses one."""

from collections.abc import Mapping

import torch

from benchmarks.networks.classifiers import RECIPES, Classifier, SmallResNet
from models.init import initialise


def untrained(heads: Mapping[str, tuple[str, ...]], accuracy: float = 1.0) -> Classifier:
    """One of the smallest recipe, whose record claims an ``accuracy``."""
    recipe, heads = RECIPES["small-resnet-2"], dict(heads)
    network = SmallResNet(recipe, heads)
    initialise(network, "kaiming", torch.Generator().manual_seed(1))
    return Classifier(recipe, heads, network, dict.fromkeys(heads, accuracy), {})
