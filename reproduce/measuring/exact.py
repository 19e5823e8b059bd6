"""Exact scores of translations of drawn pictures: preserved content, coverage of styles, and
consistency of one style over many contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.metric import Measurement
from benchmarks.metrics import ground_truth, style_scores
from benchmarks.metrics.exact import Examination, Known, StyleTruth, examine
from benchmarks.metrics.ground_truth import SILHOUETTE
from benchmarks.networks.classifiers import Classifier
from models.method import Method
from models.randomness import generator
from reproduce.measuring.kept import chosen, task_classifier
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Pictures, Subject
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION
from reproduce.training.translate import Translation

INPUTS, SAMPLES = 100, 20  # test inputs, at most; translations of each
CONTENTS, STYLES = 50, 20  # for style consistency
PHOTOS = 1000  # whose styles are the reference

ALWAYS = (
    ground_truth.CATEGORY, style_scores.COLOUR_DISTANCE, style_scores.COLOUR_ENTROPY,
    style_scores.PATTERN_DISTANCE, style_scores.PATTERN_ENTROPY,
)  # fmt: skip
# Missing for methods without noise (the first) and for pictures without parts (the second).
SOMETIMES = (style_scores.CONSISTENCY, ground_truth.PARTS)


class ExactKind(OneByOne):
    """Exact scores; for real pictures those of a perfect translator, which redraws each input in
    random styles. The truth about test inputs and styles is computed once, on first access.
    """

    name = "exact"
    metrics = frozenset(metric.name for metric in (*ALWAYS, *SOMETIMES))
    may_lack = frozenset(metric.name for metric in SOMETIMES)
    of_real = frozenset({SILHOUETTE.name})

    @cached_property
    def classifier(self) -> Classifier:
        return task_classifier(self.pictures, self.places)

    @cached_property
    def names(self) -> list[str]:
        """The test inputs that are measured."""
        return self.pictures.domains.test_a.ids[:INPUTS]

    @property
    def photos(self) -> int:
        return min(PHOTOS, len(self.pictures.domains.train_b))

    @cached_property
    def masks(self) -> dict[str, Tensor]:
        """True silhouettes (H, W) in [0, 1]."""
        return self.pictures.silhouettes(self.names)

    @cached_property
    def known(self) -> dict[str, Known]:
        """The truth about each test input."""
        found, truth = dict[str, Known](), self.pictures.drawn
        for index, name in enumerate(self.names):
            edges = self.pictures.read(self.pictures.domains.test_a, index)
            borders = ground_truth.part_borders(edges, self.masks[name])
            category = truth.classes("test", name)["category"]
            found[name] = Known(truth.body("test", name), borders, category)
        return found

    @cached_property
    def style_truth(self) -> StyleTruth:
        """The true styles, from training photos that the classifier was not trained on."""
        source, truth = self.pictures.domains.train_b, self.pictures.drawn
        rows = chosen(self.photos, len(source), 0)
        known = {source.ids[i]: Known(truth.body("trainB", source.ids[i])) for i in rows}
        photos = ((source.ids[i], 0, self.pictures.read(source, i)) for i in rows)
        return examine(photos, known, self.classifier).style_truth()

    def protocol(self) -> dict[str, Any]:
        """Return the protocol that records contain."""
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

    def wanted(self, subject: Subject) -> Wanted:
        protocol = self.protocol()
        told = {f"protocol__{key}": protocol[key] for key in ("sha256", "protocol")}
        more: Wanted = {SILHOUETTE.name: {}} if subject.real else {}
        return {**dict.fromkeys((m.name for m in (*ALWAYS, *SOMETIMES)), told), **more}

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
            name = self.raw_name("exact", subject, protocol["protocol"], protocol["sha256"])
            raw = name, lambda path: table.save(path, protocol)
            measured = [
                # Optional scores are recorded first, so that a record of the others implies all.
                *([] if consistency is None else [consistency]),
                *table.content(seed, protocol),
                *table.styles(self.style_truth, seed, protocol),
            ]
            made = [Made(m.as_dict(), raw) for m in measured]
            if subject.real:
                iou = ground_truth.silhouette_iou(first, self.masks, seed=seed)
                made.append(Made(iou.as_dict()))
            return made

        truth = self.pictures.drawn
        pictures = truth.best_translations(self.names, SAMPLES) if subject.real else None
        return Looking(finish, update, len(self.names), SAMPLES, pictures)

    def consistency(self, pictures: Iterable[Translation]) -> Measurement | None:
        """Measure style consistency of contents translated with the same styles, or return None."""
        colours: dict[str, dict[int, Any]] = {}
        for name, k, picture in pictures:
            colour = style_scores.body_colour(picture, self.known[name].body)
            colours.setdefault(name, {})[k] = colour
        if not colours:
            return None
        by_style = [[colours[n][k] for n in sorted(colours)] for k in range(STYLES)]
        told = self.protocol() | {"K": STYLES}
        return style_scores.style_consistency(np.array(by_style), told)

    def same_styles(self, subject: Subject) -> Iterator[Translation]:
        """Translate every content with the same styles; yield nothing for submitted outputs, whose
        styles are unknown."""
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
    """Translate the first ``contents`` inputs, each with the same noises, if it has any."""
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
