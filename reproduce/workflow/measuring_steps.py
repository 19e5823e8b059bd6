"""Making the jobs of the graph that measure, and those that show what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from models.method import DIRECTIONS
from reproduce.analysis.claims.table import claims_table
from reproduce.analysis.table_files import table_of
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.measuring.codes import measure_theory
from reproduce.records.current import newest
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


def _diversity(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.measuring.scoring import measure_diversity

    found = measure_diversity(preset, job.runs, places).values()
    return _measured(preset, places, [record for by in found for record in by.values()])


def _preferred(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.measuring.observed import measure_observed

    found = measure_observed(preset, job.runs[0], job.runs, places, job.kind).values()
    return _measured(preset, places, [record for by in found for record in by.values()])


def _evidence(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.analysis.preference_evidence import write_evidence

    return Made(write_evidence(preset, job.runs, places, job.name.split("/")[1]))


def _scores(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.measuring.scoring import measure_scores

    found = measure_scores(preset, job.runs, places).values()
    return _measured(preset, places, [record for by in found for record in by.values()])


def _modes(preset: Preset, job: Job, places: Places) -> Made:
    from reproduce.measuring.modes import measure_modes

    measure_modes(preset, job.runs, places)
    everything = Records(places.results, preset.name).all()
    task, seed = job.runs[0].task, job.runs[0].seed
    found = [newest(everything, seed, direction) for direction in DIRECTIONS]
    own = [by for rows in found for (name, _), by in rows.items() if name == task]
    return _measured(preset, places, [record for by in own for record in by.values()])


def _measured(preset: Preset, places: Places, records: Sequence[dict[str, Any]]) -> Made:
    """``records``, and the files of raw values behind them."""
    raw = {places.results / str(r["raw"]) for r in records if "raw" in r}
    names = {Records(places.results, preset.name).path: [*map(record_id, records)]}
    return Made(sorted(raw), records=names)


def _table(preset: Preset, job: Job, places: Places) -> Made:
    number = int(job.name.split("/")[1])
    _, files = table_of(number, preset, places.results, job.about["seeds"], True)
    return Made(files)


def _theory(preset: Preset, job: Job, places: Places) -> Made:
    found = [measure_theory(preset, run, places) for run in job.runs]
    return _measured(preset, places, [record for by in found for record in by.values()])


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
    "diversity": _diversity,
    "observed": _preferred,
    "judged": _preferred,
    "evidence": _evidence,
    "scores": _scores,
    "modes": _modes,
    "table": _table,
    "figure": _figure,
    "theory": _theory,
    "theory-figures": _theory_figures,
    "curves": _curves,
    "styles": _styles,
    "claims": _claims,
    "report": _report,
    "unit-figure": _unit_figure,
}
