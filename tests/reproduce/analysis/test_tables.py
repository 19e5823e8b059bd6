"""Table 1 from records: nine rows a task, the paper's numbers as in its file."""

from pathlib import Path

from reading import csv_rows, markdown_rows

from models.zoo import METHODS
from reproduce.analysis.estimate import Cells
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


def body_rows(text: str) -> list[list[list[str]]]:
    """The cells of every body row, table by table."""
    return [markdown_rows(block)[1:] for block in text.split("### ")[1:]]


def test_markdown_has_nine_rows_a_task_with_the_papers_numbers():
    every = [
        record(task, method, number, metric)
        for task in load_preset("cpu").tables[1]
        for method, value in values(task).items()
        for metric, number in (("diversity-lpips", value), ("silhouette-iou", value / 10))
        if (task, method) != ("drawn-handbags", "unit")
    ]
    published = {(r["task"], r["method"]): r for r in csv_rows(PAPER)}
    text = table1(load_preset("cpu"), Cells(every, [0])).markdown()
    tables = body_rows(text)
    assert [len(rows) for rows in tables] == [9, 9]
    for task, rows in zip(load_preset("cpu").tables[1], tables, strict=True):
        for method, shown in zip(ROWS, rows, strict=True):
            title = "Real data" if method == REAL else METHODS[method].title
            assert shown[0] == title.replace("(paired)", "†")
            paper = published[TASKS[task].stands_for, title]
            quality = paper["quality_percent_preferred_over_munit"]
            diversity = paper["lpips_diversity"]
            assert shown[1] == (f"{float(quality):.1f}%" if quality else "—")
            assert shown[2] == "—"
            assert shown[3] == (f"{float(diversity):.3f}" if diversity else "—")
            if (task, method) == ("drawn-handbags", "unit"):
                assert shown[4] == shown[5] == "—"
            else:
                value = values(task)[method]
                assert shown[4] == f"{value:.3f} ± 0.020"
                assert shown[5] == f"{value / 10:.3f} ± 0.020"
    assert "| Diversity (LPIPS), paper | Diversity (LPIPS), ours |" in text
    assert "Diversity, ours: protocol paper-min64, which enlarges pictures under 64 px" in text
    assert "is not the paper's LPIPS" not in text


def test_the_table_of_nothing_is_dashes():
    for name in ("cpu", "paper"):
        preset = load_preset(name)
        tables = body_rows(table1(preset, Cells([])).markdown())
        assert [len(rows) for rows in tables] == [9] * len(preset.tables[1])
        for rows in tables:
            assert all(cells[2] == cells[4] == cells[5] == "—" for cells in rows)
            assert sum(cells[3] != "—" for cells in rows) >= 8


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


def test_a_column_holds_one_quantity():
    """What was measured another way than the newest record is a dash, not a number beside it."""
    unverified = "lpips-unverified"
    old = record("drawn-shoes", "unit", 0.25) | {"time": "2026-01-01"}
    new = record("drawn-shoes", "munit", 0.09, f"diversity-{unverified}") | {"time": "2026-01-02"}
    new["protocol"] = {"extractor": unverified, "protocol": "paper"}
    other = record("drawn-shoes", "cyclegan", 0.01, new["metric"]) | {"time": "2026-01-01"}
    other["protocol"] = {"extractor": unverified, "protocol": "consecutive"}
    made = table1(load_preset("cpu"), Cells([old, new, other], [0]))
    shown = {row["method"]: row["diversity"] for row in made.parts[0].rows}
    assert shown["munit"].value == 0.09
    assert shown["unit"] is None and shown["cyclegan"] is None
    text = made.markdown()
    assert "| Diversity (LPIPS), paper | Diversity (lpips-unverified), ours |" in text
    assert "protocol paper, " in text and "lpips-unverified is not the paper's LPIPS" in text
