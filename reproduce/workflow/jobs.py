"""Everything that a preset makes, as jobs: who needs whom, and which settings and code decide it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import UserError
from reproduce.analysis.claims.causes import FILE as CAUSES
from reproduce.analysis.tables import REFERENCE as STYLED
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.codes import encoded_by
from reproduce.records.code import digests, measuring, training
from reproduce.tasks.registry import TASKS
from reproduce.workflow.graph import Job
from reproduce.workflow.listing import listing


def all_jobs(
    preset: Preset, seeds: Sequence[int], *, threads: int = 1,
    overrides: Mapping[str, object] | None = None, sources: Mapping[str, str] | None = None,
    by_hand: Mapping[str, str] | None = None,
) -> dict[str, Job]:  # fmt: skip
    """Every job of a preset by name, in an order in which each comes after what it needs.

    ``threads``: of one training. ``overrides``: settings of the runs that have them. ``sources``:
    where the pictures of a task are, if not in the data folder. ``by_hand``: digests of files that
    the report shows and no job makes. The seeds must be different.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds {' '.join(map(str, seeds))}: give one or more, each once")
    jobs: dict[str, Job] = {}

    def add(job: Job) -> Job:
        return jobs.setdefault(job.name, job)

    def trained(run: RunConfig) -> Job:
        return add(train_job(run, add(data_job(run)), threads))

    measured: dict[int, list[Job]] = {number: [] for number in preset.tables}
    encoded, shown = list[Job](), list[Job]()
    for seed in seeds:
        by_table, of_figures = preset.all_runs(seed, overrides, sources)
        for number, runs in by_table.items():
            for task in preset.tables[number]:
                of_task = [run for run in runs if run.task == task]
                needs = [trained(run) for run in of_task]
                measured[number] += map(add, _measurements(number, of_task, needs, preset))
                encoded += map(add, _theory(of_task, needs))
                if seed == seeds[0]:
                    shown += map(add, _figures(number, of_task, needs))
                    if number == 1 and preset.measure.scores == "all":
                        shown += map(add, _evidence(of_task, needs, preset))
        if seed == seeds[0]:
            for number, run in of_figures.items():
                drawn = _code("reproduce.report.unit_figures")
                shown.append(add(Job(f"unit-figure/{number}", drawn, (trained(run),), runs=(run,))))
    about = {"seeds": list(seeds)}
    for number, of_number in measured.items():
        shown.append(
            add(
                Job(
                    f"table/{number}",
                    about | _code("reproduce.analysis.table_files"),
                    tuple(of_number),
                )
            )
        )
    if encoded:
        code = _code("reproduce.report.theory_figures")
        shown.append(add(Job("theory-figures", about | code, tuple(encoded))))
    trainings = tuple(job for job in jobs.values() if job.kind == "train")
    trained_runs = tuple(run for job in trainings for run in job.runs)
    shown.append(
        add(Job("curves", about | _code("reproduce.report.curves"), trainings, runs=trained_runs))
    )
    causes = {name: sha for name, sha in (by_hand or {}).items() if name == CAUSES}
    everything = (*(job for of_number in measured.values() for job in of_number), *encoded)
    if everything:
        tested = about | _code("reproduce.analysis.claims.write") | {"by_hand": causes}
        shown.append(add(Job("claims", tested, everything)))
    told = about | _code("reproduce.report.write") | {"by_hand": dict(by_hand or {})}
    add(Job("report", told, tuple(shown), runs=trained_runs))
    return jobs


def data_job(run: RunConfig) -> Job:
    """The pictures of a run's task: drawn anew where the code that draws has changed."""
    spec = TASKS.get(run.task)
    about: dict[str, Any] = {"source": run.source}
    if run.source:
        about["files"] = listing(Path(run.source), times=True)
    if spec is not None and spec.drawn and not run.source:
        drawing = "drawn" if spec.kind == "drawn" else "animals"
        about = {"size": run.size, "train": run.train, "test": run.test}
        about |= _code(f"reproduce.tasks.{drawing}.dataset")
    return Job(f"data/{run.task}-{run.size}px-{run.train}x{run.test}", about, runs=(run,))


def train_job(run: RunConfig, data: Job, threads: int) -> Job:
    """The training of a run."""
    about = {"config": run.as_dict(), "code": training(run.method)}
    name = f"train/{run.task}/{run.method}/seed{run.seed}"
    return Job(name, about, (data,), threads, (run,))


def _measurements(
    number: int, runs: Sequence[RunConfig], trained: Sequence[Job], preset: Preset
) -> Iterable[Job]:
    """How the runs of one task and seed are measured for a table."""
    where = f"{runs[0].task}/seed{runs[0].seed}"
    m = preset.measure
    needs, shown = tuple(trained), tuple(runs)
    if number == 2:
        about: dict[str, Any] = {"inputs": m.mode_inputs, "samples": m.mode_samples}
        yield Job(
            f"modes/{where}", about | _measuring("reproduce.measuring.modes"), needs, runs=shown
        )
        return
    about = {"protocol": m.protocol, "inputs": m.inputs, "samples": m.samples}
    # All that is told of translations alone takes one pass over them.
    kind, module = ("scores", "scoring") if m.scores == "all" else ("diversity", "measure")
    yield Job(f"{kind}/{where}", about | _measuring(f"reproduce.measuring.{module}"), needs, runs=shown)
    for by in m.preferring(runs[0]):
        yield Job(f"{by}/{where}", _measuring("reproduce.measuring.observed"), needs, runs=shown)


def _evidence(runs: Sequence[RunConfig], needs: Sequence[Job], preset: Preset) -> Iterable[Job]:
    """That who prefers pictures of one task can tell good ones from bad ones."""
    for by in preset.measure.preferring(runs[0]):
        code = _code("reproduce.analysis.preference_evidence")
        yield Job(f"evidence/{by}/{runs[0].task}", code, tuple(needs), runs=tuple(runs))


def _theory(runs: Sequence[RunConfig], trained: Sequence[Job]) -> Iterable[Job]:
    """What is measured of the codes of one task and seed, where methods have some."""
    needs = tuple(job for job in trained if encoded_by(job.runs[0].method))
    if needs:
        shown = tuple(run for job in needs for run in job.runs)
        name = f"theory/{runs[0].task}/seed{runs[0].seed}"
        yield Job(name, _measuring("reproduce.measuring.codes"), needs, runs=shown)


def _figures(number: int, runs: Sequence[RunConfig], trained: Sequence[Job]) -> Iterable[Job]:
    """Grids of one task's translations."""
    module = {1: "reproduce.report.figures", 2: "reproduce.report.mode_figure"}[number]
    name = f"figure/{number}/{runs[0].task}"
    yield Job(name, _code(module), tuple(trained), runs=tuple(runs))
    for run, job in zip(runs, trained, strict=True):
        if run.method == STYLED:
            yield Job(
                f"styles/{run.task}", _code("reproduce.report.style_figures"), (job,), runs=(run,)
            )


def _measuring(module: str) -> dict[str, Any]:
    return {"code": measuring(module)}


def _code(*modules: str) -> dict[str, Any]:
    return {"code": digests(*modules)}
