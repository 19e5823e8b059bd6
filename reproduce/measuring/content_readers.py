"""Train content readers for tasks with known content, and choose the factors that they predict.

Content is what a translation should keep: a head's pose, its position, its expression. For drawn
pictures it is stored in the truth folder (``tasks.modes``), with the same factors in all domains;
measuring reads it, training never does. The content of photographs is unknown and not measured.
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

# The background is not included: its colours belong to both style and content.
NUMBERS = ("yaw", "tilt", "x", "y", "scale", "gaze_x", "gaze_y", "openness")
CLASSES = {"expression": EXPRESSIONS}
FACTORS = (*NUMBERS, *(f"{name}={value}" for name, known in CLASSES.items() for value in known))
RECIPE = CONTENT_RECIPES["small-content"]
SEED = 0  # the same reader for every seed of the methods


def open_content(pictures: Pictures, domain: str, places: Places) -> ContentReader | None:
    """Open the content reader of ``domain``, "a" or "b".

    Returns None if the content is not known, or no factor can be predicted from the pictures.
    """
    if not tells_content(pictures.modes):
        return None
    reader = kept_reader(pictures, domain, places).open()
    return reader if reader.used else None


def content_scores(
    reader: ContentReader, modes: Modes, part: str, ids: Sequence[str]
) -> ContentScores:
    """Return the score of translations of the pictures ``ids`` in ``part`` (testA, ...), whose true
    contents are known; real pictures count as translations of themselves."""
    truth = reader.standardised(content_of(modes, part, ids))
    about = {"domain": reader.facts["domain"]}
    return ContentScores(reader, dict(zip(ids, truth, strict=True)), about)


def tells_content(modes: Modes) -> bool:
    """Return whether the truth contains the content of both domains' pictures."""
    told: dict[str, set[str]] = {}
    for (part, _), row in modes.rows.items():
        told.setdefault(part, {name for name, value in row.items() if value})
    return all(told.get(part, set()) >= {*NUMBERS, *CLASSES} for part in PARTS)


def content_of(modes: Modes, part: str, ids: Sequence[str]) -> FloatArray:
    """Return the true content (N, F) of pictures in ``part``, F as in ``FACTORS``, classes one-hot.

    Raises UserError if the truth is not a number or not a known class.
    """
    return np.array([_vector(modes, part, name) for name in ids], dtype=np.float64)


def kept_reader(pictures: Pictures, domain: str, places: Places) -> Kept[ContentReader]:
    """Return a domain's reader, which is trained on training pictures and tested on test pictures.

    It is identified by its pictures, their contents, the recipe and size, but not by the other
    domain: tasks that share a domain's pictures share its reader.
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
