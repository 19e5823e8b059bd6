"""One report that the tests of the page, the paper and the browser look at."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_world import HOSTILE, Page, preset_runs, seeds_of, stored
from tiny import places_of

from reproduce.analysis.table import of_texts
from reproduce.experiments.preset import load_preset
from reproduce.report.blocks import Report
from reproduce.report.content import report_of
from reproduce.report.curves import Curve, curve_figure, curve_path, stored_curves, write_curve
from reproduce.report.page import write_page

# What a page must be for everybody to use it is said once, beside the tests of another page.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "study"))


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored results of preset cpu, with something of everything that a report may show:
    hostile words, pictures that are none, and a curve of one task."""
    folder = stored(tmp_path_factory.mktemp("report")) / "cpu"
    # Of a claim that fails, and of one that has nothing to explain while it holds.
    causes = f"diversity.munit-wo-x: '{HOSTILE}'\ndiversity.above-unit: words\n"
    (folder / "causes.yaml").write_text(causes)
    head = ["recon_c", *(f"Number {i}" for i in range(14))]
    rows = [head, *([f"{k}", *["0.123 ± 0.456"] * 14] for k in range(3))]
    (folder / "ablations").mkdir()
    table = of_texts("MUNIT by recon_c", rows, caption=HOSTILE)
    (folder / "ablations" / "munit-recon_c.json").write_text(table.as_json())
    for name in ("theory-styles-drawn-shoes.png", "guided-drawn-shoes.png", "unit-figure4.png",
                 "ablations/munit-recon_c.png"):  # fmt: skip
        Image.new("RGB", (1200, 300), "teal").save(folder / name)
    whole = (folder / "unit-figure4.png").read_bytes()
    (folder / "unit-figure5.png").write_bytes(whole[: len(whole) // 2])
    (folder / "unit-figure6.png").write_text("no picture")
    total = load_preset("cpu").make_run("munit", "drawn-shoes").steps
    steps = np.linspace(total / 200, total, 200)
    for method, terms in (("munit", ("gan", "dis", "recon_x")), ("unit", ("gan", "kl"))):
        values = {term: np.exp(-steps / total) * (k + 1) for k, term in enumerate(terms)}
        path = curve_path(folder, "drawn-shoes", method, 0)
        write_curve(Curve(steps, steps / 10, values), path)
    curves = stored_curves(folder, "drawn-shoes", [0])
    curve_figure(curves, folder / "curves-drawn-shoes.png")
    return folder.parent


@pytest.fixture(scope="session")
def report(results: Path) -> Report:
    preset, runs = preset_runs("cpu", *seeds_of(results))
    return report_of(preset, runs, places_of(results.parent))


@pytest.fixture(scope="session")
def out(report: Report, results: Path) -> Path:
    folder = results / "cpu" / "report"
    write_page(report, folder)
    return folder


@pytest.fixture(scope="session")
def page(out: Path) -> Page:
    return Page(out / "index.html")
