"""Table 2's measurements: IS and CIS by classifiers of the modes, and what these hide, content
confusion.

Modes are read from beside the pictures (``tasks.modes``), here and nowhere in training. Classifiers
are kept beside the runs, one for each domain, and trained once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.inception_score import (
    CIS,
    CONFIDENCE,
    ENTROPY,
    EXP_CIS,
    EXP_IS,
    IS,
    REACHED,
)
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
from reproduce.measuring.kept import as_bytes, kept, kept_path
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Subject
from reproduce.tasks.modes import Modes, open_modes
from reproduce.tasks.registry import TASKS
from reproduce.tasks.sources import Domains, PictureSource, fingerprint

TARGET: dict[str | None, str] = {"a2b": "b", "b2a": "a"}  # whose modes a direction is to reach
TRAINED_BY = train_mode_classifier.__module__
CLASSIFIER_SEED = 0  # the same classifier for every seed of the methods
SINGLE, SEVERAL = (IS, EXP_IS, ENTROPY, CONFIDENCE), (CIS, EXP_CIS, REACHED)  # samples an input
CONTENT_SAMPLES = 10  # translations of each input, its first, whose content is read


class ModesKind(OneByOne):
    """IS, CIS and what goes with them in one direction; of real pictures, each its own input, IS:
    what a perfect translator would score."""

    name = "modes"
    metrics = frozenset(metric.name for metric in (*SINGLE, *SEVERAL, CONTENT_CONFUSION))
    batch_size = 64

    @property
    def domain(self) -> str:
        """The target."""
        return TARGET[self.direction]

    @cached_property
    def modes(self) -> Modes:
        return open_modes(self.pictures.domains.folder)

    @cached_property
    def classifier(self) -> ModeClassifier:
        """Of the target's modes; UserError for one that is not sure enough."""
        domains, modes = self.pictures.domains, self.modes
        found = mode_classifier(domains, modes, self.domain, self.pictures.run, self.places)
        found.require()
        return found

    @cached_property
    def reader(self) -> ContentReader | None:
        """Of content in the target's pictures; None where they tell none."""
        return open_content(
            self.pictures.domains, self.modes, self.domain, self.pictures.run, self.places
        )

    def _shown(self, subject: Subject) -> tuple[str, int, int]:
        """The part whose contents are shown, how many inputs, and samples of each."""
        part = f"test{'AB'[(self.direction == 'b2a') != subject.real]}"
        count = len(sources_of(self.pictures.domains)[part])
        if subject.real:
            return part, count, 1
        return part, min(self.measuring.mode_inputs, count), self.measuring.mode_samples

    def wanted(self, subject: Subject) -> tuple[Wanted, Wanted]:
        _, inputs, samples = self._shown(subject)
        told: dict[str, Any] = {
            "protocol__sha256": self.classifier.sha256,
            "protocol__protocol": protocol_name(inputs, samples),
        }
        if subject.real:
            told["seed"] = subject.run.seed
        metrics = SINGLE if subject.real else (*SINGLE, *SEVERAL)
        confusion: dict[str, Any] = {}
        if self.reader is not None:
            same = {"seed": subject.run.seed} if subject.real else {}
            confusion = {CONTENT_CONFUSION.name: same | {"protocol__sha256": self.reader.sha256}}
        return {metric.name: told for metric in metrics} | confusion, {}

    def look(self, subject: Subject) -> Looking:
        part, inputs, samples = self._shown(subject)
        source = sources_of(self.pictures.domains)[part]
        about = {
            "domain": self.modes.titles[self.domain],
            "verified": self.classifier.verified,
        }
        scores = ModeProbabilities(self.classifier, self.modes.names[self.domain], about)
        reader = self.reader
        content = None if reader is None else content_scores(reader, self.modes, part, source.ids)

        def update(name: str, k: int, picture: Tensor) -> None:
            if content is not None and k < CONTENT_SAMPLES:
                content.update(name, k, picture)
            scores.update(name, k, picture)

        def finish() -> Sequence[Made]:
            made, seed = list[Made](), subject.run.seed
            if content is not None:
                table = content.finish()
                told = table.measurement(seed).as_dict() | {"by_factor": table.by_factor}
                made.append(Made(told, (self._raw("content", subject, table.protocol), table.save)))
            found = scores.finish().compact()
            raw = self._raw("modes", subject, found.protocol), found.save
            more = {"modes": found.distribution()}
            # The one that tables show comes last.
            last = IS.name if subject.real else CIS.name
            measured = sorted(found.measurements(seed), key=lambda m: m.name == last)
            return [*made, *(Made(m.as_dict() | more, raw) for m in measured)]

        pictures = self.pictures.shown(source) if subject.real else None
        return Looking(inputs, samples, update, finish, pictures)

    def _raw(self, kind: str, subject: Subject, protocol: dict[str, Any]) -> str:
        words = protocol["protocol"], subject.sha256[:12], protocol["sha256"][:8]
        return self.raw_name(kind, subject, *words)


def sources_of(domains: Domains) -> dict[str, PictureSource]:
    """The pictures of both domains by the names of their folders."""
    return {
        "trainA": domains.train_a, "trainB": domains.train_b,
        "testA": domains.test_a, "testB": domains.test_b,
    }  # fmt: skip


def recipe_for(task: str, size: int) -> str:
    """The classifier's recipe: small networks where there are few pixels, else Inception-v3."""
    if task in TASKS and TASKS[task].drawn:
        return "small-drawn"
    return "small-photos" if size <= 64 else "inception-v3-finetune"


def classifier_path(
    domains: Domains, modes: Modes, domain: str, run: RunConfig, runs: Path
) -> Path:
    """Where a classifier is kept: a name for these pictures, their modes, recipe and size.

    The other domain does not matter: tasks that share a domain's pictures share its classifier.
    """
    recipe = MODE_RECIPES[recipe_for(run.task, run.size)]
    parts = {part: f"{part}{domain.upper()}" for part in ("train", "test")}
    pictures = {part: sources_of(domains)[name] for part, name in parts.items()}
    shown = {part: modes.labels(parts[part], s.ids).tolist() for part, s in pictures.items()}
    about = [
        fingerprint(pictures), shown, asdict(recipe), modes.names[domain], run.size, CLASSIFIER_SEED
    ]  # fmt: skip
    return kept_path(runs, f"{recipe.name}-{modes.titles[domain].replace(' ', '-')}", about)


def mode_classifier(
    domains: Domains, modes: Modes, domain: str, run: RunConfig, places: Places
) -> ModeClassifier:
    """The classifier of one domain's modes: from the runs folder, or trained there on the training
    pictures and tried on the test pictures."""

    def labelled(part: str) -> Labelled:
        source = sources_of(domains)[part]
        return Labelled(as_bytes(source, run.size), {MODE: modes.labels(part, source.ids)})

    def train() -> ModeClassifier:
        return train_mode_classifier(
            MODE_RECIPES[recipe_for(run.task, run.size)], modes.names[domain],
            labelled(f"train{domain.upper()}"), labelled(f"test{domain.upper()}"),
            weights=_beginning(run.task, run.size, places), seed=CLASSIFIER_SEED,
            device=places.device, progress=places.progress, facts={"domain": modes.titles[domain]},
        )  # fmt: skip

    path = classifier_path(domains, modes, domain, run, places.runs)
    return kept(path, TRAINED_BY, partial(load_mode_classifier, device=places.device), train)


def check_measurable(runs: Sequence[RunConfig], places: Places) -> None:
    """Refuse before hours of training what could not be measured after them."""
    for task, size in sorted({(run.task, run.size) for run in runs}):
        _beginning(task, size, places)
    for run in {run.task: run for run in runs}.values():
        if run.task not in TASKS or not TASKS[run.task].drawn:  # what is drawn has its truth
            open_modes(open_run_task(run, places).folder)


def _beginning(task: str, size: int, places: Places) -> FoundWeights | None:
    """What the classifier's training begins with, where its recipe fine-tunes."""
    if not isinstance(MODE_RECIPES[recipe_for(task, size)], InceptionModes):
        return None
    return imagenet_weights(places.inception_path, places.inception_sha256, allow_download=True)
