"""Judged preference of trained runs as records: Table 1's Quality, without people.

All methods of a task are judged by one panel: five small networks, trained on the pooled
translations of training inputs by all of them. They are kept beside the runs, under a digest of
the checkpoints, the pictures and the recipe, and trained once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from benchmarks.judge_evidence import (
    Examination,
    Finding,
    evidence,
    evidence_table,
    failures,
)
from benchmarks.judge_network import Judge, JudgeConfig, load_judge
from benchmarks.judge_training import Lessons, train_judges
from benchmarks.judges import QUALITY_JUDGED, draw_questions, judge_questions
from benchmarks.pixels import to_bytes
from models.errors import UserError
from reproduce.checkpoints import load_method
from reproduce.experiments import Preset
from reproduce.files import write_text
from reproduce.instruments import chosen
from reproduce.measuring_code import made_by, sign
from reproduce.pipeline import checkpoint_of
from reproduce.places import Places, facts_of, open_run_task
from reproduce.results import sha256_file
from reproduce.runs import RunConfig, run_folder
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, PictureSource, Subset
from reproduce.translate import stream

REFERENCE = "munit"  # what every method is set against
LESSON_INPUTS = 1500  # training inputs that judges learn from, at most
TRAINED_BY = train_judges.__module__
JUDGES = JudgeConfig()


@dataclass(frozen=True)
class Panel:
    """The judges of one task, and what they judge: finished runs by method."""

    judges: Sequence[Judge]
    digest: str
    runs: dict[str, RunConfig]
    checkpoints: dict[str, Path]
    sha256: dict[str, str]  # of the checkpoints
    domains: Domains
    data: str
    config: JudgeConfig

    def translations(self, method: str, source: PictureSource, samples: int, device: str) -> Tensor:
        """uint8 (inputs, samples, 3, H, W) of all pictures of ``source``."""
        run = self.runs[method]
        network, read = load_method(self.checkpoints[method], device)
        if read.step < run.steps or read.data != self.data:
            raise UserError(
                f"{self.checkpoints[method]} is at step {read.step} of {run.steps}, or was trained "
                f"on other pictures than those of {self.domains.folder}: train it again"
            )
        pictures = stream(network, source, Preparation(run.size), samples=samples, seed=run.seed)
        found = torch.stack([to_bytes(picture[None])[0] for _, _, picture in pictures])
        return found.reshape(len(source), samples, *found.shape[1:])


def measure_quality(
    preset: Preset, runs: Sequence[RunConfig], places: Places, config: JudgeConfig = JUDGES
) -> dict[str, dict[str, Any]]:
    """``quality-judged`` of all runs of one task, by method; recorded unless it is.

    The reference is judged too, against itself in two different samples: a control, 50 % but for
    chance.
    """
    panel = _assemble(preset, runs, places, config)
    records = places.records(preset, __name__)
    found = {}
    for method in panel.runs:
        record = records.find(
            metric=QUALITY_JUDGED.name, method=method, protocol__panel=panel.digest,
            checkpoint_sha256=panel.sha256[method],
        )  # fmt: skip
        if record is not None:
            found[method] = record
    missing = [method for method in panel.runs if method not in found]
    if missing:
        panel = _with_judges(panel, preset, places)
        begin = time.perf_counter()
        asked = _Asked(panel, places)
        for method in missing:
            found[method] = _record(method, asked, preset, places, begin)
            begin = time.perf_counter()
    return found


def examine_judges(
    preset: Preset, runs: Sequence[RunConfig], places: Places, config: JudgeConfig = JUDGES
) -> list[Finding]:
    """Evidence that the judges of these runs can judge; needs tasks whose test is paired."""
    panel = _with_judges(_assemble(preset, runs, places, config), preset, places)
    if not panel.domains.paired_test:
        raise UserError(
            f"{panel.domains.folder}: test inputs have no real pictures to compare with"
        )
    asked = _Asked(panel, places)
    about = Examination(
        real=_pictures(panel.domains.test_b, panel.runs[REFERENCE].size),
        first=asked.reference[:, 0],
        second=asked.reference[:, 1],
        inputs=asked.inputs if panel.judges[0].paired else None,
        names=panel.domains.test_a.ids,
    )
    return evidence(panel.judges, about, panel.runs[REFERENCE].seed)


def write_evidence(
    preset: Preset, runs: Sequence[RunConfig], places: Places, path: Path,
    config: JudgeConfig = JUDGES,
) -> None:  # fmt: skip
    """``examine_judges`` as a table in a Markdown file, where the test is paired; a file about the
    same panel is left as it is."""
    panel = _assemble(preset, runs, places, config)
    title = f"Judges of {runs[0].task}, panel {panel.digest}"
    if not panel.domains.paired_test:
        return
    if path.is_file() and path.read_text(encoding="utf-8").startswith(f"### {title}\n"):
        return
    findings = examine_judges(preset, runs, places, config)
    wrong = failures(findings) or ["nothing"]
    words = (
        "Share of questions in which what is shown was preferred, with 99 % intervals. Real "
        f"pictures should win; {REFERENCE} against itself is a control; a picture of another input "
        "and the more degraded one should lose. No judge was trained at these levels of "
        "degradation, nor on these inputs."
    )
    told = f"What contradicts that they can judge: {'; '.join(wrong)}."
    write_text(path, f"### {title}\n\n{words}\n\n{evidence_table(findings)}\n{told}\n")


def _assemble(
    preset: Preset, runs: Sequence[RunConfig], places: Places, config: JudgeConfig
) -> Panel:
    """The panel, but for its judges."""
    by_method = {run.method: run for run in runs}
    if len({(run.task, run.size, run.seed) for run in runs}) != 1 or len(by_method) != len(runs):
        raise ValueError("a panel judges different methods on one task, at one size and seed")
    if REFERENCE not in by_method:
        raise UserError(
            f"quality is a preference over {REFERENCE}: train it on {runs[0].task} as well"
        )
    checkpoints = {method: checkpoint_of(preset, run, places) for method, run in by_method.items()}
    sha = {method: sha256_file(path) for method, path in checkpoints.items()}
    domains = open_run_task(runs[0], places)
    data = domains.fingerprint()
    about = [sorted(sha.items()), asdict(config), LESSON_INPUTS, data, runs[0].size, runs[0].seed]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return Panel([], digest, by_method, checkpoints, sha, domains, data, config)


def _with_judges(panel: Panel, preset: Preset, places: Places) -> Panel:
    """The panel with its judges: from the runs folder, or trained there."""
    run = panel.runs[REFERENCE]
    folder = run_folder(places.runs, preset.name, run).parent / f"judges-{panel.digest}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"judge-{number}.safetensors" for number in range(panel.config.judges)]
    with FileLock(folder / ".lock"):
        if not all(made_by(path, TRAINED_BY) for path in files):
            lessons = _lessons(panel, places)
            trained = train_judges(
                lessons, panel.config, run.seed, device=places.device, progress=places.progress
            )
            for path, judge in zip(files, trained, strict=True):
                judge.save(path)
                sign(path, TRAINED_BY)
        judges = [load_judge(path, places.device) for path in files]
    return replace(panel, judges=judges)


def _lessons(panel: Panel, places: Places) -> Lessons:
    """Real pictures and translations of training inputs, none of which is a test input.

    Judges see the input where the task has training pairs, else pictures alone.
    """
    domains, size = panel.domains, panel.runs[REFERENCE].size
    inputs, real = domains.pairs or (domains.train_a, domains.train_b)
    count = min(LESSON_INPUTS, len(inputs), len(real))
    rows = chosen(count, len(inputs), 0)
    source = Subset(inputs, rows)
    photos = Subset(real, rows if domains.pairs else chosen(count, len(real), 0))
    return Lessons(
        real=_pictures(photos, size),
        translations={
            method: panel.translations(method, source, 1, places.device)[:, 0]
            for method in panel.runs
        },
        inputs=_pictures(source, size) if domains.pairs else None,
    )


class _Asked:
    """The questions about the test inputs, and the reference's side of them."""

    def __init__(self, panel: Panel, places: Places) -> None:
        self.panel, self.source = panel, panel.domains.test_a
        run = panel.runs[REFERENCE]
        self.questions = draw_questions(len(self.source), seed=run.seed)
        self.rows = torch.tensor([q.input for q in self.questions])
        self.samples = 1 + max(q.reference_sample for q in self.questions)
        self.inputs = _pictures(self.source, run.size)
        self.names = [self.source.ids[q.input] for q in self.questions]
        self.device = places.device
        self.reference = panel.translations(REFERENCE, self.source, self.samples, self.device)

    def shown(self, method: str) -> Tensor:
        """The method's picture in every question."""
        made = self.reference
        if method != REFERENCE:
            made = self.panel.translations(method, self.source, self.samples - 1, self.device)
        return made[self.rows, torch.tensor([q.sample for q in self.questions])]

    def against(self) -> Tensor:
        """The reference's picture in every question."""
        return self.reference[self.rows, torch.tensor([q.reference_sample for q in self.questions])]


def _record(
    method: str, asked: _Asked, preset: Preset, places: Places, begin: float
) -> dict[str, Any]:
    panel = asked.panel
    run = panel.runs[method]
    inputs = asked.inputs[asked.rows] if panel.judges[0].paired else None
    verdict = judge_questions(
        panel.judges, asked.shown(method), asked.against(), inputs, asked.names, run.seed
    )
    records = places.records(preset, __name__)
    name = f"judged-{Path(run.task).name}-{method}-{panel.digest}-{panel.sha256[method][:12]}.npz"
    measured = verdict.measurement().as_dict()
    measured["protocol"] |= {
        "reference": REFERENCE,
        "reference_sha256": panel.sha256[REFERENCE],
        "panel": panel.digest,
        "pooled": sorted(panel.runs),
    }
    facts = facts_of(preset, run, places) | {
        "steps": run.steps,
        "checkpoint_sha256": panel.sha256[method],
        "data_sha256": panel.data,
        "config_sha256": run.digest(),
        "config": run.as_dict(),
        "seconds": round(time.perf_counter() - begin, 2),
    }
    return records.append(facts | records.keep_raw(name, verdict.save) | measured)


def _pictures(source: PictureSource, size: int) -> Tensor:
    """uint8 (N, 3, size, size)."""
    fixed = Preparation(size).at_test()
    return torch.cat([to_bytes(fixed(source.read(i))[None]) for i in range(len(source))])
