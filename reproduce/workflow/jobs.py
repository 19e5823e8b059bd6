"""All jobs of a preset: their dependencies, and the settings and code that determine each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks.files import sha256_file
from models.errors import UserError
from reproduce.experiments.ablation import Ablation, make_ablation
from reproduce.experiments.places import CAUSES, Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.codes import encoded_by
from reproduce.records.code import digests, measuring, training
from reproduce.records.store import REFERENCE as STYLED
from reproduce.tasks.registry import TASKS, is_own
from reproduce.tasks.specs import own_spec
from reproduce.workflow.graph import Job, behind, listing

# What the command table makes: the table, grids, and evidence that quality is measured right.
_WITH_TABLE = {1: ("table/1", "figure/1/", "evidence/"), 2: ("table/2", "figure/2/")}


@dataclass(frozen=True)
class Request:
    """What the user asked for; it determines the jobs.

    ``preset``: as in ``--preset``. ``target``: the name of what to make (``table/1``, ``claims``,
    ...; ``unit-figure`` for all ``figures``); empty for everything. ``overrides`` change the runs;
    ``measuring``, ``scores``, ``tasks`` and ``marks`` change only the preset, and all but ``scores``
    its name. ``own``: arguments of ``own_spec`` for the user's own tasks, by name. ``sources``,
    ``human``: paths by task; ``rows``: paths of outputs made elsewhere, by the name of their row.
    ``by_hand``: digests of files that the report shows and no job makes. ``ablation``: its method,
    values and metrics; its task is the one in ``tasks``.
    """

    preset: str
    places: Places
    seeds: Sequence[int]
    target: str = ""
    figures: Sequence[int] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    measuring: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    scores: str | None = None
    tasks: Sequence[str] = ()
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    human: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)
    by_hand: Mapping[str, str] = field(default_factory=dict)
    ablation: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Request:
        """Read what ``told`` returned; ValueError for anything else."""
        return TypeAdapter(cls).validate_python(told)

    def told(self) -> dict[str, Any]:
        """The request as JSON values with absolute paths, for another process."""
        places = {k: str(v.absolute()) if isinstance(v, Path) else v
                  for k, v in asdict(self.places).items()}  # fmt: skip
        return {**asdict(self), "places": places}

    @cached_property
    def scale(self) -> Preset:
        """The preset with the changes asked for."""
        if self.ablation is not None:  # whose points have the overrides in their names
            return self.points.preset
        preset = self._preset.changed({**self.overrides, **self.marks}, self.measuring)
        if self.figures:
            preset = preset.only(figures=self.figures)
            shown = dict.fromkeys(preset.figures, self.tasks[0]) if self.tasks else preset.figures
            return replace(preset.of_tasks(self.tasks), tables={}, figures=shown)
        preset = preset.of_tasks(self.tasks)
        if self.scores is not None:
            # The number of columns changes no value, so the name stays.
            preset = replace(preset, measure=replace(preset.measure, scores=self.scores))  # type: ignore[arg-type]
        if self.target.startswith("table/"):
            return preset.only(tables=[int(self.target.split("/")[1])])
        return preset

    @property
    def _preset(self) -> Preset:
        own = {name: own_spec(name, **told) for name, told in self.own.items()}
        return replace(load_preset(self.preset), own=own)

    @cached_property
    def points(self) -> Ablation:
        """The ablation asked for."""
        assert self.ablation is not None
        told, (task,) = self.ablation, self.tasks
        return make_ablation(
            self._preset, told["method"], task, told["values"], self.seeds, self.overrides,
            self.sources.get(task, ""),
        )  # fmt: skip

    def left_out(self) -> list[str]:
        """Notes on what does not apply to the user's own tasks, and is left out."""
        told = self.scale.unpaired()
        if not self.target and self.ablation is None:
            told += [
                f"{task} is not sorted by class, so table 2 (IS and CIS) is left out"
                for task, spec in self.scale.own.items() if 2 not in spec.tables
            ]  # fmt: skip
        return told

    def jobs(self) -> dict[str, Job]:
        """The jobs by name, each after the jobs that it needs."""
        found = _Jobs(self)
        if self.ablation is not None:
            found.of_ablation(self.points, self.ablation["metrics"])
            return found.jobs
        found.of_preset()
        wanted: tuple[str, ...] = (self.target,)
        if self.target.startswith("table/"):
            wanted = _WITH_TABLE[int(self.target.split("/")[1])]
        kept = behind(job for name, job in found.jobs.items() if name.startswith(wanted))
        return {name: job for name, job in found.jobs.items() if id(job) in kept}


class _Jobs:
    """Collects the jobs of a preset and of its variants, without duplicates."""

    def __init__(self, request: Request) -> None:
        self.request, self.preset, places = request, request.scale, request.places
        # Results in one folder do not count for another.
        self.where = {"results": os.path.relpath(places.results.resolve(), places.runs.resolve())}
        paths = {"lpips": places.lpips_path, "inception": places.inception_path}
        own = {k: sha256_file(path) for k, path in paths.items() if path and path.is_file()}
        self.weights = {"weights": own} if own else {}  # of metrics, instead of the usual ones
        self.jobs: dict[str, Job] = {}

    def of_preset(self) -> None:
        """Add every job of the preset. Raises UserError for missing or repeated seeds."""
        request, preset, seeds = self.request, self.preset, list(self.request.seeds)
        if not seeds or len(set(seeds)) < len(seeds):
            raise UserError(f"seeds {' '.join(map(str, seeds))}: give one or more, each once")
        measured: dict[int, list[Job]] = {number: [] for number in preset.tables}
        encoded, shown = list[Job](), list[Job]()
        for seed in seeds:
            by_table, of_figures = preset.all_runs(seed, request.overrides, request.sources)
            for number, runs in by_table.items():
                for task in preset.tables[number]:
                    of_task = [run for run in runs if run.task == task]
                    needs = tuple(map(self.trained, of_task))
                    measured[number] += self.measured(number, of_task, needs)
                    encoded += self.encoded(of_task, needs)
                    if seed == seeds[0]:
                        measured[number] += self.given(number, of_task, needs)
                        shown += self.figures(number, of_task, needs)
            if seed == seeds[0]:
                for number, run in of_figures.items():
                    drawn = _code("reproduce.report.figures")
                    needs = (self.trained(run),)
                    shown.append(self.add(f"unit-figure/{number}", drawn, needs, [run]))
        for task, path in request.human.items():
            voted = {"analysis": path, "sha256": sha256_file(Path(path)), "seed": seeds[0]}
            measured[1].append(self.add(f"human/{task}", voted))
        about = {"seeds": seeds}
        for number, of_number in measured.items():
            code = _code("reproduce.analysis.tables")
            shown.append(self.add(f"table/{number}", about | code, of_number))
        if encoded:
            code = _code("reproduce.report.theory_figures")
            shown.append(self.add("theory-figures", about | code, encoded))
        trainings = [job for job in self.jobs.values() if job.kind == "train"]
        trained = [run for job in trainings for run in job.runs]
        code = _code("reproduce.report.curves")
        shown.append(self.add("curves", about | code, trainings, trained))
        by_hand = dict(request.by_hand)
        everything = [*(job for of_number in measured.values() for job in of_number), *encoded]
        if everything and {*preset.table_tasks} - {*preset.own}:
            causes = {"by_hand": {name: by_hand[name] for name in by_hand if name == CAUSES}}
            tested = about | _code("reproduce.analysis.claims.table") | causes
            shown.append(self.add("claims", tested, everything))
        told = about | _code("reproduce.report.content") | {"by_hand": by_hand}
        self.add("report", told, shown, trained)

    def add(
        self, name: str, about: Mapping[str, Any], needs: Iterable[Job] = (),
        runs: Iterable[RunConfig] = (), preset: Preset | None = None,
    ) -> Job:  # fmt: skip
        """Add a job, or return the one of that name; ``preset``: the variant it belongs to."""
        if name.split("/")[0] not in ("data", "train"):  # all others write results
            about = {**about, **self.where}
        job = Job(preset or self.preset, name, about, tuple(needs), tuple(runs))
        return self.jobs.setdefault(job.called(self.preset), job)

    def trained(self, run: RunConfig, preset: Preset | None = None) -> Job:
        """The job that trains a run; it needs the job of the run's pictures."""
        about = {"config": run.as_dict(), "code": training(run.method)}
        pictures = self.add(*data_of(run), runs=[run])
        name = f"train/{run.task}/{run.method}/seed{run.seed}"
        return self.add(name, about, [pictures], [run], preset)

    def measured(
        self, number: int, runs: Sequence[RunConfig], trained: Sequence[Job]
    ) -> Iterable[Job]:
        """The jobs that measure the runs of one task and seed for a table."""
        where = f"{runs[0].task}/seed{runs[0].seed}"
        m = self.preset.measure
        if number == 2:
            about: dict[str, Any] = {"inputs": m.mode_inputs, "samples": m.mode_samples}
            about |= self.weights | _measuring("modes")
            yield self.add(f"modes/{where}", about, trained, runs)
            return
        about = {"protocol": m.protocol, "inputs": m.inputs, "samples": m.samples} | self.weights
        # Metrics that need only the translations share one pass over them.
        whole = m.scores == "all"
        kind = "scores" if whole else "diversity"
        about |= _measuring(*(("diversity", "fidelity", "exact") if whole else ("diversity",)))
        yield self.add(f"{kind}/{where}", about, trained, runs)
        for by in m.preferring(runs[0]):
            about = _measuring("preference")
            yield self.add(f"{by}/{where}", about, trained, runs)

    def given(
        self, number: int, runs: Sequence[RunConfig], trained: Sequence[Job]
    ) -> Iterable[Job]:
        """The jobs that measure outputs made elsewhere on one task; preference is over MUNIT."""
        task = runs[0].task
        needs = [job for job in trained if number == 1 and job.runs[0].method == STYLED]
        for label, path in self.request.rows.items():
            about: dict[str, Any] = {"label": label, "outputs": path, "table": number}
            about |= {"files": listing(Path(path), times=True)} | self.weights
            about |= _measuring("submission")
            name = f"row/{number}/{task}/{label.replace(' ', '_')}"
            yield self.add(name, about, needs or [self.add(*data_of(runs[0]), runs=runs[:1])], runs)

    def encoded(self, runs: Sequence[RunConfig], trained: Sequence[Job]) -> Iterable[Job]:
        """The job that measures the codes of one task and seed, if any method has codes."""
        needs = [job for job in trained if encoded_by(job.runs[0].method)]
        if needs:
            name = f"theory/{runs[0].task}/seed{runs[0].seed}"
            shown = [run for job in needs for run in job.runs]
            yield self.add(name, _measuring("codes"), needs, shown)

    def figures(
        self, number: int, runs: Sequence[RunConfig], trained: Sequence[Job]
    ) -> Iterable[Job]:
        """The grids of one task's translations, and the evidence that observer or judge tell good
        pictures from bad ones."""
        code = _code("reproduce.report.figures")
        yield self.add(f"figure/{number}/{runs[0].task}", code, trained, runs)
        for run, job in zip(runs, trained, strict=True):
            if run.method == STYLED:
                code = _code("reproduce.report.style_figures")
                yield self.add(f"styles/{run.task}", code, [job], [run])
        known = self.preset.spec(runs[0].task).paired  # each input has its own photo
        if number == 1 and known and self.preset.measure.scores == "all":
            for by in self.preset.measure.preferring(runs[0]):
                code = _code("reproduce.analysis.preference_evidence")
                yield self.add(f"evidence/{by}/{runs[0].task}", code, trained, runs)

    def of_ablation(self, ablation: Ablation, metrics: Sequence[str]) -> None:
        """Add the jobs of an ablation: its trainings, and one that measures, tabulates and plots."""
        # Seed by seed, so that early results cover all points.
        needs = [
            self.trained(point.runs[i], point.preset)
            for i in range(len(ablation.seeds)) for point in ablation.points
        ]  # fmt: skip
        about = {
            "metrics": list(metrics), "seeds": list(ablation.seeds),
            "points": [ablation.label(point) for point in ablation.points],
        } | self.weights  # fmt: skip
        code = _code(
            "reproduce.measuring.ablation", "reproduce.analysis.ablation",
            "reproduce.report.ablation_figure",
        )  # fmt: skip
        self.add(f"ablation/{ablation.name}", about | code, needs)


def data_of(run: RunConfig) -> tuple[str, dict[str, Any]]:
    """Name and inputs of the job of a run's pictures; drawn pictures depend on the drawing code."""
    if is_own(run.task):  # whose name identifies the pictures
        return f"data/{run.task}", {}
    spec = TASKS.get(run.task)
    about: dict[str, Any] = {"source": run.source}
    if run.source:
        about["files"] = listing(Path(run.source), times=True)
    if spec is not None and spec.drawn and not run.source:
        drawing = "drawn" if spec.kind == "drawn" else "animals"
        about = {"size": run.size, "train": run.train, "test": run.test}
        about |= _code(f"reproduce.tasks.{drawing}.dataset")
    return f"data/{run.task}-{run.size}px-{run.train}x{run.test}", about


def _measuring(*modules: str) -> dict[str, Any]:
    return {"code": measuring(*(f"reproduce.measuring.{module}" for module in modules))}


def _code(*modules: str) -> dict[str, Any]:
    return {"code": digests(*modules)}
