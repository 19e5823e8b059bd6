"""Table 2's measurements of trained runs as records: IS and CIS by classifiers of the modes, and
what these hide, content confusion.

Modes are read from beside the pictures (``tasks.modes``), here and nowhere in training. Classifiers
are kept beside the runs, one for each domain, and trained once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from benchmarks.metrics.content_scores import ContentScores, ContentTable
from benchmarks.metrics.inception_score import CIS, IS
from benchmarks.metrics.mode_scores import ModeScores, mode_scores, protocol_name
from benchmarks.networks.classifier_training import Labelled
from benchmarks.networks.content_reader import ContentReader
from benchmarks.networks.imagenet_inception import ImageNetWeights, imagenet_weights
from benchmarks.networks.mode_classifier_training import train_mode_classifier
from benchmarks.networks.mode_classifiers import ModeClassifier, load_mode_classifier
from benchmarks.networks.mode_recipes import MODE, MODE_RECIPES, InceptionModes
from benchmarks.pictures import to_bytes
from models.errors import UserError
from models.method import DIRECTIONS, Direction
from reproduce.experiments.places import REAL, Places, facts_of, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.content_readers import content_scores, open_content
from reproduce.records.code import made_by, sign
from reproduce.records.store import Records, sha256_file
from reproduce.tasks.modes import Modes, open_modes
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.tasks.sources import Domains, PictureSource, fingerprint
from reproduce.training.checkpoints import load_method
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import Translation, stream

TARGET = {"a2b": "b", "b2a": "a"}  # the domain whose modes a direction is to reach
TRAINED_BY = train_mode_classifier.__module__
CLASSIFIER_SEED = 0  # the same classifier for every seed of the methods
CONTENT_SAMPLES = 10  # translations of each input, its first, whose content is read


@dataclass(frozen=True)
class ModesTask:
    """A task with its modes and, by domain, what judges pictures; opened once for all methods."""

    domains: Domains
    data: str
    size: int
    modes: Modes
    classifiers: Mapping[str, ModeClassifier]
    readers: Mapping[str, ContentReader | None]  # None where no picture's content is known

    def source(self, part: str) -> PictureSource:
        """The pictures of trainA, trainB, testA or testB."""
        return sources_of(self.domains)[part]

    def protocol(self, domain: str) -> dict[str, Any]:
        """What a record says of the classifier."""
        return {
            "domain": self.modes.titles[domain],
            "verified": self.classifiers[domain].verified,
        }

    def content(self, domain: str, part: str) -> ContentScores | None:
        """What collects pictures of ``domain`` that are to show the contents of ``part``."""
        reader = self.readers[domain]
        if reader is None:
            return None
        return content_scores(reader, self.modes, part, self.source(part).ids)


def sources_of(domains: Domains) -> dict[str, PictureSource]:
    """The pictures of both domains by the names of their folders."""
    return {
        "trainA": domains.train_a, "trainB": domains.train_b,
        "testA": domains.test_a, "testB": domains.test_b,
    }  # fmt: skip


def measure_modes(preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    """Record IS, CIS and what goes with them for the finished ``runs`` of one task, in both
    directions, and IS of the real test pictures; what is on record is not measured again."""
    task = open_modes_task(runs[0], places)
    for direction in DIRECTIONS:
        for run in runs:
            measure_run_modes(preset, run, places, task, direction)
        measure_real_modes(preset, runs[0], places, task, direction)


def open_modes_task(run: RunConfig, places: Places) -> ModesTask:
    """The pictures of a run's task, their modes, and classifiers that may judge them."""
    domains = open_run_task(run, places)
    data = domains.fingerprint()
    modes = open_modes(domains.folder)
    classifiers = {domain: mode_classifier(domains, modes, domain, run, places) for domain in "ab"}
    for classifier in classifiers.values():
        classifier.require()
    readers = {domain: open_content(domains, modes, domain, run, places) for domain in "ab"}
    return ModesTask(domains, data, run.size, modes, classifiers, readers)


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
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    title = modes.titles[domain].replace(" ", "-")
    return runs / "classifiers" / f"{recipe.name}-{title}-{digest}.safetensors"


def mode_classifier(
    domains: Domains, modes: Modes, domain: str, run: RunConfig, places: Places
) -> ModeClassifier:
    """The classifier of one domain's modes: from the runs folder, or trained there on the training
    pictures and tried on the test pictures."""
    recipe = MODE_RECIPES[recipe_for(run.task, run.size)]
    path = classifier_path(domains, modes, domain, run, places.runs)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if made_by(path, TRAINED_BY):
            return load_mode_classifier(path, places.device)
        upper = domain.upper()
        classifier = train_mode_classifier(
            recipe, modes.names[domain],
            _labelled(domains, modes, f"train{upper}", run.size),
            _labelled(domains, modes, f"test{upper}", run.size),
            weights=_beginning(run.task, run.size, places), seed=CLASSIFIER_SEED, device=places.device, progress=places.progress,
            facts={"domain": modes.titles[domain]},
        )  # fmt: skip
        classifier.save(path)
        sign(path, TRAINED_BY)
    return classifier


def check_measurable(runs: Sequence[RunConfig], places: Places) -> None:
    """Refuse before hours of training what could not be measured after them."""
    for task, size in sorted({(run.task, run.size) for run in runs}):
        _beginning(task, size, places)
    for run in {run.task: run for run in runs}.values():
        if run.task not in TASKS or not TASKS[run.task].drawn:  # what is drawn has its truth
            open_modes(open_run_task(run, places).folder)


def _beginning(task: str, size: int, places: Places) -> ImageNetWeights | None:
    """What the classifier's training begins with, where its recipe fine-tunes."""
    if not isinstance(MODE_RECIPES[recipe_for(task, size)], InceptionModes):
        return None
    return imagenet_weights(places.inception_path, places.inception_sha256, allow_download=True)


def _labelled(domains: Domains, modes: Modes, part: str, size: int) -> Labelled:
    source, fixed = sources_of(domains)[part], Preparation(size).at_test()
    pictures = torch.cat([to_bytes(fixed(source.read(i))[None]) for i in range(len(source))])
    return Labelled(pictures, {MODE: modes.labels(part, source.ids)})


def measure_run_modes(
    preset: Preset, run: RunConfig, places: Places, task: ModesTask, direction: Direction
) -> None:
    checkpoint = checkpoint_of(preset, run, places)
    sha = sha256_file(checkpoint)
    part = "testA" if direction == "a2b" else "testB"
    source = task.source(part)
    inputs = min(preset.measure.mode_inputs, len(source))
    samples = preset.measure.mode_samples
    records = places.records(preset, __name__)
    classifier = task.classifiers[TARGET[direction]]
    if records.find(
        metric=CIS.name, checkpoint_sha256=sha, translation=direction,
        protocol__sha256=classifier.sha256, protocol__protocol=protocol_name(inputs, samples),
    ):  # fmt: skip
        return
    method, read = load_method(checkpoint, places.device)
    if read.step < run.steps or read.data != task.data:
        raise UserError(
            f"{checkpoint} is at step {read.step} of {run.steps}, or was trained on other pictures "
            f"than those of {task.domains.folder}: train it again"
        )
    pictures = stream(
        method, source, Preparation(run.size), samples=samples, inputs=inputs,
        direction=direction, seed=run.seed, batch_size=64,
    )  # fmt: skip
    facts = facts_of(preset, run, places) | {
        "steps": run.steps,
        "checkpoint_sha256": sha,
        "config_sha256": run.digest(),
        "config": run.as_dict(),
    }
    _record(records, facts, pictures, part, places, task, direction, sha)


def measure_real_modes(
    preset: Preset, run: RunConfig, places: Places, task: ModesTask, direction: Direction
) -> None:
    """IS of the target domain's real test pictures: what a perfect translator would score."""
    records = places.records(preset, __name__)
    domain = TARGET[direction]
    part = f"test{domain.upper()}"
    source = task.source(part)
    if records.find(
        metric=IS.name, method=REAL, task=run.task, translation=direction, data_sha256=task.data,
        size=run.size, seed=run.seed, protocol__sha256=task.classifiers[domain].sha256,
    ):  # fmt: skip
        return
    fixed = Preparation(run.size).at_test()

    def pictures() -> Iterator[Translation]:
        for i in range(len(source)):
            yield source.ids[i], 0, fixed(source.read(i))

    facts = facts_of(preset, run, places, real=True)
    _record(records, facts, pictures(), part, places, task, direction, task.data)


def _record(
    records: Records, facts: dict[str, Any], pictures: Iterable[Translation], part: str,
    places: Places, task: ModesTask, direction: Direction, sha256: str,
) -> None:  # fmt: skip
    """Measure ``pictures``, which show contents of ``part``, and keep what was measured."""
    begin = time.perf_counter()
    domain = TARGET[direction]
    content = task.content(domain, part)
    scores = mode_scores(
        _watched(pictures, content), task.classifiers[domain], task.modes.names[domain],
        task.protocol(domain),
    )  # fmt: skip

    def kept(kind: str, made: ModeScores | ContentTable) -> dict[str, Any]:
        name = _raw_name(kind, facts, made.protocol, direction, sha256)
        return records.keep_raw(name, made.save) | {
            "translation": direction,
            "data_sha256": task.data,
            "seconds": round(time.perf_counter() - begin, 2),
        }

    seed = facts["seed"]
    if content is not None:
        table = content.finish()
        told = table.measurement(seed).as_dict() | {"by_factor": table.by_factor}
        records.append(facts | told | kept("content", table))
    more = kept("modes", scores) | {"modes": scores.distribution()}
    # The one that is looked for comes last: where it is, all are.
    last = CIS.name if facts["method"] != REAL else IS.name
    for m in sorted(scores.measurements(seed), key=lambda m: m.name == last):
        records.append(facts | m.as_dict() | more)


def _watched(
    pictures: Iterable[Translation], content: ContentScores | None
) -> Iterator[Translation]:
    """``pictures`` as they pass, all finite; the content of some is read meanwhile."""
    for name, k, picture in _finite(pictures):
        if content is not None and k < CONTENT_SAMPLES:
            content.add(name, k, picture)
        yield name, k, picture


def _finite(pictures: Iterable[Translation]) -> Iterator[Translation]:
    for name, k, picture in pictures:
        if not bool(torch.isfinite(picture).all()):
            raise UserError(
                f"the translation of {name} is not finite: the checkpoint's training diverged; "
                "train it again, with a lower lr"
            )
        yield name, k, picture


def _raw_name(
    kind: str, facts: Mapping[str, Any], protocol: Mapping[str, Any], direction: str, sha256: str
) -> str:
    """A name that no other measurement takes."""
    task, judge = Path(facts["task"]).name, protocol["sha256"][:8]
    made = f"{facts['method']}-{protocol['protocol']}-{sha256[:12]}-{judge}"
    return f"{kind}-{task}-{direction}-{made}.npz"
