"""Table 2's measurements: IS and CIS by mode classifiers, and content confusion, which these miss.

Modes are read from the truth folder (``tasks.modes``), which training never does. Classifiers are
trained once per domain and kept beside the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any

from torch import Tensor

from benchmarks.metrics import inception_score as scores
from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.mode_scores import ModeProbabilities, protocol_name
from benchmarks.networks.classifier_training import Labelled
from benchmarks.networks.content_reader import ContentReader
from benchmarks.networks.mode_classifiers import (
    ModeClassifier,
    load_mode_classifier,
    train_mode_classifier,
)
from benchmarks.networks.mode_recipes import MODE, MODE_RECIPES, InceptionModes, imagenet_weights
from benchmarks.networks.weight_files import FoundWeights
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.run import RunConfig
from reproduce.measuring.content_readers import content_scores, open_content
from reproduce.measuring.kept import Kept, as_bytes
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Pictures, Subject
from reproduce.tasks.modes import open_modes
from reproduce.tasks.registry import TASKS
from reproduce.tasks.sources import fingerprint

TARGET: dict[str | None, str] = {"a2b": "b", "b2a": "a"}  # the target domain of each direction
CLASSIFIER_SEED = 0  # the same classifier for every seed of the methods
SINGLE = (scores.IS, scores.EXP_IS, scores.ENTROPY, scores.CONFIDENCE)  # need one sample per input
SEVERAL = (scores.CIS, scores.EXP_CIS, scores.REACHED)
CONTENT_SAMPLES = 10  # the first translations of each input, whose content is read


class ModesKind(OneByOne):
    """IS, CIS and related scores in one direction. For real pictures, each taken as its own input,
    only IS, which is a perfect translator's."""

    name = "modes"
    metrics = frozenset(metric.name for metric in (*SINGLE, *SEVERAL, CONTENT_CONFUSION))
    batch_size = 64

    @property
    def domain(self) -> str:
        """The target domain."""
        return TARGET[self.direction]

    @cached_property
    def classifier(self) -> ModeClassifier:
        """The classifier of the target's modes; UserError if it is not accurate enough."""
        found = mode_classifier(self.pictures, self.domain, self.places).open()
        found.require()
        return found

    @cached_property
    def reader(self) -> ContentReader | None:
        """The content reader of the target's pictures; None if their content is not known."""
        return open_content(self.pictures, self.domain, self.places)

    def _shown(self, subject: Subject) -> tuple[str, int, int]:
        """Return the domain of the inputs, their number, and the samples of each."""
        domain = "ab"[(self.direction == "b2a") != subject.real]
        count = len(self.pictures.of_domain(domain)["test"])
        if subject.real:
            return domain, count, 1
        return domain, min(self.measuring.mode_inputs, count), self.measuring.mode_samples

    def wanted(self, subject: Subject) -> Wanted:
        _, inputs, samples = self._shown(subject)
        same: dict[str, Any] = {"seed": subject.run.seed} if subject.real else {}
        told = same | {
            "protocol__sha256": self.classifier.sha256,
            "protocol__protocol": protocol_name(inputs, samples),
        }
        wanted = {m.name: told for m in (SINGLE if subject.real else (*SINGLE, *SEVERAL))}
        if self.reader is not None:
            wanted[CONTENT_CONFUSION.name] = same | {"protocol__sha256": self.reader.sha256}
        return wanted

    def look(self, subject: Subject) -> Looking:
        domain, inputs, samples = self._shown(subject)
        source, modes = self.pictures.of_domain(domain)["test"], self.pictures.modes
        about = {"domain": modes.titles[self.domain], "verified": self.classifier.verified}
        probabilities = ModeProbabilities(self.classifier, modes.names[self.domain], about)
        reader, part = self.reader, f"test{domain.upper()}"
        content = None if reader is None else content_scores(reader, modes, part, source.ids)

        def update(name: str, k: int, picture: Tensor) -> None:
            if content is not None and k < CONTENT_SAMPLES:
                content.update(name, k, picture)
            probabilities.update(name, k, picture)

        def finish() -> Sequence[Made]:
            made, seed = list[Made](), subject.run.seed
            if content is not None:
                table = content.finish()
                told = table.measurement(seed).as_dict() | {"by_factor": table.by_factor}
                made.append(Made(told, (self._raw("content", subject, table.protocol), table.save)))
            found = probabilities.finish().compact()
            raw = self._raw("modes", subject, found.protocol), found.save
            more = {"modes": found.distribution()}
            # The score that tables show comes last.
            last = (scores.IS if subject.real else scores.CIS).name
            measured = sorted(found.measurements(seed), key=lambda m: m.name == last)
            return [*made, *(Made(m.as_dict() | more, raw) for m in measured)]

        pictures = self.pictures.shown(source) if subject.real else None
        return Looking(finish, update, inputs, samples, pictures)

    def _raw(self, kind: str, subject: Subject, protocol: dict[str, Any]) -> str:
        return self.raw_name(kind, subject, protocol["protocol"], protocol["sha256"])


def recipe_for(task: str, size: int) -> str:
    """Return the classifier's recipe: a small network for small pictures, or Inception-v3."""
    if task in TASKS and TASKS[task].drawn:
        return "small-drawn"
    return "small-photos" if size <= 64 else "inception-v3-finetune"


def mode_classifier(pictures: Pictures, domain: str, places: Places) -> Kept[ModeClassifier]:
    """Return a domain's mode classifier, trained on training pictures and tested on test pictures.

    It is identified by its pictures, their modes, the recipe and size, but not by the other domain:
    tasks that share a domain's pictures share its classifier.
    """
    modes, run, shown = pictures.modes, pictures.run, pictures.of_domain(domain)
    recipe, names = MODE_RECIPES[recipe_for(run.task, run.size)], modes.names[domain]
    labels = {s: modes.labels(f"{s}{domain.upper()}", shown[s].ids) for s in shown}

    def train() -> ModeClassifier:
        learned, held_out = (
            Labelled(as_bytes(shown[s], run.size), {MODE: labels[s]}) for s in shown
        )
        return train_mode_classifier(
            recipe, names, learned, held_out, weights=_beginning(run, places),
            seed=CLASSIFIER_SEED, device=places.device, progress=places.progress,
            facts={"domain": modes.titles[domain]},
        )  # fmt: skip

    told = {s: of.tolist() for s, of in labels.items()}
    about = [fingerprint(shown), told, asdict(recipe), names, run.size, CLASSIFIER_SEED]
    load = partial(load_mode_classifier, device=places.device)
    name = f"{recipe.name}-{modes.titles[domain]}"
    return Kept(places, name, about, load, train, train_mode_classifier.__module__)


def check_measurable(runs: Sequence[RunConfig], places: Places) -> None:
    """Raise UserError, before hours of training, for runs whose modes cannot be measured."""
    for run in {(run.task, run.size): run for run in runs}.values():
        _beginning(run, places)
        if run.task not in TASKS or not TASKS[run.task].drawn:  # drawn tasks have their truth
            open_modes(open_run_task(run, places).folder)


def _beginning(run: RunConfig, places: Places) -> FoundWeights | None:
    """Return the classifier's initial weights if its recipe fine-tunes; None otherwise."""
    if not isinstance(MODE_RECIPES[recipe_for(run.task, run.size)], InceptionModes):
        return None
    return imagenet_weights(places.inception_path, places.inception_sha256, allow_download=True)
