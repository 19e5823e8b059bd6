"""Everything that a table's methods are measured by, task by task, from records where they exist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from benchmarks.networks.extractors import inception_extractor
from reproduce.experiments.places import REAL, Places
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.exact import ExactTask, measure_real_exact, pending_exact
from reproduce.measuring.fidelity import measure_real_fidelity, pending_fidelity, reference
from reproduce.measuring.instruments import open_instruments
from reproduce.measuring.measure import lpips_distance, measure_real, measure_run, pending_run
from reproduce.measuring.together import complete
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.training.trained import checkpoint_of

OfTask = dict[str, dict[str, dict[str, Any]]]  # method -> metric -> record


def measure_diversity(preset: Preset, runs: Sequence[RunConfig], places: Places) -> OfTask:
    """Diversity of the finished ``runs`` of one task and of its real pictures, and silhouettes."""
    found: OfTask = {}
    for run in runs:
        found[run.method] = measure_run(preset, run, checkpoint_of(preset, run, places), places)
    diversity = measure_real(preset, runs[0], places)
    return found | {REAL: {diversity["metric"]: diversity}}


def measure_scores(preset: Preset, runs: Sequence[RunConfig], places: Places) -> OfTask:
    """The same, fidelity, and exact scores of drawn pictures: of a network all by one pass over its
    translations."""
    instruments = open_instruments(
        runs[0], places, inception=places.inception_path, inception_sha256=places.inception_sha256
    )
    photos = cache(partial(reference, instruments))  # not needed where all is recorded
    exact = None if instruments.truth is None else ExactTask(instruments)
    found: OfTask = {}
    for run in runs:
        checkpoint = checkpoint_of(preset, run, places)
        waiting = [
            pending_run(preset, run, checkpoint, places),
            pending_fidelity(preset, run, checkpoint, places, instruments, photos),
        ]
        if exact is not None:
            waiting.append(pending_exact(preset, run, checkpoint, places, exact))
        source = instruments.domains.test_a
        made = complete(waiting, source, Preparation(run.size), run.seed)
        found[run.method] = {name: record for by in made for name, record in by.items()}
    diversity = measure_real(preset, runs[0], places)
    found[REAL] = {diversity["metric"]: diversity}
    found[REAL] |= measure_real_fidelity(preset, runs[0], places, instruments, photos)
    if exact is not None:
        found[REAL] |= measure_real_exact(preset, runs[0], places, exact)
    return found


def check_scores(preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    """Refuse before hours of training what could not be measured after them."""
    lpips_distance(preset.measure, places)
    drawn = all(run.task in TASKS and TASKS[run.task].kind == "drawn" for run in runs)
    if preset.measure.scores == "all" and not drawn:
        inception_extractor(places.inception_path, places.inception_sha256, True, places.device)
