"""A preset's report, written: the page with its pictures, and the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.report.content import report_of
from reproduce.report.latex import write_pdf
from reproduce.report.page import write_page


def write_report(
    preset: Preset, runs: Sequence[RunConfig], places: Places, out: Path
) -> tuple[list[Path], str]:
    """Write what the results folder holds of ``runs``, those of one or more seeds, as a page and
    its PDF in ``out``. Returns all files, and what to tell people where there is no PDF."""
    report = report_of(preset, runs, places)
    page = write_page(report, out)
    paper, note = write_pdf(report, out)
    return [*page, *paper], note
