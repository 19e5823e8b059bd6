"""Readers of content for the tasks whose pictures tell theirs: which factors, learned where.

Content is what a translation should keep: how a head is held, where it is, what its face does. It
is told beside drawn pictures (``tasks.modes``), in the same words for all domains, and read here
and nowhere in training. Photographs tell none, so there is nothing to measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from benchmarks.intervals import FloatArray
from benchmarks.metrics.content_confusion import ContentScores
from benchmarks.networks.content_reader import (
    CONTENT_RECIPES,
    ContentReader,
    Described,
    load_content_reader,
    train_content_reader,
)
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.measuring.kept import Kept, as_bytes
from reproduce.measuring.subject import Pictures
from reproduce.tasks.animals.pose import EXPRESSIONS
from reproduce.tasks.modes import PARTS, Modes, truth_folder
from reproduce.tasks.sources import fingerprint

# What is behind a head is not among them: its colours are the style's as well as the content's.
NUMBERS = ("yaw", "tilt", "x", "y", "scale", "gaze_x", "gaze_y", "openness")
CLASSES = {"expression": EXPRESSIONS}
FACTORS = (*NUMBERS, *(f"{name}={value}" for name, known in CLASSES.items() for value in known))
RECIPE = CONTENT_RECIPES["small-content"]
SEED = 0  # the same reader for every seed of the methods


def open_content(pictures: Pictures, domain: str, places: Places) -> ContentReader | None:
    """The reader of content in pictures of ``domain``, "a" or "b".

    None where the pictures do not tell their content, and where no factor can be read off them.
    """
    if not tells_content(pictures.modes):
        return None
    reader = kept_reader(pictures, domain, places).open()
    return reader if reader.used else None


def content_scores(
    reader: ContentReader, modes: Modes, part: str, ids: Sequence[str]
) -> ContentScores:
    """What collects translations of the pictures ``ids`` of ``part`` (testA, ...), of which it knows
    the true contents; real pictures count as translations of themselves."""
    truth = reader.standardised(content_of(modes, part, ids))
    about = {"domain": reader.facts["domain"]}
    return ContentScores(reader, dict(zip(ids, truth, strict=True)), about)


def tells_content(modes: Modes) -> bool:
    """Whether the truth tells the content of the pictures of both domains."""
    told: dict[str, set[str]] = {}
    for (part, _), row in modes.rows.items():
        told.setdefault(part, {name for name, value in row.items() if value})
    return all(told.get(part, set()) >= {*NUMBERS, *CLASSES} for part in PARTS)


def content_of(modes: Modes, part: str, ids: Sequence[str]) -> FloatArray:
    """The true content (N, F), as ``FACTORS``, of pictures of ``part``; classes are 1 or 0.

    Raises UserError where the truth is no number or no known class.
    """
    return np.array([_vector(modes, part, name) for name in ids], dtype=np.float64)


def kept_reader(pictures: Pictures, domain: str, places: Places) -> Kept[ContentReader]:
    """A domain's reader, named after its pictures, their contents, recipe and size; it learns from
    the training pictures and is tried on the test pictures.

    The other domain does not matter: tasks that share a domain's pictures share its reader.
    """
    modes, size, shown = pictures.modes, pictures.size, pictures.of_domain(domain)
    told = {s: content_of(modes, f"{s}{domain.upper()}", shown[s].ids) for s in shown}

    def train() -> ContentReader:
        learned, held_out = (Described(as_bytes(shown[s], size), told[s]) for s in shown)
        return train_content_reader(
            RECIPE, FACTORS, learned, held_out, seed=SEED, device=places.device,
            facts={"domain": modes.titles[domain]}, progress=places.progress,
        )  # fmt: skip

    values = {s: of.tolist() for s, of in told.items()}
    about = [fingerprint(shown), values, FACTORS, asdict(RECIPE), size, SEED]
    load = partial(load_content_reader, device=places.device)
    name = f"{RECIPE.name}-{modes.titles[domain]}"
    return Kept(places, name, about, load, train, train_content_reader.__module__)


def _vector(modes: Modes, part: str, name: str) -> list[float]:
    row = modes.factors(part, name)
    try:
        numbers = [float(row[factor]) for factor in NUMBERS]
        classes = {factor: known.index(row[factor]) for factor, known in CLASSES.items()}
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{truth_folder(modes.folder) / 'truth.csv'} does not tell the content of {part}/{name} "
            f"({error}); remove {modes.folder} and its .truth, and make the task again"
        ) from None
    return numbers + [float(i == k) for f, k in classes.items() for i in range(len(CLASSES[f]))]
