"""Exact scores of trained runs on drawn pictures, as records: content kept, styles covered, one
style over many contents."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.metric import Measurement
from benchmarks.metrics.exact import ExactTable, Known, StyleTruth, examine
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
from models.errors import UserError
from models.method import Method
from models.randomness import generator
from reproduce.experiments.places import Places, facts_of
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.instruments import Instruments, chosen
from reproduce.measuring.measure import masks_by_id, silhouettes
from reproduce.measuring.together import Found, Pending, complete
from reproduce.records.store import Records, sha256_file
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION
from reproduce.tasks.drawn.truth import Truth
from reproduce.tasks.pictures import Preparation
from reproduce.training.translate import Translation, keeping_first

INPUTS, SAMPLES = 100, 20  # at most so many test inputs; translations of each
CONTENTS, STYLES = 50, 20  # of the question whether a style stays one style
PHOTOS = 1000  # whose styles are the truth

ALWAYS = (CATEGORY, COLOUR_DISTANCE, COLOUR_ENTROPY, PATTERN_DISTANCE, PATTERN_ENTROPY)
SOMETIMES = (CONSISTENCY, PARTS)  # not of methods without noise, nor of pictures without parts


class ExactTask:
    """What is true of a drawn task's test inputs and styles, found once for all its methods, when
    it is first asked for.

    Raises ValueError for instruments of a task whose truth is not known.
    """

    def __init__(self, instruments: Instruments) -> None:
        if instruments.truth is None or instruments.classifier is None:
            raise ValueError(f"{instruments.domains.name} is no drawn task")
        self.instruments = instruments
        self.truth: Truth = instruments.truth
        self.classifier = instruments.classifier
        self.names = instruments.domains.test_a.ids[:INPUTS]
        self.photos = min(PHOTOS, len(instruments.domains.train_b))

    @cached_property
    def masks(self) -> dict[str, Tensor]:
        """True silhouettes."""
        return true_masks(self.instruments, self.names)

    @cached_property
    def known(self) -> dict[str, Known]:
        """What is true of each test input."""
        return {name: self._known(i, name) for i, name in enumerate(self.names)}

    def _known(self, index: int, name: str) -> Known:
        fixed = Preparation(self.instruments.size).at_test()
        edges = fixed(self.instruments.domains.test_a.read(index))
        category = self.truth.classes("test", name)["category"]
        borders = part_borders(edges, self.masks[name])
        return Known(self.truth.body("test", name), borders, category)

    @cached_property
    def styles(self) -> StyleTruth:
        """Of training photos, which no classifier saw."""
        source = self.instruments.domains.train_b
        rows = chosen(self.photos, len(source), 0)
        known = {source.ids[i]: Known(self.truth.body("trainB", source.ids[i])) for i in rows}
        fixed = Preparation(self.instruments.size).at_test()
        photos = ((source.ids[i], 0, fixed(source.read(i))) for i in rows)
        return examine(photos, known, self.classifier).style_truth()

    def protocol(self) -> dict[str, Any]:
        """What a record says of how it was measured."""
        return {
            "protocol": f"{len(self.names)}x{SAMPLES}-vs-{self.photos}",
            "inputs": len(self.names),
            "K": SAMPLES,
            "resolution": [self.instruments.size] * 2,
            "reference": "training photos",
            "N_real": self.photos,
            "generator_version": GENERATOR_VERSION,
            "extractor": self.classifier.recipe.name,
            "sha256": self.classifier.sha256,
            "accuracy": self.classifier.accuracy,
        }

    def consistency(self, pictures: Iterable[Translation]) -> Measurement | None:
        """Of contents that were translated with the same styles."""
        colours: dict[str, dict[int, Any]] = {}
        for name, k, picture in pictures:
            colours.setdefault(name, {})[k] = body_colour(picture, self.known[name].body)
        by_style = [[colours[n][k] for n in sorted(colours)] for k in range(STYLES)]
        return style_consistency(np.array(by_style), self.protocol() | {"K": STYLES})


def measure_exact(
    preset: Preset, run: RunConfig, checkpoint: Path, places: Places, task: ExactTask
) -> Found:
    """Exact scores of a trained run, by metric; recorded unless they are.

    ``style-consistency`` is missing where a method's noise changes nothing.
    """
    waiting = [pending_exact(preset, run, checkpoint, places, task)]
    source = task.instruments.domains.test_a
    return complete(waiting, source, Preparation(run.size), run.seed)[0]


def pending_exact(
    preset: Preset, run: RunConfig, checkpoint: Path, places: Places, task: ExactTask
) -> Found | Pending:
    """The records that ``measure_exact`` gives, or what makes them."""
    sha = sha256_file(checkpoint)
    records = places.records(preset, __name__)
    known = _recorded(records, task, {"checkpoint_sha256": sha})
    if known:
        return known

    def record(table: ExactTable, method: Method, seconds: float) -> Found:
        facts = facts_of(preset, run, places) | {
            "steps": run.steps,
            "checkpoint_sha256": sha,
            "data_sha256": task.instruments.data,
            "config_sha256": run.digest(),
            "config": run.as_dict(),
        }
        styled = same_styles(method, task, Preparation(run.size), run.seed)
        return _record(records, task, facts, table, styled, sha, seconds)

    return Pending(
        partial(task.instruments.trained_method, run, checkpoint, places.device), len(task.names),
        SAMPLES, partial(examine, known=task.known, classifier=task.classifier), record,
    )  # fmt: skip


def measure_real_exact(preset: Preset, run: RunConfig, places: Places, task: ExactTask) -> Found:
    """The same for a perfect translator: each input drawn anew in random styles."""
    records = places.records(preset, __name__)
    facts = facts_of(preset, run, places, real=True) | {"data_sha256": task.instruments.data}
    same = {key: facts[key] for key in ("method", "task", "size", "data_sha256")}
    known = _recorded(records, task, same)
    silhouette = records.find(metric=SILHOUETTE.name, **same)
    if known and silhouette:
        return known | {SILHOUETTE.name: silhouette}
    first: dict[str, Tensor] = {}
    pictures = keeping_first(task.truth.best_translations(task.names, SAMPLES), first)
    styled = task.truth.best_translations(task.names[:CONTENTS], STYLES, same_styles=True)
    begin = time.perf_counter()
    table = examine(pictures, task.known, task.classifier)
    seconds = round(time.perf_counter() - begin, 2)
    found = _record(records, task, facts, table, styled, task.instruments.data, seconds)
    agreement = silhouette_iou(first, task.masks, seed=run.seed)
    found[agreement.name] = records.append(facts | agreement.as_dict())
    return found


def true_masks(instruments: Instruments, names: list[str]) -> dict[str, Tensor]:
    """Silhouettes (H, W) in [0, 1] of test inputs."""
    source = silhouettes(instruments.domains)
    if source is None:
        raise UserError(f"{instruments.domains.folder} has no testMask: draw the task again")
    return masks_by_id(source, dict.fromkeys(names, torch.empty(0)), instruments.size)


@torch.no_grad()
def same_styles(
    method: Method, task: ExactTask, preparation: Preparation, seed: int
) -> Iterator[Translation]:
    """Every content with the same noises; nothing for a method that takes none."""
    device = next(method.parameters()).device
    fixed = preparation.at_test()
    source = task.instruments.domains.test_a
    for i in range(min(CONTENTS, len(task.names))):
        x = fixed(source.read(i))[None].to(device)
        draws = [
            method.draw_noise(1, x.shape[2], x.shape[3], generator(seed, "one style", k))
            for k in range(STYLES)
        ]
        noise = {role: torch.cat([d[role] for d in draws]).to(device) for role in draws[0]}
        pictures = method.translate(x.expand(STYLES, -1, -1, -1), "a2b", noise or None)
        for k, picture in enumerate(pictures.float().cpu()):
            yield source.ids[i], k, picture


def _recorded(records: Records, task: ExactTask, wanted: Mapping[str, object]) -> Found:
    """All records, if those are there that every method has: they are written last."""
    protocol = task.protocol()
    found: Found = {}
    for metric in (*SOMETIMES, *ALWAYS):
        record = records.find(
            metric=metric.name, protocol__sha256=protocol["sha256"],
            protocol__protocol=protocol["protocol"], **wanted,
        )  # fmt: skip
        if record is not None:
            found[metric.name] = record
        elif metric in ALWAYS:
            return {}
    return found


def _record(
    records: Records,
    task: ExactTask,
    facts: dict[str, Any],
    table: ExactTable,
    styled: Iterable[Translation],
    sha256: str,
    seconds: float,
) -> Found:
    begin = time.perf_counter()
    protocol, seed = task.protocol(), facts["seed"]
    consistency = task.consistency(styled)
    measured = [
        # Those that may be missing come first: where the others are, all are.
        *([] if consistency is None else [consistency]),
        *table.content(seed, protocol),
        *table.styles(task.styles, seed, protocol),
    ]
    name = (
        f"exact-{Path(facts['task']).name}-{facts['method']}-{protocol['protocol']}"
        f"-{sha256[:12]}-{task.classifier.sha256[:8]}.npz"
    )
    more = {
        **records.keep_raw(name, lambda path: table.save(path, protocol)),
        "seconds": round(seconds + time.perf_counter() - begin, 2),
    }
    return {m.name: records.append(facts | m.as_dict() | more) for m in measured}
