"""Untrained classifiers and readers of content that claim to know, where trained ones would be: for
tests of all that comes before and after them."""

from pathlib import Path
from typing import TypeVar

import torch
from tiny import places_of

from benchmarks.networks.classifiers import Classifier, SmallResNet
from benchmarks.networks.content_reader import ContentNetwork, ContentReader, Scale
from benchmarks.networks.mode_classifiers import ModeClassifier
from benchmarks.networks.mode_recipes import MODE_RECIPES
from models.init import initialise
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig, parse_settings
from reproduce.measuring import kept
from reproduce.measuring.content_readers import FACTORS, RECIPE, kept_reader, tells_content
from reproduce.measuring.modes import mode_classifier, recipe_for
from reproduce.measuring.subject import Pictures, open_pictures

Network = TypeVar("Network", bound=torch.nn.Module)


def initialised(network: Network) -> Network:
    initialise(network, "kaiming", torch.Generator().manual_seed(0))
    return network


def store_judges(run: RunConfig, places: Places, accuracy: float = 1.0) -> list[Path]:
    """For both domains of a run's task; returns the classifiers' files."""
    pictures = open_pictures(run, places)
    modes = pictures.modes
    recipe = MODE_RECIPES[recipe_for(run.task, run.size)]
    paths = []
    for domain in "ab":
        path = mode_classifier(pictures, domain, places).path
        path.parent.mkdir(parents=True, exist_ok=True)
        network = initialised(recipe.network(4))
        names = modes.names[domain]
        ModeClassifier(recipe, names, (32, 32), network, 1.0, accuracy, True, {}).save(path)
        paths.append(path)
        if tells_content(modes):
            reader_of(modes.titles[domain]).save(kept_reader(pictures, domain, places).path)
    return paths


def reader_of(title: str, r2: float = 1.0) -> ContentReader:
    network = initialised(ContentNetwork(RECIPE, len(FACTORS)))
    scale = Scale((0.0,) * len(FACTORS), (1.0,) * len(FACTORS))
    claims = dict.fromkeys(FACTORS, r2)
    return ContentReader(RECIPE, scale, (32, 32), network, claims, {"domain": title})


def store_classifier(pictures: Pictures, places: Places) -> None:
    """The classifier of drawn shoes or bags, which is untrained and says otherwise."""
    recipe, heads = kept.RECIPE, pictures.drawn.heads
    network, accuracy = initialised(SmallResNet(recipe, heads)), dict.fromkeys(heads, 0.95)
    path = kept.kept_classifier(pictures, places).path
    Classifier(recipe, heads, network, accuracy, {}).save(path)


TINY = ["steps=2", "train=12", "test=8", "batch=2", "dim=4", "dis_dim=4"]  # runs of Table 2


def store_classifiers(root: Path, accuracy: float = 1.0) -> list[Path]:
    run = load_preset("quick").table_runs(2, 0, parse_settings(TINY))[0]
    return store_judges(run, places_of(root), accuracy)
