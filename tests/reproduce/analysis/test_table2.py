"""Table 2 from records: the paper's numbers beside ours, averages, bounds; nothing mixed up."""

from __future__ import annotations

import math
from typing import Any

import pytest
from found import records_of
from reading import csv_rows

from benchmarks.harness.published import AVERAGE, published_table2
from models.zoo import METHODS
from reproduce.analysis.estimate import Cells
from reproduce.analysis.table import Row, Tables
from reproduce.analysis.tables import table2
from reproduce.experiments.preset import TABLE2_METHODS, load_preset
from reproduce.tasks.registry import TASKS

PRESET = load_preset("cpu")
DIRECTIONS = [
    (task, translation, TASKS[task].directions[translation])
    for task in PRESET.tables[2]
    for translation in ("a2b", "b2a")
]


def record(metric: str, value: float, half: float, method: str, domain: str) -> dict[str, Any]:
    return {
        "metric": metric, "value": value, "method": method, "seed": 0,
        "interval": {"low": value - half, "high": value + half},
        "protocol": {
            "protocol": "paper" if method != "real" else "real@200", "modes": list("wxyz"),
            "domain": domain, "accuracy": 0.99,
        },
    }  # fmt: skip


def of_content(value: float, method: str, domain: str) -> dict[str, Any]:
    """A record of a reader, which knows neither modes nor an accuracy."""
    made = record("content-confusion", value, 0.02, method, domain)
    made["protocol"] = {
        "protocol": "paper", "domain": domain, "factors": ["yaw", "gaze_x"],
        "r2": {"yaw": 0.95, "gaze_x": 0.61},
    }  # fmt: skip
    return made


@pytest.fixture
def found() -> dict[str, dict[tuple[str, str], dict[str, dict[str, Any]]]]:
    """CIS grows by 0.01 a direction, and is the method's number before the point."""
    every: dict[str, dict[tuple[str, str], dict[str, dict[str, Any]]]] = {"a2b": {}, "b2a": {}}
    for i, (task, translation, title) in enumerate(DIRECTIONS):
        domain = title.split(" -> ")[1]
        for k, method in enumerate(TABLE2_METHODS):
            values = {"cis": 0.01 * i + 0.1 * k, "is": 1 + 0.01 * i, "modes-reached": 0.25 * k}
            every[translation][task, method] = {
                name: record(name, value, 0.03, method, domain) for name, value in values.items()
            } | {"content-confusion": of_content(0.02 * i + 0.1 * k, method, domain)}
        every[translation][task, "real"] = {
            "is": record("is", 1.3, 0.01, "real", domain),
            "content-confusion": of_content(0.004, "real", domain),
        }
    return every


def of_both(found) -> Cells:
    """Of the records of both directions."""
    every = (records_of(rows, translation=of) for of, rows in found.items())
    return Cells([record for records in every for record in records], [0])


@pytest.fixture
def made(found) -> Tables:
    return table2(PRESET, of_both(found))


def of(made: Tables, direction: str, method: str) -> Row:
    (row,) = (r for r in made.data if (r["direction"], r["method"]) == (direction, method))
    return row


def test_directions_are_the_papers_and_each_has_its_numbers(made: Tables) -> None:
    paper = published_table2()
    assert {row["direction"] for row in made.data} == {title for title, _ in paper}
    for i, (_, _, title) in enumerate(DIRECTIONS):
        for k, method in enumerate(TABLE2_METHODS):
            row = of(made, title, method)
            assert (row["paper_cis"], row["paper_is"]) == paper[title, METHODS[method].title]
            assert row["cis"].value == pytest.approx(0.01 * i + 0.1 * k)
            assert row["is"].value == pytest.approx(1 + 0.01 * i)
            assert row["real_is"].value == 1.3 and row["ln_k"] == pytest.approx(math.log(4))


def test_the_average_is_over_directions_and_its_interval_adds_variances(made: Tables) -> None:
    munit = of(made, AVERAGE, "munit")
    assert (munit["paper_cis"], munit["paper_is"]) == (1.039, 1.050)
    assert munit["cis"].value == pytest.approx(0.3 + 0.01 * 2.5)
    assert munit["cis"].high - munit["cis"].value == pytest.approx(0.03 / math.sqrt(6))
    assert munit["ln_k"] == pytest.approx(math.log(4))


def test_a_direction_that_is_missing_leaves_no_average(found) -> None:
    task, translation, title = DIRECTIONS[3]
    del found[translation][task, "unit"]
    made = table2(PRESET, of_both(found))
    assert of(made, title, "unit")["cis"] is of(made, AVERAGE, "unit")["cis"] is None
    assert of(made, AVERAGE, "munit")["cis"] is not None
    line = next(line for line in made.markdown().splitlines() if AVERAGE in line)
    assert "—" in line and "0.115" in line  # the paper's UNIT


def test_nothing_measured_prints_the_paper_and_dashes() -> None:
    text = table2(PRESET, of_both({})).markdown()
    assert "1.039" in text and "±" not in text.split("Preset")[0]
    assert "1.386" not in text  # how many modes there are, nobody said


def test_content_confusion_stands_beside_and_is_averaged(made: Tables) -> None:
    for i, (_, _, title) in enumerate(DIRECTIONS):
        for k, method in enumerate(TABLE2_METHODS):
            row = of(made, title, method)
            assert row["content_confusion"].value == pytest.approx(0.02 * i + 0.1 * k)
            assert row["real_content_confusion"].value == 0.004
    part, latex = made.markdown().split("### ")[-1], made.latex()
    assert "lower is better" in part and "0.350 ± 0.008" in part and "0.004 ± 0.008" in part
    for text in (part, latex):
        assert "dogs: yaw 0.95, gaze" in text


def test_where_no_picture_tells_its_content_nothing_is_shown(found) -> None:
    for of_direction in found.values():
        for records in of_direction.values():
            del records["content-confusion"]
    made = table2(PRESET, of_both(found))
    text = made.markdown()
    assert "Content confusion" not in text and "Content confusion" not in made.latex()
    assert "reads off" not in text and "0.325 ± 0.012" in text
    assert "real_content_confusion\n" in made.csv()


def test_text_has_four_parts_and_says_how_it_was_measured(made: Tables) -> None:
    text, latex = made.markdown(), made.latex()
    assert text.count("### ") == 4
    assert "0.325 ± 0.012" in text and "1.386" in text and "75%" in text
    assert "without exponential" in text and "0.990" in text
    assert latex.count(r"\begin{tabular}") == 4 and r"$\rightarrow$" in latex


def test_csv_has_nine_digits(made: Tables) -> None:
    lines = csv_rows(made.csv())
    assert len(lines) == 7 * 4
    line = next(r for r in lines if r["direction"] == AVERAGE and r["method"] == "munit")
    assert float(line["cis"]) == pytest.approx(0.325) and float(line["paper_cis"]) == 1.039
    assert float(line["ln_k"]) == pytest.approx(math.log(4))
    assert float(line["content_confusion"]) == pytest.approx(0.35)
    assert float(line["content_confusion_high"]) == pytest.approx(0.35 + 0.02 / math.sqrt(6))
    assert float(line["real_content_confusion"]) == pytest.approx(0.004)
