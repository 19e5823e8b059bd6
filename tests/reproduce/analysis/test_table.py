"""The renderer: one cell in every format."""

import json
import math

import pytest

from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import ENDS, Column, Table, Tables, in_words, of_texts

CELL = Estimate(0.5, 0.25, 1.0, seeds=2, deviation=0.125, note="judged")
COLUMNS = (
    Column("Method", words=True), Column("Ours", "ours", ".2f", "%"), Column("Paper", spec=".1f"),
)  # fmt: skip
ROWS = ({"Method": "A (paired)", "ours": CELL, "Paper": 3}, {"Method": "B_1", "ours": None})


@pytest.mark.parametrize(
    ("spec", "form", "words"),
    [(".1f", ENDS, "0.5% [0.2, 1.0]"), ("", ENDS, "0.50% [0.25, 1.00]"), (".0%", "{value}", "50%")],
)
def test_a_number_and_its_interval(spec: str, form: str, words: str) -> None:
    assert in_words(CELL, spec, "%", form) == words
    assert in_words(Estimate(0.5), ".2f", "%", form) == "0.50%"  # no interval is known


def test_the_far_end_of_an_interval_takes_no_line_of_digits() -> None:
    assert in_words(Estimate(0.271, 0.0, 6.4e25), form=ENDS) == "0.271 [0.000, 6e+25]"


def test_markdown_aligns_and_tells_of_how_many_trainings() -> None:
    table = Table("Two", COLUMNS, ROWS, "Below.", trainings=3)
    lines = (
        "| Method |                           Ours | Paper |",
        "|:-------|-------------------------------:|------:|",
        "| A †    | 0.50 ± 0.50% (judged, 2 seeds) |   3.0 |",
        "| B_1    |                              — |     — |",
    )
    grid = "\n".join(lines)
    assert table.markdown() == grid
    made = Tables((table, table), ("Note.",), "Lead:", ("x", "y")).markdown()
    shown = f"{grid}\n\nBelow.\n\n"
    assert made == f"### Two\n\n{shown}{shown}Note.\n\nLead:\n\n- x\n- y\n"


def test_latex_has_the_notes_of_a_lone_table_in_it() -> None:
    one, other = Table("T & U", COLUMNS, ROWS), of_texts("V", [["x"], ["—"]])
    lone = Tables((one, one), ("5%",)).latex()
    assert lone.count(r"\begin{tabular}{lrr}") == 1 and lone.count(r"{l}{T \& U} \\") == 2
    assert r"A$^\dagger$ & 0.50 $\pm$ 0.50\% (judged) & 3.0 \\" in lone
    assert r"B\_1 & -- & -- \\" in lone
    assert lone.endswith(r"{p{0.9\linewidth}}{\footnotesize 5\%} \\" + "\n\\end{tabular}\n")
    assert Tables((one, other), ("5%",)).latex().endswith("\n\n\\par\\footnotesize 5\\%\n")


def test_a_table_is_kept_as_its_texts() -> None:
    table = Table("T", COLUMNS, ROWS, "Below.")
    again = of_texts(**json.loads(table.as_json()))
    assert (again.head, again.lines, again.left) == (table.head, table.lines, table.left)
    assert (again.title, again.caption) == ("T", "Below.")


def test_a_csv_has_what_the_estimate_tells() -> None:
    names = ("Method", "ours", "ours_low", "ours_high", "ours_seeds", "ours_deviation", "none")
    assert Tables((), data=ROWS, names=names).csv().splitlines()[1:] == [
        "A (paired),0.5,0.25,1,2,0.125,", "B_1,,,,,,",
    ]  # fmt: skip
    value = {"value": Estimate(0.1, math.nan, math.inf)}
    assert Tables((), data=(value,), names=("value", "low", "high")).csv().endswith("\n0.1,,\n")
