"""Everything that a table's methods are measured by, task by task, from records where they exist."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache, partial
from typing import Any

from benchmarks.networks.extractors import inception_extractor
from reproduce.experiments.places import REAL, Places, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.exact import ExactTask, measure_real_exact, pending_exact
from reproduce.measuring.fidelity import measure_real_fidelity, pending_fidelity, reference
from reproduce.measuring.instruments import Instruments, open_instruments
from reproduce.measuring.measure import lpips_distance, measure_real, pending_run
from reproduce.measuring.together import complete
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.training.trained import checkpoint_of

Found = dict[str, dict[str, Any]]  # metric -> record


class Translations:
    """What is told of translations alone, on the pictures of ``run``, which are opened once: of a
    network all by one pass over what it makes. ``kinds``: of diversity, fidelity and exact (scores
    of drawn pictures)."""

    def __init__(self, kinds: Collection[str], run: RunConfig, places: Places) -> None:
        self._kinds, self._places = kinds, places
        self._instruments: Instruments | None = None
        self._exact: ExactTask | None = None
        if {"fidelity", "exact"} & {*kinds}:
            self._instruments = open_instruments(
                run, places, inception=places.inception_path,
                inception_sha256=places.inception_sha256,
            )  # fmt: skip
            # Not needed where all is recorded.
            self._photos = cache(partial(reference, self._instruments))
            if "exact" in kinds and self._instruments.truth is not None:
                self._exact = ExactTask(self._instruments)

    def of_run(self, preset: Preset, run: RunConfig) -> Found:
        """Records of a finished run."""
        places, checkpoint = self._places, checkpoint_of(preset, run, self._places)
        waiting = []
        if "diversity" in self._kinds:
            waiting.append(pending_run(preset, run, checkpoint, places))
        if self._instruments is not None and "fidelity" in self._kinds:
            instruments, photos = self._instruments, self._photos
            waiting.append(pending_fidelity(preset, run, checkpoint, places, instruments, photos))
        if self._exact is not None:
            waiting.append(pending_exact(preset, run, checkpoint, places, self._exact))
        source = open_run_task(run, places).test_a
        made = complete(waiting, source, Preparation(run.size), run.seed)
        return {name: record for by_metric in made for name, record in by_metric.items()}

    def of_real(self, preset: Preset, run: RunConfig) -> Found:
        """Records of the real pictures."""
        found, places = Found(), self._places
        if "diversity" in self._kinds:
            diversity = measure_real(preset, run, places)
            found[diversity["metric"]] = diversity
        if self._instruments is not None and "fidelity" in self._kinds:
            instruments, photos = self._instruments, self._photos
            found |= measure_real_fidelity(preset, run, places, instruments, photos)
        if self._exact is not None:
            found |= measure_real_exact(preset, run, places, self._exact)
        return found


def measure_translations(
    preset: Preset, runs: Sequence[RunConfig], places: Places
) -> dict[str, Found]:
    """Records, by method, of the finished ``runs`` of one task and of its real pictures: diversity,
    silhouettes, and where the preset asks for all scores fidelity and exact scores."""
    wide = ("fidelity", "exact") if preset.measure.scores == "all" else ()
    task = Translations(("diversity", *wide), runs[0], places)
    found = {run.method: task.of_run(preset, run) for run in runs}
    return found | {REAL: task.of_real(preset, runs[0])}


def check_scores(preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
    """Refuse before hours of training what could not be measured after them."""
    lpips_distance(preset.measure, places)
    drawn = all(run.task in TASKS and TASKS[run.task].kind == "drawn" for run in runs)
    if preset.measure.scores == "all" and not drawn:
        inception_extractor(places.inception_path, places.inception_sha256, True, places.device)
