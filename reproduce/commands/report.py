"""``python -m reproduce report``: one HTML page of all results of a preset, and a PDF."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "report", run,
        help="write one HTML page of all results of a preset, and a PDF",
        description="Write results/PRESET/report/index.html, which is self-contained, and report.pdf "
        "where pdflatex is installed. For runs in the runs folder it also stores and draws learning "
        "curves, and draws missing style figures. Without --make nothing is trained or measured: the "
        "page lists what is missing and how to make it.",
        epilog="examples:\n  python -m reproduce report --preset cpu\n"
        "  python -m reproduce report --preset cpu --seeds 0 1 2 --out out/report",
    )  # fmt: skip
    options.add(sub, "seeds", help="training seeds to include (default: all with records)")
    sub.add_argument("--make", action="store_true",
        help="first train and measure what is missing or stale, like the command all")  # fmt: skip
    options.add_making(sub)
    options.add(sub, *options.MEASURING)
    sub.add_argument("--out", type=Path, help="output folder (default: RESULTS/PRESET/report)")


def run(arguments: argparse.Namespace) -> int:
    from benchmarks.files import check_folder
    from reproduce.records.current import Current
    from reproduce.records.store import REFERENCE, Records
    from reproduce.report.content import write_report
    from reproduce.report.curves import holds, make_curves
    from reproduce.report.style_figures import draw_styles, style_paths
    from reproduce.training.trained import checkpoint_of

    request = options.request_of(arguments, arguments.seeds, "report")
    out = arguments.out or request.places.results / request.scale.name / "report"
    check_folder("--results" if arguments.out is None else "--out", out)
    if arguments.make and options.make(arguments, request) is None:
        return 0
    preset, places = request.scale, request.places
    runs = preset.runs_of(request.seeds, request.overrides, request.sources)
    known = Records(places.results, preset.name).all()
    others = any("submission" in record for record in known)  # methods not trained here
    if not others and not any(checkpoint_of(preset, run, places).is_file() for run in runs):
        Current.stored(places.results, preset.name, request.seeds)  # raises if there are no records
    make_curves(preset, runs, places)
    shown = (REFERENCE, request.seeds[0])
    for run in [r for r in runs if (r.method, r.seed) == shown and r.task in preset.table_tasks]:
        # Style figures of finished runs, unless they exist.
        weights = checkpoint_of(preset, run, places)
        drawn = all(path.is_file() for path in style_paths(preset, run, places))
        if weights.is_file() and holds(weights.parent, run) and not drawn:
            draw_styles(preset, run, places)
    made, note = write_report(preset, runs, places, out)
    for path in made:
        if path.parent == out:
            print(path)
    if note:
        print(note, file=sys.stderr)
    return 0
