"""Table 1 from records: nine rows a task, the paper's numbers as in its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from found import cells_of
from reading import csv_rows, markdown_rows

from benchmarks.harness.published import published_table1
from models.zoo import METHODS
from reproduce.analysis.tables import table1
from reproduce.experiments.preset import TABLE1_METHODS, load_preset
from reproduce.records.store import REAL, Records
from reproduce.tasks.registry import TASKS

PAPER = Path(__file__).resolve().parents[3] / "results" / "paper" / "table1_quality_diversity.csv"
ROWS = (*TABLE1_METHODS, REAL)


def record(task: str, method: str, value: float, metric: str = "diversity-lpips") -> dict:
    return {
        "metric": metric, "value": value, "task": task, "method": method, "preset": "cpu", "seed": 0,
        "interval": {"low": value - 0.01, "high": value + 0.02},
        "checkpoint_sha256": method,
        "protocol": {
            "extractor": "lpips", "protocol": "paper-min64", "reference_sha256": "munit",
        },
    }  # fmt: skip


def values(task: str) -> dict[str, float]:
    return {method: 0.1 * (i + 1) + (task != "drawn-shoes") for i, method in enumerate(ROWS)}


@pytest.fixture
def found():
    """Every record of the preset cpu, save for one row."""
    return {
        (task, method): {
            "diversity-lpips": record(task, method, value),
            "silhouette-iou": record(task, method, value / 10, "silhouette-iou"),
        }
        for task in load_preset("cpu").tables[1]
        for method, value in values(task).items()
        if (task, method) != ("drawn-handbags", "unit")
    }


@pytest.fixture
def published() -> dict[str, dict[str, dict[str, str]]]:
    """The file, read here by other means: task -> row -> column -> text."""
    lines = csv_rows(PAPER)
    return {
        task: {r["method"]: r for r in lines if r["task"] == task}
        for task in ("edges2shoes", "edges2handbags")
    }


def body_rows(text: str) -> list[list[list[str]]]:
    """The cells of every body row, table by table."""
    return [markdown_rows(block)[1:] for block in text.split("### ")[1:]]


def test_the_published_file_has_every_row_of_the_table(published):
    titles = {METHODS[m].title for m in TABLE1_METHODS} | {"Real data"}
    for task, rows in published.items():
        assert set(rows) == titles, task
    assert len(published_table1()) == 18


def test_markdown_has_nine_rows_a_task_with_the_papers_numbers(found, published):
    text = table1(load_preset("cpu"), cells_of(found)).markdown()
    tables = body_rows(text)
    assert [len(rows) for rows in tables] == [9, 9]
    for task, rows in zip(load_preset("cpu").tables[1], tables, strict=True):
        paper = published[TASKS[task].stands_for]
        for method, cells in zip(ROWS, rows, strict=True):
            title = "Real data" if method == REAL else METHODS[method].title
            assert cells[0] == title.replace("(paired)", "†")
            quality = paper[title]["quality_percent_preferred_over_munit"]
            diversity = paper[title]["lpips_diversity"]
            assert cells[1] == (f"{float(quality):.1f}%" if quality else "—")
            assert cells[2] == "—"
            assert cells[3] == (f"{float(diversity):.3f}" if diversity else "—")
            if (task, method) == ("drawn-handbags", "unit"):
                assert cells[4] == cells[5] == "—"
            else:
                value = values(task)[method]
                assert cells[4] == f"{value:.3f} ± 0.020"
                assert cells[5] == f"{value / 10:.3f} ± 0.020"
    assert "| Diversity (LPIPS), paper | Diversity (LPIPS), ours |" in text
    assert "Diversity, ours: protocol paper-min64, which enlarges pictures under 64 px" in text
    assert "is not the paper's LPIPS" not in text


def test_people_come_before_the_observer_and_the_observer_before_judges(found):
    row = found["drawn-shoes", "unit"]
    shown = []
    for value, who in ((20.0, "judged"), (30.0, "observed"), (40.0, "human")):
        row[f"quality-{who}"] = record("drawn-shoes", "unit", value, f"quality-{who}")
        text = table1(load_preset("cpu"), cells_of(found)).markdown()
        shown.append(body_rows(text)[0][0][2])
        assert f"Quality ({who}): " in text
        if who == "observed":
            assert "64 true pictures" in text and "does not see whether" in text
    assert shown == ["20.0 ± 0.0% (judged)", "30.0 ± 0.0% (observed)", "40.0 ± 0.0% (human)"]


def test_the_table_of_nothing_is_dashes():
    for name in ("quick", "cpu", "gpu", "paper"):
        preset = load_preset(name)
        tables = body_rows(table1(preset, cells_of({})).markdown())
        assert [len(rows) for rows in tables] == [9] * len(preset.tables[1])
        for rows in tables:
            assert all(cells[2] == cells[4] == cells[5] == "—" for cells in rows)
            assert sum(cells[3] != "—" for cells in rows) >= 8


def test_csv_holds_nine_digits(found, published):
    rows = csv_rows(table1(load_preset("cpu"), cells_of(found)).csv())
    assert len(rows) == 18
    for row in rows:
        paper = published[TASKS[row["task"]].stands_for][row["row"]]
        for ours, theirs in (
            ("paper_quality_percent", "quality_percent_preferred_over_munit"),
            ("paper_diversity", "lpips_diversity"),
        ):
            assert float(row[ours] or -1) == float(paper[theirs] or -1)
        if (row["task"], row["method"]) == ("drawn-handbags", "unit"):
            assert row["diversity"] == row["diversity_low"] == row["silhouette_iou"] == ""
        else:
            value = values(row["task"])[row["method"]]
            for end, number in {"": value, "_low": value - 0.01, "_high": value + 0.02}.items():
                assert float(row[f"diversity{end}"]) == pytest.approx(number, rel=1e-8)


def test_latex_has_the_same_cells(found):
    made = table1(load_preset("cpu"), cells_of(found))
    body = [line for line in made.latex().splitlines() if line.count(" & ") == 5]
    assert len(body) == 2 * (1 + 9)
    shown = [cells for rows in body_rows(made.markdown()) for cells in rows]
    plain = [line.removesuffix(r" \\").split(" & ") for line in body if "Method" not in line]
    for one, two in zip(shown, plain, strict=True):
        written = [c.replace("—", "--").replace("±", r"$\pm$").replace("%", r"\%") for c in one]
        assert written[1:] == two[1:]


def test_stored_records_are_printed_without_training(tmp_path, said):
    records = Records(tmp_path, "quick")
    for method, value in values("drawn-shoes").items():
        records.append(record("drawn-shoes", method, value) | {"preset": "quick"})
        records.append(record("drawn-shoes", method, 99.0) | {"preset": "quick", "seed": 1})
    words = ["table", "1", "--preset", "quick", "--stored", "--results", str(tmp_path)]
    one = values("drawn-shoes")["munit"]
    for more, shown in ([], (one + 99) / 2), (["--seed", "0"], one), (["--seeds", "1"], 99):
        (rows,) = body_rows(said([*words, *more]).out)
        assert {cells[0]: cells[4] for cells in rows}["MUNIT"].startswith(f"{shown:.3f} ± ")
    for more in (["--seed", "5"], ["--seeds", "0", "5"]):
        assert "no record of seed 5" in said([*words, *more], 2).err


@pytest.mark.parametrize(
    ("seeds", "more", "reason"),
    [
        ("0 1", ["--seed=3"], "--seed 3 and --seeds"),
        ("1 2 1", [], "each once"),
        ("0 1", ["--human=drawn-shoes=x.json"], "one training"),
    ],
)
def test_seeds_that_contradict_are_refused(tmp_path, seeds, more, reason, refused):
    words = ["table", "1", "--preset", "quick", "--stored", "--results", str(tmp_path)]
    assert reason in refused([*words, "--seeds", *seeds.split(), *more])


def test_a_column_holds_one_quantity():
    """What was measured another way than the newest record is a dash, not a number beside it."""
    unverified = "lpips-unverified"
    old = record("drawn-shoes", "unit", 0.25) | {"time": "2026-01-01"}
    new = record("drawn-shoes", "munit", 0.09, f"diversity-{unverified}") | {"time": "2026-01-02"}
    new["protocol"] = {"extractor": unverified, "protocol": "paper"}
    other = record("drawn-shoes", "cyclegan", 0.01, new["metric"]) | {"time": "2026-01-01"}
    other["protocol"] = {"extractor": unverified, "protocol": "consecutive"}
    found = {("drawn-shoes", r["method"]): {r["metric"]: r} for r in (old, new, other)}
    made = table1(load_preset("cpu"), cells_of(found))
    shown = {row["method"]: row["diversity"] for row in made.parts[0].rows}
    assert shown["munit"].value == 0.09
    assert shown["unit"] is None and shown["cyclegan"] is None
    text = made.markdown()
    assert "| Diversity (LPIPS), paper | Diversity (lpips-unverified), ours |" in text
    assert "protocol paper, " in text and "lpips-unverified is not the paper's LPIPS" in text
