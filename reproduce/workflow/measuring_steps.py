"""Making the jobs of the graph that measure, and those that show what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reproduce.analysis.claims.table import claims_table
from reproduce.analysis.table_files import table_of
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.records.store import Records, record_id
from reproduce.report.curves import make_curves
from reproduce.report.figures import comparison
from reproduce.report.mode_figure import mode_grid
from reproduce.report.style_figures import draw_styles
from reproduce.report.theory_figures import write_theory
from reproduce.report.unit_figures import both_directions
from reproduce.report.write import write_report
from reproduce.workflow.graph import Job, Made

# The networks that measure come with packages that take a second to import: those who need them do.


def _kind(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.measuring.kinds import measure_runs, scores

    names = scores(job.runs[0].task) if job.kind == "scores" else (job.kind,)
    found = measure_runs(names, preset, job.runs, places).values()
    return _measured(preset, places, [record for by in found for record in by.values()])


def _evidence(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.analysis.preference_evidence import write_evidence

    return Made(write_evidence(preset, job.runs, places, job.name.split("/")[1]))


def _measured(preset: Preset, places: Places, records: Sequence[dict[str, Any]]) -> Made:
    """``records``, and the files of raw values behind them."""
    raw = {places.results / str(r["raw"]) for r in records if "raw" in r}
    names = {Records(places.results, preset.name).path: [*map(record_id, records)]}
    return Made(sorted(raw), records=names)


def _table(preset: Preset, job: Job, places: Places) -> Made:
    number = int(job.name.split("/")[1])
    _, files = table_of(number, preset, places.results, job.about["seeds"], True)
    return Made(files)


def _theory_figures(preset: Preset, job: Job, places: Places) -> Made:
    return Made(write_theory(preset, places, job.about["seeds"]))


def _curves(preset: Preset, job: Job, places: Places) -> Made:
    return Made(make_curves(preset, job.runs, places))


def _styles(preset: Preset, job: Job, places: Places) -> Made:
    return Made(draw_styles(preset, job.runs[0], places))


def _claims(preset: Preset, job: Job, places: Places) -> Made:
    table = claims_table(preset, places.results, job.about["seeds"])
    return Made(table.write(places.results / preset.name, "claims"))


def _report(preset: Preset, job: Job, places: Places) -> Made:
    made, _ = write_report(preset, job.runs, places, places.results / preset.name / "report")
    return Made(made)


def _figure(preset: Preset, job: Job, places: Places) -> Made:
    _, number, task = job.name.split("/")
    folder = places.results / preset.name
    if number == "1":
        return Made([comparison(preset, job.runs, places, folder / f"figure4-{task}.png")])
    return Made([mode_grid(preset, job.runs, places, folder / f"modes-{task}.png")])


def _unit_figure(preset: Preset, job: Job, places: Places) -> Made:
    path = places.results / preset.name / f"unit-figure{job.name.split('/')[1]}.png"
    return Made([both_directions(preset, job.runs[0], places, path)])


MAKERS: dict[str, Callable[[Preset, Job, Places], Made]] = {
    **dict.fromkeys(("diversity", "scores", "observed", "judged", "modes", "theory"), _kind),
    "evidence": _evidence,
    "table": _table,
    "figure": _figure,
    "theory-figures": _theory_figures,
    "curves": _curves,
    "styles": _styles,
    "claims": _claims,
    "report": _report,
    "unit-figure": _unit_figure,
}
