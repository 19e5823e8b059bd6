"""Exact scores of translations of drawn pictures: content kept, styles covered, one style over many
contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.metric import Measurement
from benchmarks.metrics.exact import Examination, Known, StyleTruth, examine
from benchmarks.metrics.ground_truth import (
    CATEGORY,
    PARTS,
    SILHOUETTE,
    part_borders,
    silhouette_iou,
)
from benchmarks.metrics.style_scores import (
    COLOUR_DISTANCE,
    COLOUR_ENTROPY,
    CONSISTENCY,
    PATTERN_DISTANCE,
    PATTERN_ENTROPY,
    body_colour,
    style_consistency,
)
from benchmarks.networks.classifiers import Classifier
from models.errors import UserError
from models.method import Method
from models.randomness import generator
from reproduce.measuring.classifier import chosen, task_classifier
from reproduce.measuring.diversity import masks_by_id, silhouettes
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Pictures, Subject
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION
from reproduce.training.translate import Translation

INPUTS, SAMPLES = 100, 20  # at most so many test inputs; translations of each
CONTENTS, STYLES = 50, 20  # of the question whether a style stays one style
PHOTOS = 1000  # whose styles are the truth

ALWAYS = (CATEGORY, COLOUR_DISTANCE, COLOUR_ENTROPY, PATTERN_DISTANCE, PATTERN_ENTROPY)
SOMETIMES = (CONSISTENCY, PARTS)  # not of methods without noise, nor of pictures without parts


class ExactKind(OneByOne):
    """Exact scores; of real pictures those of a perfect translator, who paints each input anew in
    random styles. What is true of test inputs and styles is found once, when it is first asked for.
    """

    name = "exact"
    metrics = frozenset(metric.name for metric in (*ALWAYS, *SOMETIMES))
    of_real = frozenset({SILHOUETTE.name})

    @cached_property
    def classifier(self) -> Classifier:
        return task_classifier(self.pictures, self.places)

    @cached_property
    def names(self) -> list[str]:
        """The test inputs that are looked at."""
        return self.pictures.domains.test_a.ids[:INPUTS]

    @property
    def photos(self) -> int:
        return min(PHOTOS, len(self.pictures.domains.train_b))

    @cached_property
    def masks(self) -> dict[str, Tensor]:
        """True silhouettes (H, W) in [0, 1]."""
        source = silhouettes(self.pictures.domains)
        if source is None:
            raise UserError(f"{self.pictures.domains.folder} has no testMask: draw the task again")
        return masks_by_id(source, dict.fromkeys(self.names), self.pictures.size)

    @cached_property
    def known(self) -> dict[str, Known]:
        """What is true of each test input."""
        return {name: self._known(i, name) for i, name in enumerate(self.names)}

    def _known(self, index: int, name: str) -> Known:
        edges = self.pictures.read(self.pictures.domains.test_a, index)
        category = self.pictures.drawn.classes("test", name)["category"]
        borders = part_borders(edges, self.masks[name])
        return Known(self.pictures.drawn.body("test", name), borders, category)

    @cached_property
    def style_truth(self) -> StyleTruth:
        """Of training photos, which no classifier saw."""
        source, truth = self.pictures.domains.train_b, self.pictures.drawn
        rows = chosen(self.photos, len(source), 0)
        known = {source.ids[i]: Known(truth.body("trainB", source.ids[i])) for i in rows}
        photos = ((source.ids[i], 0, self.pictures.read(source, i)) for i in rows)
        return examine(photos, known, self.classifier).style_truth()

    def protocol(self) -> dict[str, Any]:
        """What a record says of how it was measured."""
        return {
            "protocol": f"{len(self.names)}x{SAMPLES}-vs-{self.photos}",
            "inputs": len(self.names),
            "K": SAMPLES,
            "resolution": [self.pictures.size] * 2,
            "reference": "training photos",
            "N_real": self.photos,
            "generator_version": GENERATOR_VERSION,
            "extractor": self.classifier.recipe.name,
            "sha256": self.classifier.sha256,
            "accuracy": self.classifier.accuracy,
        }

    def wanted(self, subject: Subject) -> tuple[Wanted, Wanted]:
        protocol = self.protocol()
        told = {f"protocol__{key}": protocol[key] for key in ("sha256", "protocol")}
        needed: dict[str, Any] = {metric.name: told for metric in ALWAYS}
        if subject.real:
            needed[SILHOUETTE.name] = {}
        return needed, {metric.name: told for metric in SOMETIMES}

    def look(self, subject: Subject) -> Looking:
        examination, first = Examination(self.known, self.classifier), dict[str, Tensor]()
        protocol, seed = self.protocol(), subject.run.seed

        def update(name: str, k: int, picture: Tensor) -> None:
            if k == 0 and subject.real:
                first[name] = picture.clone()
            examination.update(name, k, picture)

        def finish() -> Sequence[Made]:
            table = examination.finish()
            consistency = self.consistency(self.same_styles(subject))
            words = protocol["protocol"], subject.sha256[:12], self.classifier.sha256[:8]
            raw = self.raw_name("exact", subject, *words), lambda p: table.save(p, protocol)
            measured = [
                # Those that may be missing come first: where the others are, all are.
                *([] if consistency is None else [consistency]),
                *table.content(seed, protocol),
                *table.styles(self.style_truth, seed, protocol),
            ]
            made = [Made(m.as_dict(), raw) for m in measured]
            if subject.real:
                made.append(Made(silhouette_iou(first, self.masks, seed=seed).as_dict()))
            return made

        truth = self.pictures.drawn
        pictures = truth.best_translations(self.names, SAMPLES) if subject.real else None
        return Looking(len(self.names), SAMPLES, update, finish, pictures)

    def consistency(self, pictures: Iterable[Translation]) -> Measurement | None:
        """Of contents that were translated with the same styles; None for no translations."""
        colours: dict[str, dict[int, Any]] = {}
        for name, k, picture in pictures:
            colours.setdefault(name, {})[k] = body_colour(picture, self.known[name].body)
        if not colours:
            return None
        by_style = [[colours[n][k] for n in sorted(colours)] for k in range(STYLES)]
        return style_consistency(np.array(by_style), self.protocol() | {"K": STYLES})

    def same_styles(self, subject: Subject) -> Iterator[Translation]:
        """Every content in the same styles; nothing of a method without noise, nor of outputs whose
        styles nobody knows."""
        if subject.real:
            return self.pictures.drawn.best_translations(
                self.names[:CONTENTS], STYLES, same_styles=True
            )
        if not subject.trained:
            return iter(())
        seed, contents = subject.run.seed, min(CONTENTS, len(self.names))
        return same_noises(subject.method, self.pictures, contents, seed)


@torch.no_grad()
def same_noises(
    method: Method, pictures: Pictures, contents: int, seed: int
) -> Iterator[Translation]:
    """The first ``contents``, each with the same noises; without noise each is translated alike."""
    source = pictures.domains.test_a
    device = next(method.parameters()).device
    for i in range(contents):
        x = pictures.read(source, i)[None].to(device)
        draws = [
            method.draw_noise(1, x.shape[2], x.shape[3], generator(seed, "one style", k))
            for k in range(STYLES)
        ]
        noise = {role: torch.cat([d[role] for d in draws]).to(device) for role in draws[0]}
        translated = method.translate(x.expand(STYLES, -1, -1, -1), "a2b", noise or None)
        for k, picture in enumerate(translated.float().cpu()):
            yield source.ids[i], k, picture
