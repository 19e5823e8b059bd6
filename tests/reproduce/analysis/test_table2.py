"""Table 2 from records: the paper's numbers beside ours, averages, bounds; nothing mixed up."""

import math
from typing import Any

import pytest

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
    """Content is told by a reader, which knows neither modes nor an accuracy."""
    protocol = {"protocol": "paper" if method != "real" else "real@200", "domain": domain}
    of_modes = {"modes": list("wxyz"), "accuracy": 0.99}
    of_content = {"factors": ["yaw", "gaze_x"], "r2": {"yaw": 0.95, "gaze_x": 0.61}}
    return {
        "metric": metric, "value": value, "method": method, "seed": 0,
        "interval": {"low": value - half, "high": value + half},
        "protocol": protocol | (of_content if metric == "content-confusion" else of_modes),
    }  # fmt: skip


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """CIS grows by 0.01 a direction, and is the method's number before the point."""
    every = []
    for i, (task, translation, title) in enumerate(DIRECTIONS):
        domain = title.split(" -> ")[1]
        told = [("is", 1.3, 0.01, "real"), ("content-confusion", 0.004, 0.02, "real")]
        for k, method in enumerate(TABLE2_METHODS):
            values = {"cis": 0.01 * i + 0.1 * k, "is": 1 + 0.01 * i, "modes-reached": 0.25 * k}
            told += [(name, value, 0.03, method) for name, value in values.items()]
            told.append(("content-confusion", 0.02 * i + 0.1 * k, 0.02, method))
        where = {"task": task, "translation": translation}
        every += [record(*of, domain) | where for of in told]
    return every


@pytest.fixture
def made(records) -> Tables:
    return table2(PRESET, Cells(records, [0]))


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
    text = made.markdown()
    assert text.count("### ") == 4 == made.latex().count(r"\begin{tabular}")
    assert "0.325 ± 0.012" in text and "1.386" in text and "75%" in text and "0.990" in text


def test_a_direction_that_is_missing_leaves_no_average(records) -> None:
    task, translation, title = DIRECTIONS[3]
    gone = {"task": task, "translation": translation, "method": "unit"}
    made = table2(PRESET, Cells([r for r in records if not gone.items() <= r.items()], [0]))
    assert of(made, title, "unit")["cis"] is of(made, AVERAGE, "unit")["cis"] is None
    assert of(made, AVERAGE, "munit")["cis"] is not None
    line = next(line for line in made.markdown().splitlines() if AVERAGE in line)
    assert "—" in line and "0.115" in line  # the paper's UNIT


def test_nothing_measured_prints_the_paper_and_dashes() -> None:
    text = table2(PRESET, Cells([])).markdown()
    assert "1.039" in text and "±" not in text.split("Preset")[0]
    assert "1.386" not in text  # how many modes there are, nobody said


def test_content_confusion_stands_beside_and_is_averaged(made: Tables) -> None:
    for i, (_, _, title) in enumerate(DIRECTIONS):
        row = of(made, title, "munit")
        assert row["content_confusion"].value == pytest.approx(0.02 * i + 0.3)
        assert row["real_content_confusion"].value == 0.004
    part, latex = made.markdown().split("### ")[-1], made.latex()
    assert "lower is better" in part and "0.350 ± 0.008" in part and "0.004 ± 0.008" in part
    assert "dogs: yaw 0.95, gaze" in part and "dogs: yaw 0.95, gaze" in latex


def test_where_no_picture_tells_its_content_nothing_is_shown(records) -> None:
    of_modes = [r for r in records if r["metric"] != "content-confusion"]
    made = table2(PRESET, Cells(of_modes, [0]))
    assert "ontent confusion" not in made.markdown() + made.latex()
    assert "real_content_confusion\n" in made.csv()
